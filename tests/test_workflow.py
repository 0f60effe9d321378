import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import aacsfnet.workflow
from aacsfnet.config import OVERRIDABLE, validate
from aacsfnet.errors import DataError, SettingsError, WorkError
from aacsfnet.labels import Label
from aacsfnet.stages import STAGES, lineage_of, settings_of
from aacsfnet.workflow import Workflow

ROOT = Path(__file__).parent.parent


@pytest.fixture
def plan(monkeypatch):
    """Plan a run over subjects that no data set needs to hold."""
    words: dict[str, set[str]] = {}
    unlabelled: set[str] = set()
    label = ["pspi", 0.0, 16.0, ""]

    class Names:
        compared = ""

        @property
        def label(self):
            return Label(*label)

        def subjects(self):
            return {"a": 5, "b": 2, "../c": 3}

        def splits(self):
            return words

        def unlabelled(self):
            return unlabelled

        def sources(self):
            return []

    monkeypatch.setattr(aacsfnet.workflow, "open_dataset", lambda config: Names())

    def make(**settings):
        few = {
            "merge": {"folds": 3, "validation_subjects": 1},
            "index": {"shard_frames": 2, "packed_frames": 0},
        }
        words.update(settings.pop("words", {}))
        unlabelled.update(settings.pop("unlabelled", ()))
        label[:] = settings.pop("label", label)
        return Workflow(few | settings)

    return make


@pytest.mark.parametrize(
    ("frames", "together"), [(2, 1), (5, 1), (6, 1), (7, 2), (10, 3), (100, 4)]
)
def test_small_shards_share_a_job_until_they_have_the_frames_of_one(plan, frames, together):
    """10 frames of three people: with shards of 5 and more, each has one."""
    run = plan(index={"shard_frames": frames, "packed_frames": 0})
    assert run.fullness == pytest.approx(10 / len(run.shards) / frames)
    assert run.together == together


def test_shards_and_folds_follow_from_names(plan):
    assert [shard for shard in plan().shards if shard.startswith("a")] == ["a.00", "a.01", "a.02"]
    assert len(plan().shards) == 3 + 1 + 2
    assert all("/" not in shard for shard in plan().shards)
    assert plan(merge={"folds": "loso", "validation_subjects": 1}).folds("full") == range(3)


def test_people_without_a_label_are_in_the_pool_and_enough_for_nobody_to_train_on(plan):
    said = {"a": {""}, "b": {""}, "../c": {""}}
    with pytest.raises(DataError, match=r"no row of subject '\.\./c' has a label, so no fold can"):
        plan(words=said, unlabelled={"../c"})
    few = {"merge": {"folds": 2, "validation_subjects": 1}}
    with pytest.raises(SettingsError, match="2 subjects in 2 folds leave none to train on"):
        plan(words=said | {"../c": {"pool"}}, **few)
    given = {"a": {"val"}, "b": {"test"}, "../c": {"pool"}}
    with pytest.raises(DataError, match="marks 0 subjects for training"):
        plan(words=given, merge={"folds": "given"})


def test_an_experiment_shares_every_stage_before_the_one_it_changes(plan):
    experiments = {
        "full": {},
        "strong": {"generate": {"strength": 0.9}},
        "strong-short": {"generate": {"strength": 0.9}, "train": {"epochs": 1}},
        "same": {"generate": {"strength": 0.5}},
    }
    layout = plan(experiments=experiments).layout
    strong = "experiments/strong/"
    for stage in ("index", "crop", "landmarks", "depth", "prompts"):
        assert layout.scope("strong", stage) == ""
        assert layout.scopes(stage) == {"": list(experiments)}
    for stage in ("generate", "quality", "merge"):
        assert layout.scope("strong", stage) == strong
        assert layout.scope("strong-short", stage) == strong
        assert layout.scope("same", stage) == ""
        assert layout.scopes(stage) == {"": ["full", "same"], strong: ["strong", "strong-short"]}
    assert json.loads(layout.settings(strong, "generate"))["generate"]["strength"] == 0.9
    assert json.loads(layout.settings("", "generate"))["generate"]["strength"] == 0.5


def test_a_scope_is_its_own_for_a_rule_that_already_runs_in_it(plan):
    layout = plan(experiments={"full": {}, "deep": {"crop": {"size": 64}}}).layout
    for stage in ("crop", "quality", "merge"):
        scope = layout.scope("deep", stage)
        assert layout.scope_within(scope, stage) == scope
        assert layout.scope_within(scope, "crop") == "experiments/deep/"


def test_every_result_has_its_place(plan):
    run = plan(results="r", training_seeds=[7], experiments={"deep": {"crop": {"size": 64}}})
    layout, own = run.layout, "r/demo/experiments/deep"
    assert str(layout.index) == "r/demo/index.parquet"
    assert str(run.tables("crop")[0]).startswith(f"{own}/crop/")
    assert str(layout.merged(layout.scope("deep", "merge")).images) == f"{own}/merge/images.npy"
    assert [str(one.weights) for one in run.trained("deep")] == [
        f"{own}/seed-7/fold-{fold}/model.safetensors" for fold in range(3)
    ]
    assert str(layout.experiment("deep").metrics) == f"{own}/metrics.json"
    assert str(layout.table("{scope}", "crop", "{shard}")) == "r/demo/{scope}crop/{shard}.parquet"


def test_settings_that_reach_a_stage_are_enough_to_rebuild_them():
    config = validate({"crop": {"size": 64}, "prompts": {"keep": {"variants": 3}}, "seed": 9})
    for stage in STAGES:
        chosen = settings_of(config, stage)
        assert settings_of(validate(json.loads(json.dumps(chosen))), stage) == chosen


#: Stages that read a key, beside the report, which prints every setting.
READERS = {
    "crop": {"crop", "train"},
    "crop.size": {"crop", "prompts", "train"},
    "landmarks": {"landmarks", "quality", "train"},
    "landmarks.min_visibility": {"landmarks", "prompts", "quality", "train"},
    "depth": {"depth"},
    "prompts": {"prompts"},
    "generate": {"generate"},
    "generate.model": {"generate", "prompts"},
    "quality": {"quality"},
    "merge": {"merge"},
    "train": {"train"},
}


@pytest.mark.parametrize("block", OVERRIDABLE)
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # no key is of such a value
def test_a_key_reaches_the_stages_that_read_it_and_no_other(block):
    before = validate({})
    for key in type(getattr(before, block)).model_fields:
        other = getattr(before, block).model_copy(update={key: "another value"})
        changed = before.model_copy(update={block: other})
        reached = {
            stage for stage in STAGES if settings_of(changed, stage) != settings_of(before, stage)
        }
        assert reached - {"report"} == READERS.get(f"{block}.{key}", READERS[block]), key
        assert "report" in reached


@pytest.mark.parametrize(
    ("index", "reached"),
    [
        ({"shard_frames": 7}, {"index", "report"}),
        ({"packed_frames": 7}, {"index", "report"}),
        ({"unbc": {"root": "elsewhere"}}, set()),  # of another data set than the one in use
        (
            {"demo": {"subjects": 9}},
            {*("index", "crop", "prompts", "quality", "merge", "train", "evaluate", "report")},
        ),
    ],
)
def test_what_says_how_the_data_are_read_reaches_who_reads_them(index, reached):
    before, changed = validate({}), validate({"index": index})
    assert {
        stage for stage in STAGES if settings_of(changed, stage) != settings_of(before, stage)
    } == reached


def test_a_stage_comes_after_all_that_it_reads():
    order = list(STAGES)
    for name, stage in STAGES.items():
        assert all(order.index(earlier) < order.index(name) for earlier in stage.after)
        assert set(lineage_of(validate({}), name)) <= set(order[: order.index(name) + 1])


@pytest.mark.parametrize(
    ("merge", "words"),
    [
        ({"folds": 4}, "expected 2 to 3"),
        ({"folds": 1}, "expected 2 to 3"),
        ({"folds": 3, "validation_subjects": 2}, "leave none to train on"),
    ],
)
def test_folds_that_the_subjects_cannot_fill_are_refused(plan, merge, words):
    with pytest.raises(SettingsError, match=words):
        plan(merge=merge)


def test_the_pool_is_not_among_those_who_are_held_out(plan):
    loso = {"folds": "loso", "validation_subjects": 1}
    assert plan(merge=loso, words={"a": {"pool"}}).folds("full") == range(2)
    with pytest.raises(SettingsError, match="expected 2 to 2, the number of subjects that can be"):
        plan(merge={"folds": 3, "validation_subjects": 1})


@pytest.mark.parametrize("folds", [2, "loso", "given"])
def test_somebody_in_the_pool_and_outside_it_is_refused_before_the_first_job(plan, folds):
    merge = {"folds": folds, "validation_subjects": 1}
    with pytest.raises(DataError, match="'a' is in the pool, but some of its rows say 'test'"):
        plan(merge=merge, words={"a": {"pool", "test"}, "b": {"train"}, "../c": {"val"}})


def test_one_run_holds_the_results_folder(plan, tmp_path):
    run = plan(results=str(tmp_path))
    with run.hold(), pytest.raises(WorkError, match=r"another run works here \(process \d+ on "):
        run.hold()
    run.hold().close()


HOLD = """
import sys
from aacsfnet.workflow import Workflow

lock = Workflow({"results": sys.argv[1]}).hold()
print("held", flush=True)
sys.stdin.readline()
"""


def test_a_killed_run_leaves_the_results_folder_free(tmp_path):
    """The kernel drops the lock with the process: no file has to be found stale."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        run = Workflow({"results": str(tmp_path)})
        with pytest.raises(WorkError, match=rf"works here \(process {process.pid} on "):
            run.hold()
        process.kill()
    run.hold().close()


def test_levels_of_labels_that_no_units_make_are_refused_before_the_first_job(plan):
    wanted = {"experiments": {"full": {}, "more": {"prompts": {"level": {"pictures": 3}}}}}
    assert plan(**wanted).experiments == ["full", "more"]
    with pytest.raises(SettingsError, match=r"are vas, 0 to 10: set it to 0 \(experiment more\)"):
        plan(label=["vas", 0.0, 10.0, ""], **wanted)


@pytest.mark.parametrize(
    ("evaluate", "words"),
    [
        ({"thresholds": [1, 20]}, "20 is outside pspi 0–16"),
        ({"groups": ["sex", "hospital"]}, "'hospital' is known of nobody in this data set"),
    ],
)
def test_figures_that_cannot_be_given_are_refused_before_the_first_job(evaluate, words):
    with pytest.raises(SettingsError, match=words):
        Workflow({"evaluate": evaluate})


def test_every_rule_asks_for_more_with_each_attempt():
    asked = re.findall(
        r"(?:mem_mb|runtime)=(.+)",
        "".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk")),
    )
    assert len(asked) == 2 * len(STAGES)
    assert all(amount.startswith("growing(") for amount in asked)
    # What a rule asks for goes before a default: one in the profile would never apply.
    profile = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())
    assert not {"mem_mb", "runtime"} & profile["default-resources"].keys()
    for own in profile["set-resources"].values():
        assert all("attempt" in own[name] for name in {"mem_mb", "runtime"} & own.keys())


def test_a_job_takes_its_plan_from_the_run_and_looks_through_no_data_set(
    plan, tmp_path, monkeypatch
):
    run = plan(results=str(tmp_path))
    settings = run.config.model_dump(mode="json")
    run.hold().close()

    def closed(config):
        raise AssertionError("the data set was opened")

    monkeypatch.setattr(aacsfnet.workflow, "open_dataset", closed)
    job = Workflow.of_job(settings)
    assert job.tables("depth") == run.tables("depth")
    assert [each.folder for each in job.trained("full")] == [
        each.folder for each in run.trained("full")
    ]
    assert (job.shards, job.sources, job.frames) == (run.shards, run.sources, run.frames)
    with pytest.raises(AssertionError, match="opened"):
        Workflow.of_job(settings | {"index": {"shard_frames": 3}})
    run.layout.plan.write_text("{")
    with pytest.raises(AssertionError, match="opened"):
        Workflow.of_job(settings)


GROUPS = {
    "faces": {"crop", "landmarks", "prompts", "depth"},
    "pictures": {"generate", "quality"},
}


def test_the_stages_of_a_shard_are_two_jobs_of_slurm_that_can_run_where_they_are_sent():
    profile = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())
    groups = profile["groups"]
    default = profile["default-resources"]["slurm_partition"]
    for name, stages in GROUPS.items():
        rules = {f"{stage}_shard" for stage in stages}
        assert {rule for rule, group in groups.items() if group == name} == rules
        own = [profile["set-resources"].get(rule, {}) for rule in rules]
        # Snakemake refuses a group of several partitions.
        assert len({each.get("slurm_partition", default) for each in own}) == 1
