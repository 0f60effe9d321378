import pytest

from aacsfnet.report.training_sections import _pretraining, _start


@pytest.mark.parametrize(
    ("starts", "says"),
    [
        ([], ""),
        ([None], "random weights"),
        (["bundled"], "The backbone was initialised with weights that the package carries"),
        (["bundled_network"], "Every part of the network but the head"),
        (["package"], "out of the package of-weights (MIT); all else with random weights"),
        (["bundled", "bundled_network"], "Experiments start from different weights"),
        (["weights.safetensors"], "in a file that the settings name"),
    ],
)
def test_the_report_says_what_the_start_knows(starts, says):
    origin = {"package": "of-weights", "licence": "MIT"}
    told = _start([{"training": {"pretrained": each}, "weights_from": origin} for each in starts])
    assert says in told
    assert bool(told) == bool(starts)


def test_the_report_says_what_was_learned_before_any_label():
    assert _pretraining([{}, {"pretraining": None}]) == ""
    told = _pretraining([{"pretraining": {"steps": 200}}, {}, {"pretraining": {"steps": 50}}])
    assert told.startswith("Before any label was used")
    assert "50 or 200 steps" in told
