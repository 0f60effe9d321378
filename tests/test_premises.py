"""What the settings alone decide is said before the first job."""

from contextlib import nullcontext

import pytest

from aacsfnet.config import validate
from aacsfnet.errors import SettingsError
from aacsfnet.premises import check, premises, warnings

NO_PICTURES = {"keep": {"variants": 0}, "level": {"pictures": 0}}


def test_the_defaults_hold():
    check(validate({}))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"train": {"network": {"backbone": "resnet18"}}}, "made for backbone = test_resnet"),
        (
            {"train": {"network": {"backbone": "resnet18"}, "pretrained": "bundled"}},
            "weights of test_resnet only",
        ),
        ({"train": {"model": "published"}}, "not of the published one; give 'bundled'"),
        ({"train": {"network": {"backbone": "resnet_50"}, "pretrained": None}}, "resnet_50"),
        ({"train": {"network": {"feature_stride": 7}}}, "feature_stride = 7"),
        ({"train": {"network": {"scales": [24, 12]}}}, "24"),
        ({"train": {"pretrained": "w.bin"}}, "no such file"),
        ({"generate": {"model": "owner/name"}}, "generate.model = 'owner/name': no such folder"),
        ({"generate": {"lora": "l.safetensors"}}, "no such file or folder"),
        ({"quality": {"identity_model": "faces"}}, "quality.identity_model"),
        ({"quality": {"witness": "mine"}}, "quality.witness"),
        ({"depth": {"method": "model", "model": "midas"}}, "depth.model"),
        ({"generate": {"safety_checker": "checker"}}, "generate.safety_checker"),
    ],
)
@pytest.mark.parametrize("experiment", [False, True])
def test_what_a_job_would_find_wrong_is_found_before(
    tmp_path, monkeypatch, settings, words, experiment
):
    monkeypatch.chdir(tmp_path)
    if experiment:
        settings = {"experiments": {"full": {}, "other": settings}}
    with pytest.raises(SettingsError) as error:
        check(validate(settings))
    assert words in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_relative_path_is_shown_as_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=str(tmp_path / "models" / "face")):
        check(validate({"quality": {"identity_model": "models/face"}}))


@pytest.mark.parametrize(
    "network", [{"backbone": "resnet18", "branches": ["spatial"]}, {"backbone": "resnet18"}]
)
def test_weights_that_nothing_takes_are_not_asked_for(network):
    settings = {"network": network}
    if "branches" not in network:
        settings |= {"pretrained": None}
    found = list(premises(validate({"train": settings})))
    assert all(premise.holds for premise in found)
    assert found[-1].key == "train"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "geometry_pretraining_steps is 0 in every experiment"),
        ({"train": {"geometry_pretraining_steps": 9}}, ""),
        ({"experiments": {"a": {}, "b": {"train": {"geometry_pretraining_steps": 9}}}}, ""),
        ({"dataset": "unbc", "train": {"geometry_pretraining_steps": 9}}, "dataset: manifest"),
    ],
)
def test_frames_without_a_label_are_not_asked_for_in_vain(settings, words):
    given = {"dataset": "manifest", "index": {"manifest": {"unlabelled": "pretrain"}}}
    config = validate(given | settings)
    (found,) = [each for each in premises(config) if each.key == "index.manifest.unlabelled"]
    assert found.holds == (not words)
    refused = pytest.raises(SettingsError, match=words) if words else nullcontext()
    with refused:
        check(config)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"dataset": "demo"}, 0),
        ({"dataset": "manifest"}, 1),
        ({"dataset": "unbc", "prompts": NO_PICTURES}, 0),
        ({"dataset": "unbc", "generate": {"model": "/models/sd"}}, 0),
    ],
)
def test_the_miniature_is_not_for_photographs(settings, told):
    found = list(warnings(validate(settings)))
    assert len(found) == told
    assert all("rendered faces" in premise.message for premise in found)
