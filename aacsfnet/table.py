"""The row contract: what each stage's table holds, and how tables are read and written.

A table is one Parquet file: one shard of one stage. Every frame of the index keeps a row in each
later table; `status` is "ok" or one of `STATUSES`, and `reason` says what happened in words.
Pictures are encoded bytes in the form `{"bytes", "path"}` that the `datasets` library reads as
`Image`; DuckDB, Polars and pandas read the files as they are.
"""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from aacsfnet.errors import DataError, WorkError

#: What can befall a frame or picture. "ok" means: go on with it.
STATUSES = {
    "ok": "nothing wrong",
    "missing_file": "the index names a file that is not there",
    "outside_root": "the path leads outside the data's folder; nothing was opened",
    "duplicate": "the frame, or its picture, is already in an earlier row",
    "bad_subject": "the subject is missing",
    "unreadable": "the file is no picture, is truncated or is too large",
    "black": "the picture is black",
    "bad_label": "the label is missing or outside its range",
    "no_face": "no face was found",
    "several_faces": "several faces were found and crop.people is refuse",
    "small_face": "the face is smaller than crop.min_face",
    "no_landmarks": "the face mesh was not found on the crop",
    "not_selected": "the plan makes no picture from this frame",
    "failed": "generation gave no usable picture",
    "rejected": "the gate refused the picture",
}

PICTURE = pl.Struct({"bytes": pl.Binary, "path": pl.String})
POINTS = pl.Array(pl.Float32, (478, 3))
ACTION_UNITS = ("au4", "au6", "au7", "au9", "au10", "au12", "au20", "au25", "au26", "au43")

#: Measures of `aacsfnet.faces.geometry` that the action units of PSPI move.
PAIN_MEASURES = (
    "brow_height",
    "brow_distance",
    "lid_opening",
    "lower_lid_height",
    "cheek_raise",
    "nose_wrinkle",
    "upper_lip_raise",
)

Columns = dict[str, Any]  # name -> Polars type

_FRAME: Columns = {
    "frame_id": pl.String,  # <subject>/<sequence>/<frame>
    "subject": pl.String,
    "sequence": pl.String,
    "label": pl.Float64,
    "status": pl.String,
    "reason": pl.String,  # empty when status is "ok"
}
_IMAGE: Columns = {"image_id": pl.String} | _FRAME  # image_id: <frame_id>#<variant>

#: Columns of each stage's table, in order.
SCHEMAS: dict[str, Columns] = {
    "index": _FRAME
    | {
        "shard": pl.String,
        "position": pl.Int32,  # of the frame in its sequence, from 0
        "path": pl.String,  # how the data set finds the frame again
        "sex": pl.String,  # "", "f" or "m"
        "age_group": pl.String,  # "", or words
        "split": pl.String,  # "", or the user's own word: train, test, ...
        "notes": pl.List(pl.String),  # oddities evened out: a name of datasets.NOTES[: words]
        "aff": pl.Float32,  # of the sequence, as the patient told: affect, 0-15; null: unknown
        "opr": pl.Float32,  # an observer's rating, 0-5
        "sen": pl.Float32,  # sensation, 0-15
        "vas": pl.Float32,  # visual analogue scale, 0-10
    }
    | dict.fromkeys(ACTION_UNITS, pl.Float32),  # null where unknown
    "crop": _FRAME
    | {
        "image": PICTURE,  # RGB, crop.size a side, PNG
        "to_frame": pl.Array(pl.Float64, 6),  # rows of the 2x3 matrix: crop pixels -> frame pixels
        "frame_size": pl.Array(pl.Int32, 2),  # width, height
        "faces": pl.Int32,  # how many were found
        "confidence": pl.Float32,  # the detector's score; null where the face was followed
        "presence": pl.Float32,  # the mesh's score
        "mesh_px": POINTS,  # the mesh that placed the crop, as landmarks_px
        "inside": pl.Float32,  # share of the crop that lies inside the frame
    },
    "landmarks": _FRAME
    | {
        "landmarks_px": POINTS,  # x, y in crop pixels (pixel centres at .0), z on x's scale
        "presence": pl.Float32,  # the mesh's score
        "pose": pl.Array(pl.Float32, 3),  # yaw, pitch, roll in the crop, degrees; see faces.pose
        "frame_roll": pl.Float32,  # the head's roll in the frame, degrees
        "measures": pl.Struct({}),  # facial measures by name, eye distances; see MEASURES
        "changes": pl.Struct({}),  # the same against the person's median over the shard
    },
    "depth": _FRAME | {"image": PICTURE},  # 16-bit grey PNG, near = white
    "prompts": _IMAGE
    | {
        "variant": pl.Int32,
        "prompt": pl.String,
        "negative_prompt": pl.String,
        "left_out": pl.String,  # phrases that had no room, least important first; "; " between
        "left_out_tokens": pl.Int32,  # how many tokens they have
        "tokens": pl.Int32,  # of the prompt, with start and end token
        "points": pl.Int32,  # of 68 landmarks in the prompt; null but in the published style
        "seed": pl.Int64,
    },
    "generate": _IMAGE
    | {
        "source_frame_id": pl.String,
        "variant": pl.Int32,
        "image": PICTURE,
        "seed": pl.Int64,
        "recipe": pl.String,  # JSON: model, checksums, parameters, device, versions
        "safety_score": pl.Float32,  # above 0 the safety checker would blank it; null: not asked
    },
    "quality": _IMAGE
    | {
        "source_frame_id": pl.String,
        "faces": pl.Int32,  # found on the picture
        # Distances to the source's landmarks, means over the points, eye distances:
        "landmark_error": pl.Float32,
        "eyes_error": pl.Float32,
        "brows_error": pl.Float32,
        "mouth_error": pl.Float32,
        # Changes of the facial measures that pain moves, generated minus source, eye distances:
        **{f"{name}_change": pl.Float32 for name in PAIN_MEASURES},
        "measure_difference": pl.Float32,  # largest of these, without sign
        "possible_difference": pl.Float32,  # likewise, each with its error margin
        "worst_measure": pl.String,  # which one that is
        "pspi_change": pl.Float32,  # of the PSPI estimated from the measures; null: too few frames
        "pspi_difference": pl.Float32,  # the same without sign
        "pose_difference": pl.Float32,  # largest change of yaw, pitch and roll, degrees
        "identity": pl.Float32,  # cosine of the embeddings, -1 to 1; null without a model
        "sharpness": pl.Float32,  # variance of the Laplacian over the source's
        "brightness": pl.Float32,  # mean grey value, 0 to 1
        "contrast": pl.Float32,  # standard deviation of grey values, 0 to 1
        "source_difference": pl.Float32,  # mean absolute difference from the source, 0 to 1
        "variant_difference": pl.Float32,  # likewise, least from another variant of the frame
    },
    "merge": _IMAGE
    | {
        "source_frame_id": pl.String,  # null for a real picture, whose image_id is its frame_id
        "synthetic": pl.Boolean,
        "shard": pl.String,
        "row": pl.Int64,  # place in images.npy; null where status is not "ok"
        "digest": pl.String,  # BLAKE2b of the pixels in images.npy; null without any
        "kept": pl.Float32,  # middle of the crop that images.npy holds, share of its side
    },
}


def measures_type() -> pl.DataType:
    """Return the type of the landmarks table's `measures` column."""
    from aacsfnet.faces.geometry import MEASURES

    return pl.Struct(dict.fromkeys(MEASURES, pl.Float32))


def schema_of(stage: str) -> Columns:
    """Return the columns of a stage's table with their types."""
    schema = dict(SCHEMAS[stage])
    if stage == "landmarks":
        schema["measures"] = schema["changes"] = measures_type()
    return schema


def frame(stage: str, rows: list[dict[str, object]]) -> pl.DataFrame:
    """Return rows as a table of a stage; keys that a row lacks become null.

    Raises:
        WorkError: a row has a key that the stage's table does not hold.
    """
    schema = schema_of(stage)
    unknown = {key for row in rows for key in row} - set(schema)
    if unknown:
        raise WorkError(f"{stage} rows hold {sorted(unknown)}, which its table has no column for")
    columns = {
        name: _column([row.get(name) for row in rows], kind) for name, kind in schema.items()
    }
    return pl.DataFrame(columns, schema=schema, strict=True)


def _column(values: list[Any], kind: pl.DataType | type[pl.DataType]) -> list[Any] | pl.Series:
    """Return a column's values; arrays, which Polars takes one number at a time, as one block."""
    if not isinstance(kind, pl.Array) or not any(isinstance(v, np.ndarray) for v in values):
        return values
    present = np.array([value is not None for value in values])
    first = next(value for value in values if value is not None)
    block = np.zeros((len(values), *kind.shape), np.asarray(first).dtype)
    for at in np.flatnonzero(present):
        block[at] = values[at]
    column = pl.Series(block, dtype=kind)
    return pl.select(pl.when(pl.Series(present)).then(column)).to_series()


def carry(row: dict[str, object], stage: str) -> dict[str, object]:
    """Return the columns of `row` that a stage's table also has, among a frame's or image's keys.

    Used to let a row survive: what was not "ok" upstream keeps its status and reason.
    """
    return {name: row[name] for name in _IMAGE if name in SCHEMAS[stage] and name in row}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed onto it when the block ends well.

    A reader never sees half a file; after an error or a kill the old file still stands.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write(path: Path, table: pl.DataFrame, stage: str, notes: dict[str, Any] | None = None) -> None:
    """Write a stage's table atomically.

    Args:
        path: of the file.
        table: rows with the stage's columns.
        stage: its name.
        notes: what holds for the whole table; `notes` reads it again from the file's metadata.

    Raises:
        WorkError: columns or types differ from the stage's schema, or a status is unknown.
    """
    schema = schema_of(stage)
    expected = pl.DataFrame(schema=schema).schema
    if table.schema != expected:
        wrong = {
            name: (table.schema.get(name), expected.get(name))
            for name in expected.keys() | table.schema.keys()
            if table.schema.get(name) != expected.get(name)
        }
        difference = wrong or "the order of columns"
        raise WorkError(f"{stage} table differs from its schema (got, expected): {difference}")
    unknown = set(table["status"].unique()) - set(STATUSES)
    if unknown:
        raise WorkError(f"{stage} table holds unknown statuses {sorted(map(str, unknown))}")
    arrow = table.to_arrow()
    pictures = {name: {"_type": "Image"} for name, kind in expected.items() if kind == PICTURE}
    metadata = {"aacsfnet": json.dumps({"stage": stage} | (notes or {}))}
    if pictures:
        metadata["huggingface"] = json.dumps({"info": {"features": _features(arrow, pictures)}})
    with replacing(path) as temporary:
        plain = _with_plain_lists(arrow).replace_schema_metadata(metadata)
        # A dictionary of pictures or points would only cost time and space.
        repeating = [name for name, kind in expected.items() if kind == pl.String]
        pq.write_table(plain, temporary, compression="zstd", use_dictionary=repeating)


def _with_plain_lists(arrow: Any) -> Any:
    """Return an Arrow table whose columns of fixed-length lists are columns of plain lists.

    Parquet knows no lists of fixed length: Arrow cannot write, or read back, those with nulls.
    """
    import pyarrow as pa

    for at, field in enumerate(arrow.schema):
        if not pa.types.is_fixed_size_list(field.type):
            continue
        column = arrow.column(at).combine_chunks()
        present = column.is_valid().to_numpy(zero_copy_only=False)
        offsets = np.concatenate([[0], np.cumsum(present * field.type.list_size)]).astype(np.int32)
        lists = pa.ListArray.from_arrays(
            pa.array(offsets), column.drop_null().flatten(), mask=pa.array(~present)
        )
        arrow = arrow.set_column(at, field.name, lists)
    return arrow


def _features(arrow: Any, pictures: dict[str, dict[str, str]]) -> dict[str, object]:
    """Return the Hugging Face feature description of a table that holds pictures."""
    names: dict[str, object] = {}
    for field in arrow.schema:
        names[field.name] = pictures.get(field.name) or _feature(field.type)
    return names


def _feature(kind: Any) -> object:
    import pyarrow as pa

    if pa.types.is_fixed_size_list(kind):
        return {"_type": "Sequence", "feature": _feature(kind.value_type), "length": kind.list_size}
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    names = {"double": "float64", "float": "float32"}
    return {"_type": "Value", "dtype": names.get(str(kind), str(kind))}


def read(path: str | Path, columns: list[str] | None = None) -> pl.DataFrame:
    """Return a table that a stage wrote.

    Raises:
        DataError: there is no such file, or it is no Parquet file.
    """
    try:
        stored = pl.read_parquet(path, columns=columns)
    except FileNotFoundError:
        raise DataError(f"{path}: no such table; run the stage that writes it first") from None
    except pl.exceptions.ComputeError as error:
        raise DataError(f"{path}: not a Parquet table ({error}); delete it and run again") from None
    arrays = {
        name: kind
        for schema in SCHEMAS.values()
        for name, kind in schema.items()
        if isinstance(kind, pl.Array) and isinstance(stored.schema.get(name), pl.List)
    }
    return stored.cast(arrays)  # type: ignore[arg-type]


def notes(path: str | Path) -> dict[str, Any]:
    """Return what a table's file notes of the whole table, `stage` among it.

    Raises:
        DataError: there is no such file, or no stage wrote it.
    """
    import pyarrow as pa

    try:
        metadata = pq.read_metadata(path).metadata or {}
    except (FileNotFoundError, pa.ArrowInvalid):
        metadata = {}
    if b"aacsfnet" not in metadata:
        raise DataError(f"{path}: no table that a stage wrote; run the stage again")
    found: dict[str, Any] = json.loads(metadata[b"aacsfnet"])
    return found


def encode_png(picture: np.ndarray, name: str) -> dict[str, object]:
    """Return a picture as a `PICTURE` value, losslessly.

    Args:
        picture: `(H, W, 3)` uint8 RGB, or `(H, W)` uint8 or uint16.
        name: file name that the picture would have, without folders.
    """
    import cv2

    pixels = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    # OpenCV's own settings take two thirds of the time of any that are named, for 10 % more bytes.
    done, encoded = cv2.imencode(".png", pixels)
    if not done:
        raise WorkError(f"cannot encode a picture of shape {picture.shape}, {picture.dtype}")
    return {"bytes": encoded.tobytes(), "path": name}


def decode_png(value: dict[str, object]) -> np.ndarray:
    """Return the picture in a `PICTURE` value: `(H, W, 3)` RGB, or `(H, W)` for grey ones."""
    import cv2

    encoded = np.frombuffer(value["bytes"], np.uint8)  # type: ignore[call-overload]
    pixels = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise DataError(f"picture {value.get('path')!r} in a table cannot be decoded")
    return pixels[..., ::-1] if pixels.ndim == 3 else pixels


def export_pictures(path: Path, folder: Path) -> int:
    """Unpack the pictures of a table into a folder and return how many there were.

    A picture's file is named by its id, made safe for a file name; its place in the table comes
    first, so that names stay apart.

    Raises:
        DataError: the table holds no pictures.
    """
    table = read(path)
    if "image" not in table.columns:
        raise DataError(f"{path}: no pictures here; expected a table of crop, depth or generate")
    folder.mkdir(parents=True, exist_ok=True)
    name = "image_id" if "image_id" in table.columns else "frame_id"
    written = 0
    for place, (identity, image) in enumerate(table.select(name, "image").iter_rows()):
        if image is None:
            continue
        suffix = Path(image["path"]).suffix
        with replacing(folder / f"{place:06d}-{safe_name(identity)}{suffix}") as temporary:
            temporary.write_bytes(image["bytes"])
        written += 1
    return written


def safe_name(text: str) -> str:
    """Return text as a file name can hold it.

    >>> safe_name("../s01/a 1#2")
    's01-a-1-2'
    """
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:100]
