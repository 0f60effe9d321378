"""The crop stage: the face of each frame found, levelled and cut out."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import polars as pl

from aacsfnet import tables
from aacsfnet.config import Config, Crop
from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.shards import files_of, noted_rows, sources_hash, sources_of
from aacsfnet.errors import DataError
from aacsfnet.faces.locate import FaceLocator, Located
from aacsfnet.faces.neighbours import Sighting, contradiction, sighting
from aacsfnet.faces.sequence import Cut, SequenceCropper
from aacsfnet.made import made_from
from aacsfnet.tables import Fault


def crop(config: Config, index: Path, shard: str, output: Path) -> None:
    """Write the crop table of one shard.

    Args:
        config: its blocks dataset, index and crop are read.
        index: the index table.
        shard: which shard of it.
        output: the table to write.

    Raises:
        DataError: there is no such shard, or a file was changed while it was read.
    """
    frames = tables.read(index, where=pl.col("shard") == shard)
    if frames.is_empty():
        _refuse_unknown(index, shard)
    rows = [tables.carry(row, "crop") for row in frames.iter_rows(named=True)]
    usable = frames.with_row_index("row").filter(pl.col("status").is_in(tables.LOOKED_AT))
    dataset = open_dataset(config)
    before = dataset.states(files_of(dataset, frames))
    _fill(rows, usable, dataset.pictures(usable.drop("row")), config.crop)
    statuses = pl.Series("status", [row["status"] for row in rows], pl.String)
    sources = sources_of(dataset, files_of(dataset, frames.with_columns(statuses)))
    for file, (size, modified, _) in sources.items():
        if before.get(file, (None, None)) != (size, modified):
            raise DataError(f"{file}: changed while it was read; start again")
    taken = noted_rows(index, "frames", shard)
    made = made_from(config, "crop", rows=taken, files=sources_hash(sources))
    notes = {"made_from": made, "sources": sources}
    tables.write(output, tables.frame("crop", rows), "crop", notes)


def _refuse_unknown(index: Path, shard: str) -> None:
    """Raise DataError unless a shard without frames was planned, as for a video of fewer frames."""
    if noted_rows(index, "frames", shard):
        return
    known = sorted(set(tables.read(index, ["shard"])["shard"]))
    shown = f"{known[0]} to {known[-1]}" if len(known) > 1 else "".join(known) or "none"
    raise DataError(
        f"{index}: no shard {shard!r}; it has {len(known)}: {shown} (column shard of the index)"
    )


#: In video mode the detectors look again at each frame whose position is a multiple of this, so
#: that a lost face or a newcomer is noticed within a second or two.
REDETECT = 25


def _fill(
    rows: list[dict[str, object]],
    usable: pl.DataFrame,
    pictures: Iterable[np.ndarray | Fault],
    settings: Crop,
) -> None:
    """Complete the rows of frames that have a picture; each picture is let go at once."""
    cropper = SequenceCropper(settings.size, settings.margin, settings.smoothing)
    faces: dict[int, Located] = {}  # of the frames that wait to be cut
    sightings: dict[int, Sighting] = {}  # of the sequence

    def keep(cuts: Iterable[Cut]) -> None:
        for cut in cuts:
            rows[cut.key] |= _described(cut, faces.pop(cut.key), str(rows[cut.key]["frame_id"]))

    def finish() -> None:
        keep(cropper.finish())
        _leave_out_contradicted(rows, sightings)
        sightings.clear()

    places = usable.select("row", "subject", "sequence", "position").iter_rows()
    sequence: list[str] = []
    last: Located | None = None
    with FaceLocator(settings) as locator:
        for (at, *this, position), picture in zip(places, pictures, strict=True):
            if this != sequence:
                finish()
                sequence, last = this, None
            if isinstance(picture, Fault):
                rows[at] |= {"status": picture.status, "reason": picture.reason}
                last = None
                continue
            rows[at]["frame_size"] = [picture.shape[1], picture.shape[0]]
            found: Located | Fault | None = None
            if last is not None and position % REDETECT:
                found = locator.follow(picture, last)
            if found is None:
                found = locator.locate(picture)
            if isinstance(found, Fault):
                rows[at] |= {"status": found.status, "reason": found.reason}
                last = None
                continue
            last = found if _may_follow(settings, found) else None
            rows[at] |= {"faces": found.faces, "confidence": found.confidence}
            faces[at], sightings[at] = found, sighting(position, found)
            keep(cropper.add(at, position, picture, found.placement))
        finish()


def _leave_out_contradicted(
    rows: list[dict[str, object]], sightings: Mapping[int, Sighting]
) -> None:
    """Take back the crops of a sequence's faces that its other frames contradict."""
    for at, one in sightings.items():
        others = (other for row, other in sightings.items() if row != at)
        if (fault := contradiction(one, others)) is not None:
            kept = {name: value for name, value in rows[at].items() if name not in _OF_CROP}
            rows[at] = kept | {"status": fault.status, "reason": fault.reason}


def _may_follow(settings: Crop, found: Located) -> bool:
    """Return whether the next frame may be spared the detectors."""
    return settings.mode == "video" and found.faces == 1 and settings.people != "refuse"


#: What only a row with a crop has.
_OF_CROP = ("image", "to_frame", "inside", "mesh_px")


def _described(cut: Cut, face: Located, frame_id: str) -> dict[str, object]:
    """Return what the table holds of a crop."""
    visible = {f"visible_{region}": share for region, share in face.visible.regions.items()}
    return visible | {
        "image": tables.encode_png(cut.picture, f"{frame_id}.png"),
        "to_frame": cut.to_frame.ravel().tolist(),
        "inside": cut.inside,
        "mesh_px": cut.in_crop(face.mesh.points),
        "presence": face.mesh.presence,
    }
