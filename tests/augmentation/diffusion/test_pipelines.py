"""Every kind of pipeline behind the one loader and the one generator."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from aacsfnet.augmentation.diffusion.generation import Generator
from aacsfnet.augmentation.diffusion.model_files import describe, find_model
from aacsfnet.augmentation.diffusion.pipelines import (
    compile_networks,
    compiles,
    lay_out,
    load_pipeline,
)
from aacsfnet.augmentation.diffusion.recipe import recipe_of
from aacsfnet.augmentation.diffusion.tasks import Task
from aacsfnet.config import Generate
from aacsfnet.errors import ModelFileError, SettingsError, WorkError
from tests.augmentation.tiny import CLASS_NAMES, SIZE, TINY, controlnet, tiny_sd

KINDS = list(TINY)
LONG = ", ".join(["strongly lowered brows", "raised cheeks", "parted lips"] * 20)
CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """A model folder of each kind, as the hub has them: the ControlNet in a folder of its own."""
    root = tmp_path_factory.mktemp("tiny")
    for kind, build in TINY.items():
        pipeline = build()
        pipeline.save_pretrained(root / kind, safe_serialization=True)
        index = root / kind / "model_index.json"
        facts = json.loads(index.read_text()) | {"_class_name": CLASS_NAMES[kind]}
        if kind != "sd-depth2img":
            del facts["controlnet"]
            (root / kind / "controlnet").rename(root / f"{kind}-control")
        index.write_text(json.dumps(facts))
    return root


@pytest.fixture(scope="session")
def second_control(tmp_path_factory):
    """A ControlNet for drawings of landmarks."""
    torch.manual_seed(5)
    folder = tmp_path_factory.mktemp("tiny") / "drawn"
    controlnet(cross_attention_dim=32).save_pretrained(folder, safe_serialization=True)
    return folder


@pytest.fixture
def load(folders):
    """Load a kind's folder under settings, as the stage does."""

    def make(kind, **keys):
        control = {} if kind == "sd-depth2img" else {"controlnet": str(folders / f"{kind}-control")}
        known = {"steps": 4, "guidance_scale": 3.0, "scheduler": "model", "batch": 2}
        settings = Generate(model=str(folders / kind), **(control | known | keys))
        files = find_model(settings)
        recipe = recipe_of(settings, files.kind)
        pipeline = load_pipeline(files, recipe, CPU, torch.float32, settings.lora_scale)
        return SimpleNamespace(
            settings=settings,
            files=files,
            recipe=recipe,
            pipeline=pipeline,
            generator=Generator(pipeline, recipe),
        )

    return make


def tasks(count=1, **changed):
    random = np.random.default_rng(0)
    made = [
        {
            "image": random.integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8),
            "depth": random.integers(0, 65535, (SIZE, SIZE), dtype=np.uint16),
            "prompt": "closed eyes",
            "negative_prompt": "blurred",
            "seed": number,
        }
        for number in range(count)
    ]
    return [Task(**(task | changed)) for task in made]


def pictures(generator, todo):
    results = [result for batch in generator.generate(todo) for result in batch]
    assert all(not result.fault for result in results)
    return np.stack([result.picture for result in results])


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_is_read_from_the_folder_and_makes_the_models_pictures(load, kind):
    made = load(kind)
    assert made.files.kind == kind
    pipeline = TINY[kind]()
    lay_out(pipeline)
    in_memory = Generator(pipeline, made.recipe)
    np.testing.assert_array_equal(pictures(made.generator, tasks()), pictures(in_memory, tasks()))


@pytest.mark.parametrize("kind", KINDS)
def test_depth_prompt_source_and_seed_each_decide_the_picture(load, kind):
    generator = load(kind).generator
    other = tasks(2)[1]
    reference = pictures(generator, tasks())
    assert np.array_equal(pictures(generator, tasks()), reference)
    for name, value in {
        "depth": other.depth,
        "prompt": "raised cheeks",
        "negative_prompt": "old",
        "image": other.image,
        "seed": 7,
    }.items():
        assert (pictures(generator, tasks(**{name: value})) != reference).any(), name


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_words_of_a_long_prompt_decide_too(load, kind):
    generator = load(kind).generator
    first = pictures(generator, tasks(prompt=LONG + ", closed eyes"))
    assert (pictures(generator, tasks(prompt=LONG + ", raised cheeks")) != first).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_identical_to_the_bit_whatever_its_batch_mates(load, kind):
    generator = load(kind).generator
    together = pictures(generator, tasks(4))
    np.testing.assert_array_equal(pictures(load(kind).generator, tasks(4)[2:3])[0], together[2])


def test_stable_diffusion_makes_what_diffusers_makes_of_the_same_call(load):
    made = load("sd-controlnet")
    (task,) = tasks()
    pipeline = tiny_sd()
    picture = torch.from_numpy(task.image).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.inference_mode():
        latents = pipeline.vae.encode(picture).latent_dist.mean * pipeline.vae.config.scaling_factor
        expected = pipeline(
            prompt=[task.prompt],
            negative_prompt=[task.negative_prompt],
            image=latents,
            control_image=torch.from_numpy(task.depth / 65535.0)
            .float()[None, None]
            .expand(1, 3, -1, -1),
            height=SIZE,
            width=SIZE,
            strength=0.5,
            num_inference_steps=4,
            guidance_scale=3.0,
            controlnet_conditioning_scale=1.0,
            generator=torch.Generator().manual_seed(task.seed),
            output_type="np",
        ).images[0]
    got = pictures(made.generator, [task])[0]
    assert np.abs(got - expected * 255).max() < 1.0


def test_sdxl_is_told_the_pictures_size_and_the_pooled_text(load):
    made = load("sdxl-controlnet")
    seen = []
    for part in (made.pipeline.unet, made.pipeline.controlnet):
        part.register_forward_pre_hook(
            lambda _, __, keys: seen.append(keys["added_cond_kwargs"]), with_kwargs=True
        )
    pictures(made.generator, tasks(2, negative_prompt=""))
    pipeline = TINY["sdxl-controlnet"]()
    _, _, pooled, nothing = pipeline.encode_prompt("closed eyes", device="cpu")
    assert len(seen) == 2 * 2
    for given in seen:
        assert given["time_ids"].tolist() == [[SIZE, SIZE, 0, 0, SIZE, SIZE]] * 4
        # without and with the prompt; no words against it are zeros, as diffusers has it
        expected = torch.cat([nothing, nothing, pooled, pooled])
        torch.testing.assert_close(given["text_embeds"], expected)
    assert not nothing.any()


def test_the_depth_map_reaches_depth_to_image_as_diffusers_would_give_it(load):
    from diffusers import StableDiffusionDepth2ImgPipeline

    pipeline = load("sd-depth2img").pipeline
    depth = torch.rand(2, SIZE, SIZE)
    arguments = (2, True, torch.float32, CPU)
    expected = StableDiffusionDepth2ImgPipeline.prepare_depth_map(
        pipeline, torch.zeros(2, 3, SIZE, SIZE), depth, *arguments
    )
    got = pipeline.prepare_depth_map(torch.zeros(2, 4, 8, 8), depth, *arguments)
    torch.testing.assert_close(got, expected)
    flat = pipeline.prepare_depth_map(
        torch.zeros(1, 4, 8, 8), torch.ones(1, 64, 64), 1, *arguments[1:]
    )
    assert flat.eq(-1).all()  # diffusers would divide by zero


def test_a_weight_for_depth_that_would_be_ignored_is_refused(load):
    with pytest.raises(SettingsError, match=r"conditioning_scale = 0\.8: a depth2img model"):
        load("sd-depth2img", conditioning_scale=0.8)


@pytest.mark.parametrize("key", ["controlnet", "landmarks_controlnet"])
def test_a_controlnet_for_depth_to_image_is_refused(load, folders, key):
    with pytest.raises(SettingsError, match=rf"generate\.{key} = .*has no ControlNet"):
        load("sd-depth2img", **{key: str(folders / "sd-controlnet-control")})


def test_a_folder_of_an_unknown_kind_asks_for_the_key(folders, tmp_path):
    (tmp_path / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    with pytest.raises(
        ModelFileError, match=r"names the pipeline 'FluxPipeline'.*generate\.pipeline"
    ):
        find_model(Generate(model=str(tmp_path)))


def test_the_key_says_what_a_folder_does_not(load, folders):
    index = folders / "sd-depth2img" / "model_index.json"
    told = index.read_text()
    index.write_text(told.replace("StableDiffusionDepth2ImgPipeline", "DiffusionPipeline"))
    try:
        assert load("sd-depth2img", pipeline="sd-depth2img").files.kind == "sd-depth2img"
    finally:
        index.write_text(told)


def test_sdxls_vae_which_overflows_in_half_precision_is_kept_in_fp32(folders):
    keys = {"controlnet": str(folders / "sdxl-controlnet-control")}
    files = find_model(Generate(model=str(folders / "sdxl-controlnet"), **keys))
    recipe = recipe_of(Generate(), files.kind)
    half = load_pipeline(files, recipe, CPU, torch.float16)
    assert (half.unet.dtype, half.vae.dtype) == (torch.float16, torch.float32)
    assert load_pipeline(files, recipe, CPU, torch.bfloat16).vae.dtype == torch.bfloat16


# ---- the second control ----


def drawn(value, size=SIZE):
    return np.full((size, size, 3), value, np.uint8)


def test_a_second_control_steers_and_its_weight_counts(load, second_control):
    key = {"landmarks_controlnet": str(second_control)}
    made = load("sd-controlnet", **key)
    dark, light = (pictures(made.generator, tasks(drawing=drawn(v))) for v in (0, 200))
    assert (dark != light).any()
    other = tasks(2)[1].depth  # and depth still does
    assert (pictures(made.generator, tasks(drawing=drawn(0), depth=other)) != dark).any()
    weightless = load("sd-controlnet", landmarks_scale=0.0, **key).generator
    np.testing.assert_array_equal(
        pictures(weightless, tasks(drawing=drawn(200))),
        pictures(load("sd-controlnet").generator, tasks()),
    )


def test_a_second_control_enters_the_checksum(load, second_control):
    plain = load("sd-controlnet")
    made = load("sd-controlnet", landmarks_controlnet=str(second_control))
    assert describe(made.files)["sha256"] != describe(plain.files)["sha256"]
    assert describe(made.files)["name"].endswith("+ drawn")
    assert made.recipe.landmarks_scale == 1.0
    assert plain.recipe.landmarks_scale is None


def test_a_drawing_of_another_size_is_an_error(load, second_control):
    generator = load("sd-controlnet", landmarks_controlnet=str(second_control)).generator
    with pytest.raises(WorkError, match="64 x 64, 72 x 72"):
        pictures(generator, tasks(drawing=drawn(0, 72)))


def test_a_drawing_must_be_there_when_it_is_needed_and_only_then(load, second_control):
    generator = load("sd-controlnet", landmarks_controlnet=str(second_control)).generator
    with pytest.raises(WorkError, match="drawings of landmarks are missing"):
        pictures(generator, tasks())
    with pytest.raises(WorkError, match="drawings of landmarks are given"):
        pictures(load("sd-controlnet").generator, tasks(drawing=drawn(0)))


# ---- few steps ----


def save_lora(path, pipeline, size=0.5):
    """Write a LoRA over the attention of a pipeline's U-Net, with effect."""
    from diffusers import StableDiffusionPipeline
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    torch.manual_seed(3)
    unet = pipeline.unet
    unet.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_k", "to_v"]))
    for name, weight in unet.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=size)
    StableDiffusionPipeline.save_lora_weights(
        path, unet_lora_layers=get_peft_model_state_dict(unet), safe_serialization=True
    )
    return path


@pytest.fixture(scope="session")
def lora(tmp_path_factory):
    return save_lora(tmp_path_factory.mktemp("lora"), tiny_sd())


def test_a_lora_changes_the_picture_as_diffusers_would_add_it(load, lora):
    fused = load("sd-controlnet", lora=str(lora), lora_scale=0.7)
    plain = load("sd-controlnet")
    got = pictures(fused.generator, tasks())
    assert np.abs(got.astype(int) - pictures(plain.generator, tasks())).max() > 1
    plain.pipeline.load_lora_weights(lora)
    plain.pipeline.set_adapters(plain.pipeline.get_active_adapters(), 0.7)
    beside = pictures(plain.generator, tasks())
    assert np.abs(got.astype(int) - beside).max() <= 1  # fused or beside: rounding apart
    assert not fused.pipeline.get_list_adapters()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_takes_a_lora(load, kind, tmp_path):
    file = str(save_lora(tmp_path, TINY[kind]()))
    plain = pictures(load(kind).generator, tasks())
    assert (pictures(load(kind, lora=file).generator, tasks()) != plain).any()


def test_a_lora_in_the_form_of_the_published_few_step_ones_is_read_alike(load, lora, tmp_path):
    from safetensors.torch import load_file, save_file

    (file,) = lora.glob("*.safetensors")
    renamed = {}
    for key, weight in load_file(file).items():
        layer, half = key.removeprefix("unet.").removesuffix(".weight").rsplit(".", 1)
        name = "lora_unet_" + layer.replace(".", "_")
        renamed[f"{name}.lora_{'down' if half == 'lora_A' else 'up'}.weight"] = weight
        renamed[f"{name}.alpha"] = torch.tensor(2.0)  # its rank, so that the weight is 1
    save_file(renamed, tmp_path / "lora.safetensors")
    got, expected = (
        pictures(load("sd-controlnet", lora=str(folder)).generator, tasks())
        for folder in (tmp_path, lora)
    )
    np.testing.assert_array_equal(got, expected)


def test_a_lora_has_its_checksum_in_the_recipe(load, lora):
    about = describe(load("sd-controlnet", lora=str(lora)).files)["lora"]
    assert about["name"] == "pytorch_lora_weights.safetensors"
    assert len(about["sha256"]) == 64


def test_a_missing_lora_is_one_clear_line(load):
    with pytest.raises(ModelFileError, match=r"generate\.lora = '/nowhere': no such file") as error:
        load("sd-controlnet", lora="/nowhere")
    assert "\n" not in str(error.value)


def test_a_lora_of_another_model_or_in_pickle_is_refused(load, lora, tmp_path):
    from safetensors.torch import load_file, save_file

    (file,) = lora.glob("*.safetensors")
    foreign = {key: torch.zeros(5, 7) for key in load_file(file)}
    save_file(foreign, tmp_path / "foreign.safetensors")
    save_file({"transformer.x.lora_A.weight": torch.zeros(2, 2)}, tmp_path / "other.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(file.read_bytes()[:500])
    for name in ("foreign", "other", "cut"):
        with pytest.raises(
            ModelFileError, match=rf"{name}\.safetensors.*made for this model"
        ) as told:
            load("sd-controlnet", lora=str(tmp_path / f"{name}.safetensors"))
        assert "\n" not in str(told.value)
    pickled = tmp_path / "lora.bin"
    pickled.write_bytes(b"")
    with pytest.raises(ModelFileError, match=r"expected one \*\.safetensors file, found lora\.bin"):
        load("sd-controlnet", lora=str(pickled))


@pytest.mark.parametrize("name", ["ddim", "unipc", "dpm++", "lcm"])
def test_every_scheduler_runs_and_makes_a_picture_of_its_own(load, name):
    from aacsfnet.augmentation.diffusion.recipe import SCHEDULERS

    made = load("sd-controlnet", scheduler=name, steps=8)
    assert type(made.pipeline.scheduler).__name__ == SCHEDULERS[name]
    again = load("sd-controlnet", scheduler=name, steps=8)
    np.testing.assert_array_equal(
        pictures(made.generator, tasks(2)), pictures(again.generator, tasks(2))
    )


# ---- compiled networks ----


@pytest.mark.parametrize("kind", KINDS)
def test_networks_can_be_compiled_without_a_change_of_pictures(load, kind):
    made = load(kind)
    expected = pictures(made.generator, tasks(2))
    torch._dynamo.reset()
    counters = torch._dynamo.utils.counters
    counters.clear()
    try:
        compile_networks(made.pipeline, backend="eager")
        np.testing.assert_array_equal(pictures(made.generator, tasks(2)), expected)
        # U-Net, decoder and ControlNet if there is one: each in one piece, and only once.
        graphs = 2 if kind == "sd-depth2img" else 3
        assert counters["stats"]["unique_graphs"] == graphs
        pictures(made.generator, tasks(5, seed=9))
        assert counters["stats"]["unique_graphs"] == graphs
        assert not counters["graph_break"]
    finally:
        torch._dynamo.reset()


def test_only_long_shards_on_a_gpu_are_compiled():
    gpu = SimpleNamespace(type="cuda")
    assert [compiles("auto", gpu, n) for n in (10, 10_000)] == [False, True]
    assert not compiles("auto", CPU, 10_000)
    assert compiles("always", CPU, 1)
    assert not compiles("never", gpu, 10_000)
