import pytest

from aacsfnet.report.result_sections import _start


@pytest.mark.parametrize(
    ("starts", "says"),
    [
        ([], ""),
        ([None], "random weights"),
        (["bundled"], "The backbone was initialised with weights that the package carries"),
        (["bundled_network"], "Every part of the network but the head"),
        (["package"], "with weights from ImageNet"),
        (["bundled", "bundled_network"], "Experiments start from different weights"),
        (["weights.safetensors"], "in a file that the settings name"),
    ],
)
def test_the_report_says_what_the_start_knows(starts, says):
    told = _start([{"training": {"pretrained": each}} for each in starts])
    assert says in told
    assert bool(told) == bool(starts)
