"""Arrays of NumPy (`.npz`) and MATLAB (`.mat`) as a table; nothing is unpickled."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from aacsfnet.datasets.sheet import Sheet
from aacsfnet.datasets.tabular import MOST_ROWS, check_names, too_many_rows
from aacsfnet.errors import DataError

#: What a file may unpack to.
_MOST_BYTES = 2**29

#: Numbers that stand alone in a file of arrays: one, or the two ends of an interval.
Loose = dict[str, tuple[float, ...]]
#: How long each array is, where they differ.
Lengths = dict[str, int]


def read_arrays(path: Path) -> tuple[Sheet, Loose, Lengths]:
    """Return a file's arrays of one length as a table, its loose numbers, and odd lengths.

    Raises:
        DataError: the file is no such file, holds pickled objects or MATLAB 7.3, or no array.
    """
    found = _npz(path) if path.suffix.lower() == ".npz" else _mat(path)
    columns: dict[str, np.ndarray] = {}
    loose: Loose = {}
    for name, value in found.items():
        array = np.squeeze(np.asarray(value))
        if array.ndim == 0 or (array.ndim == 1 and array.size == 2 and array.dtype.kind in "iuf"):
            if array.dtype.kind in "iufb":
                loose[name] = tuple(float(each) for each in np.atleast_1d(array))
        elif array.ndim == 1:
            columns[name] = array
        else:
            raise DataError(
                f"{path.name}: {name} has shape {np.asarray(value).shape}; expected arrays (n,),"
                " one value a frame: save each column by its own name"
            )
    if not columns:
        raise DataError(f"{path.name}: holds no array of one value a frame")
    lengths = {name: len(array) for name, array in columns.items()}
    longest = max(lengths.values())
    if longest > MOST_ROWS:
        raise too_many_rows(path)
    names = check_names(path, list(columns))
    texts = {
        name: [*_texts(array), *[""] * (longest - len(array))]
        for name, array in zip(names, columns.values(), strict=True)
    }
    odd = lengths if len(set(lengths.values())) > 1 else {}
    sheet = Sheet(path.name, texts, list(range(1, longest + 1)))
    return sheet, {name.lower(): value for name, value in loose.items()}, odd


def _texts(array: np.ndarray) -> list[str]:
    if array.dtype.kind == "f":
        return ["" if value != value else repr(value) for value in array.astype(float).tolist()]
    if array.dtype.kind == "S":
        return [value.decode("utf-8", "replace").strip() for value in array.tolist()]
    return [str(value).strip() for value in array.tolist()]


def _npz(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(each.file_size for each in packed.infolist())
        if size > _MOST_BYTES:
            raise DataError(f"{path.name}: unpacks to {size} bytes, expected at most {_MOST_BYTES}")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except ValueError as error:
        if "pickle" not in str(error):
            raise DataError(f"{path.name}: damaged: {error}") from None
        raise DataError(
            f"{path.name}: holds pickled objects, which can execute any code and are not loaded;"
            " save plain arrays: text as astype(str), numbers as astype(float)"
        ) from None
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise DataError(f"{path.name}: no NPZ file: {error}") from None


def _mat(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        found = loadmat(path, squeeze_me=True, chars_as_strings=True)
    except NotImplementedError:
        raise DataError(
            f"{path.name}: written by MATLAB 7.3; save it again with save(..., '-v7')"
        ) from None
    except (MatReadError, ValueError, TypeError, OSError, EOFError) as error:
        raise DataError(f"{path.name}: no MAT file: {error}") from None
    arrays: dict[str, Any] = {}
    for name, value in found.items():
        if name.startswith("__"):
            continue
        if getattr(value, "dtype", None) is not None and value.dtype.names:  # a struct
            arrays |= {field: value[field].item() for field in value.dtype.names if not value.ndim}
        else:
            arrays[name] = value
    return arrays
