import json
from pathlib import Path

import pytest
import yaml

from aacsfnet.config import Config, files, load, validate
from aacsfnet.config.load import check_files
from aacsfnet.errors import SettingsError
from aacsfnet.tables import KINDS

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("path", files.FILES, ids=str)
def test_a_file_that_follows_from_the_classes_is_up_to_date(path):
    assert (ROOT / path).read_text() == files.FILES[path](), "run `make schemas`"


def test_config_yaml_lists_every_key_with_its_default():
    assert yaml.safe_load((ROOT / "config.yaml").read_text()) == Config().model_dump(mode="json")


def test_every_key_has_a_comment():
    keys = [
        line
        for line in (ROOT / "config.yaml").read_text().splitlines()
        if ":" in line and not line.startswith("#") and not line.startswith("  full")
    ]
    experiments = keys.index(next(line for line in keys if line.startswith("experiments:")))
    assert all(" # " in line for line in keys[: experiments + 1])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"prompts": {"varants": 1}},
            ["prompts.varants", "unknown key", "'prompts.keep.variants'"],
        ),
        ({"crop": {"size": -8}}, ["crop.size", "-8", "greater than or equal to 64"]),
        ({"crop": {"size": "big"}}, ["crop.size", "'big'", "integer"]),
        ({"dataset": "unbk"}, ["dataset", "'unbk'", "'demo'"]),
        ({"train": {"network": {"branches": []}}}, ["train.network.branches", "at least 1"]),
        ({"train": {"network": {"fussion": 1}}}, ["train.network.fussion", "'fusion'"]),
        ({"train": {"network": {"width": 30, "heads": 4}}}, ["train.network: width = 30"]),
        ({"train": {"fusion": "gated"}}, ["train.fusion: unknown key", "'train.network.fusion'"]),
        ({"experiments": {}}, ["experiments", "at least 1"]),
        ({"experiments": {"a": {"index": {}}}}, ["experiments.a.index", "crop, landmarks"]),
        ({"experiments": {"a": {"train": {"epoch": 3}}}}, ["train.epoch", "'epochs'"]),
        (
            {"experiments": {"a": {"train": {"network": {"head": 2}}}}},
            ["experiments.a", "train.network.head", "'heads'"],
        ),
        ({"experiments": {"a": {"train": {"scales": [16]}}}}, ["'train.network.scales'"]),
        ({"experiments": {"a": {"train": {"network": None}}}}, ["train.network = None"]),
        ({"experiments": {"a/b": {}}}, ["'a/b'", "letters"]),
        ({"training_seeds": [1, 1]}, ["training_seeds", "differ"]),
        ({"training_seeds": 3}, ["training_seeds = 3", "a list, such as [3]"]),
        ({"results": "a{b}"}, ["results", "'a{b}'", "wildcard"]),
        ({"index": {"unbc": {"root": "~nobody-here/x"}}}, ["index.unbc.root", "~nobody-here/x"]),
        ({"index": {"manifest": {"label_low": 5, "label_high": 5}}}, ["label_low", "label_high"]),
        (["crop"], ["list", "expected keys"]),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(settings, words):
    with pytest.raises(SettingsError) as caught:
        validate(settings)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_several_wrong_settings_are_told_at_once():
    with pytest.raises(SettingsError, match=r"crop\.size.*train\.epochs"):
        validate({"crop": {"size": 1}, "train": {"epochs": 0}})


def test_load_reads_yaml_and_json_alike(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("\ufeffcrop:\n  size: 256\n", encoding="utf-8")
    assert load(path) == load(json.dumps({"crop": {"size": 256}}))
    assert load(path).crop.size == 256


def test_home_is_expanded_in_every_path(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    config = validate(
        {
            "results": "~/r",
            "index": {"further_roots": ["~/a"], "manifest": {"file": "~/t.csv"}},
            "quality": {"identity_model": "~/m"},
        }
    )
    assert config.results.as_posix() == "/home/me/r"
    assert config.index.further_roots[0].as_posix() == "/home/me/a"
    assert config.index.manifest.file.as_posix() == "/home/me/t.csv"
    assert config.quality.identity_model == "/home/me/m"


def test_a_file_is_laid_over_the_config_file_here_as_the_workflow_does(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = tmp_path / "study.yaml"
    study.write_text("experiments: {mine: {}, no-generation: null}\ncrop: {margin: 0.5}\n")
    assert list(load(study).experiments) == ["full", "mine"]
    (tmp_path / "config.yaml").write_text(
        "experiments: {a: {}, no-generation: {}}\ncrop: {size: 64}\n"
    )
    assert list(load(study).experiments) == ["a", "mine"]
    assert (load(study).crop.size, load(study).crop.margin) == (64, 0.5)
    assert list(load("config.yaml").experiments) == ["a", "no-generation"]


def test_an_experiment_that_is_not_there_cannot_be_removed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base, study, more = (tmp_path / f"{name}.yaml" for name in ("base", "study", "more"))
    base.write_text("experiments: {full: {}, no-generation: {}}")
    study.write_text("experiments: {no-genration: null}")
    more.write_text("experiments: {no-genration: {}}")
    with pytest.raises(SettingsError, match=r"study\.yaml.*did you mean 'no-generation'"):
        load(study)
    with pytest.raises(SettingsError, match=r"experiments\.no-genration: null removes"):
        check_files([base, study])
    check_files([base, more, study])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("crop: [", "not YAML"),
        ("crop", "expected keys and values"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path, text, words):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=words) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"none\.yaml: no such file"):
        load(tmp_path / "none.yaml")


def test_an_experiment_overrides_only_its_keys():
    config = validate({"experiments": {"short": {"train": {"epochs": 2}}, "full": {}}})
    short = config.for_experiment("short")
    assert short.train.epochs == 2
    assert short.train.model_dump() | {"epochs": 0} == config.train.model_dump() | {"epochs": 0}
    assert config.for_experiment("full") == config
    with pytest.raises(SettingsError, match="no experiment 'other'"):
        config.for_experiment("other")


def test_an_override_in_a_nested_block_leaves_the_keys_beside_it():
    given = {"train": {"network": {"width": 32}, "epochs": 3}}
    gated = {"train": {"network": {"fusion": "gated", "scales": [16]}}}
    train = validate(given | {"experiments": {"gated": gated}}).for_experiment("gated").train
    plain = validate(given).train
    assert (train.network.fusion, train.network.scales, train.network.width) == ("gated", (16,), 32)
    assert train.model_copy(update={"network": plain.network}) == plain
    changed = {"fusion": plain.network.fusion, "scales": plain.network.scales}
    assert train.network.model_copy(update=changed) == plain.network


def test_a_file_that_names_one_key_of_the_network_has_the_demos_size_otherwise():
    listed = yaml.safe_load((ROOT / "config.yaml").read_text())["train"]["network"]
    found = validate({"train": {"network": {"depth": 4}}}).train.network
    assert found.model_dump(mode="json") == listed | {"depth": 4}


def test_training_knows_the_kinds_that_tables_hold():
    assert validate({}).train.taken() == KINDS
    assert validate({"train": {"kinds": ["level"]}}).train.taken() == ("level",)
    assert validate({"train": {"synthetic": False}}).train.taken() == ()


def test_null_takes_an_experiment_away():
    assert list(validate({"experiments": {"a": {}, "full": None}}).experiments) == ["a"]
