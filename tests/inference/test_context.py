"""Networks that see pictures in context, in use."""

import pytest

from aacsfnet.errors import ModelFileError
from aacsfnet.inference.explain.explain import _check_alone
from aacsfnet.inference.onnx import export_onnx
from aacsfnet.layout import Trained

from .conftest import save

KINDS = ["person", "sequence"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_takes_single_pictures_is_refused(tmp_path, kind):
    folder = save(tmp_path / "model", context=kind)
    words = rf"sees pictures in context \({kind}\)"
    with pytest.raises(ModelFileError, match=words):
        export_onnx(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ModelFileError, match=words):
        _check_alone([Trained(folder)])
    _check_alone([Trained(save(tmp_path / "plain"))])
