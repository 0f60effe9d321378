import json

import numpy as np
import pytest
import torch

from aacsfnet import tables
from aacsfnet.augmentation.gate.identity import FaceEmbedder
from aacsfnet.augmentation.gate.quality import quality
from aacsfnet.config import validate
from aacsfnet.errors import ModelFileError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def of_transformers(tmp_path_factory):
    """A ViT with random weights."""
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    folder = tmp_path_factory.mktemp("vit")
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    shape |= {"intermediate_size": 64, "image_size": 64, "patch_size": 16}
    ViTModel(ViTConfig(**shape)).save_pretrained(folder)
    ViTImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def of_timm(tmp_path_factory):
    """A small ResNet with random weights, as timm writes it for the hub."""
    import timm
    from timm.models import save_for_hf

    folder = tmp_path_factory.mktemp("timm")
    torch.manual_seed(0)
    model = timm.create_model("test_resnet", pretrained=False, num_classes=7)
    save_for_hf(model, folder, model_args={"num_classes": 7}, safe_serialization=True)
    return folder


@pytest.fixture(params=["of_transformers", "of_timm"])
def folder(request):
    return request.getfixturevalue(request.param)


def test_embeddings_have_length_one_and_tell_pictures_apart(folder, face_picture):
    embedder = FaceEmbedder(folder, CPU)
    first = embedder.embed(face_picture)
    assert np.linalg.norm(first) == pytest.approx(1)
    assert np.array_equal(first, embedder.embed(face_picture.copy()))
    other = embedder.embed(255 - face_picture)
    near = embedder.embed(np.clip(face_picture.astype(int) + 3, 0, 255).astype(np.uint8))
    assert first @ other < first @ near < 1


def test_timms_embedding_is_the_models_own_features(of_timm, face_picture):
    import timm
    from safetensors.torch import load_file

    model = timm.create_model("test_resnet", pretrained=False, num_classes=7).eval()
    model.load_state_dict(load_file(of_timm / "model.safetensors"))
    mean, std = (torch.tensor(model.default_cfg[key])[:, None, None] for key in ("mean", "std"))
    size = model.default_cfg["input_size"][1:]
    pixels = torch.from_numpy(face_picture.copy()).permute(2, 0, 1).float() / 255
    sized = torch.nn.functional.interpolate(pixels[None], size, mode="bicubic", antialias=True)
    with torch.inference_mode():
        features = model.forward_features((sized.clamp(0, 1) - mean) / std)
        wanted = model.forward_head(features, pre_logits=True)[0].numpy()
    found = FaceEmbedder(of_timm, CPU).embed(face_picture)
    np.testing.assert_allclose(found, wanted / np.linalg.norm(wanted), atol=1e-5)


def test_a_missing_or_wrong_folder_is_named(tmp_path):
    for wrong in (tmp_path / "nothing", tmp_path):
        with pytest.raises(ModelFileError, match=r"quality\.identity_model"):
            FaceEmbedder(wrong, CPU)


def test_pickled_weights_are_not_opened(of_timm, tmp_path):
    (tmp_path / "config.json").write_text((of_timm / "config.json").read_text())
    (tmp_path / "pytorch_model.bin").write_bytes(b"no matter")
    with pytest.raises(ModelFileError, match=r"model\.safetensors"):
        FaceEmbedder(tmp_path, CPU)


def test_an_altered_file_of_a_locked_folder_is_named(of_timm, tmp_path):
    import shutil

    shutil.copytree(of_timm, tmp_path / "model")
    (tmp_path / "model" / "model.lock.json").write_text(
        json.dumps({"sha256": {"model.safetensors": "0" * 64}})
    )
    with pytest.raises(ModelFileError, match=r"model\.safetensors has SHA-256"):
        FaceEmbedder(tmp_path / "model", CPU)


@pytest.mark.parametrize("least", [None, 0.9999])
def test_the_gate_records_identity_and_may_demand_it(shard, of_timm, face_picture, least):
    inverted = {
        "image_id": "s1/a/0000#0",
        "frame_id": "s1/a/0000",
        "source_frame_id": "s1/a/0000",
        "subject": "s1",
        "sequence": "a",
        "label": 0.0,
        "status": "ok",
        "reason": "",
        "variant": 0,
        "image": tables.encode_png(255 - face_picture, "x.png"),
    }
    tables.write(shard["generate"], tables.frame("generate", [inverted]), "generate")
    config = validate({"quality": {"identity_model": str(of_timm), "min_identity": least}})
    names = ("index", "crop", "landmarks", "generate", "quality")
    quality(config, *(shard[name] for name in names))
    row = tables.read(shard["quality"]).row(0, named=True)
    assert -1 <= row["identity"] < 0.9999
    assert ("identity" in row["reason"]) == (least is not None)
    noted = tables.notes(shard["quality"])["identity_model"]
    assert (noted["name"], len(noted["sha256"])) == (of_timm.name, 64)
