"""What is wrong with copies of the archive, and what somebody might put into one on purpose.

Each oddity is planted in files of one frame and says, in the frame itself, what the index must
then hold: written from the documented behaviour, not by the code that is measured.
"""

import io
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.archive.plan import Frame, Still
from benchmarks.archive.tree import Tree, encoded, facs_text


@dataclass(frozen=True)
class Oddity:
    """A name, how it is planted, and how often in the whole archive (a tenth in the small one)."""

    name: str
    plant: Callable[[Tree, Frame], None]
    count: int


def _replaced(file: Path, content: bytes | str) -> None:
    """Write a file that takes another's place; hard links to the other stay as they are."""
    file.unlink(missing_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)


def _unlabelled(frame: Frame, note: str | None) -> None:
    """Say that a frame has no usable label."""
    frame.status = frame.cropped = "bad_label"
    if note:
        frame.notes.append(note)


# ---- labels ----


def _no_label_file(tree: Tree, frame: Frame) -> None:
    tree.pspi(frame).unlink()
    frame.label = None
    _unlabelled(frame, "no_label_file")


def _bad_label_file(content: str) -> Callable[[Tree, Frame], None]:
    def plant(tree: Tree, frame: Frame) -> None:
        _replaced(tree.pspi(frame), content)
        frame.label = None
        _unlabelled(frame, "bad_label_file")

    return plant


def _label_17(tree: Tree, frame: Frame) -> None:
    _replaced(tree.pspi(frame), "   1.7000000e+01\n")
    frame.label = 17.0
    _unlabelled(frame, None)
    frame.notes.append("pspi_differs")


def _pspi_differs(tree: Tree, frame: Frame) -> None:
    frame.label = (frame.label or 0) + 0.5
    _replaced(tree.pspi(frame), f"   {frame.label:.7e}\n")
    frame.notes.append("pspi_differs")


# ---- action units and landmarks ----


def _no_facs_file(tree: Tree, frame: Frame) -> None:
    tree.facs(frame).unlink()
    frame.units = {}
    frame.notes = ["no_facs_file"]


def _bad_facs_row(tree: Tree, frame: Frame) -> None:
    with tree.facs(frame).open("a") as file:
        file.write("   2.0000000e+01   nine   0   0\n")
    del frame.units["au20"]
    frame.notes = [*(n for n in frame.notes if n != "facs_empty"), "bad_facs"]


def _other_action_unit(tree: Tree, frame: Frame) -> None:
    with tree.facs(frame).open("a") as file:
        file.write("   1.7000000e+01   2.0000000e+00   0   0\n")
    frame.notes = [*(n for n in frame.notes if n != "facs_empty"), "other_action_unit"]


def _au43_with_intensity(tree: Tree, frame: Frame) -> None:
    """A closed eye with an intensity, on a frame whose label counts it: no oddity, no note."""
    _replaced(tree.facs(frame), facs_text(frame.units | {"au43": 0.0}) + " 43 1 0 0\n")
    frame.label = (frame.label or 0) + 1 - frame.units["au43"]
    frame.units["au43"] = 1.0
    frame.notes = []
    _replaced(tree.pspi(frame), f"   {frame.label:.7e}\n")


def _no_aam_file(tree: Tree, frame: Frame) -> None:
    tree.aam(frame).unlink()
    frame.notes.append("no_aam_file")


def _bad_aam(tree: Tree, frame: Frame) -> None:
    lines = tree.aam(frame).read_text().splitlines(keepends=True)
    _replaced(tree.aam(frame), "".join(lines[:40]))
    frame.notes.append("bad_aam")


# ---- pictures that can be read ----


def _converted(suffix: str, note: str, **options: object) -> Callable[[Tree, Frame], None]:
    """Return a planter of the same picture in another form; its name's suffix stays `.png`."""

    def plant(tree: Tree, frame: Frame) -> None:
        file = tree.picture(frame)
        with Image.open(file) as image:
            _replaced(file, _as(image, suffix, note, options))
        frame.notes.append(note)

    return plant


def _as(image: Image.Image, kind: str, note: str, options: dict[str, object]) -> bytes:
    if note == "sixteen_bit":
        return encoded(np.asarray(image).astype(np.uint16) * 257, ".png")
    modes = {"grey": "L", "palette": "P", "transparent": "RGBA", "cmyk": "CMYK"}
    changed = image.convert(modes.get(note, "RGB"))
    if note == "exif_rotated":
        exif = Image.Exif()
        exif[0x0112] = 6  # "turn by 90 degrees clockwise to see it"
        changed, options = changed.transpose(Image.Transpose.ROTATE_90), options | {"exif": exif}
    if note == "animated":
        options = options | {"save_all": True, "append_images": [image.rotate(180)]}
    file = io.BytesIO()
    changed.save(file, kind, **options)
    return file.getvalue()


# ---- pictures that cannot ----


def _content(make: bytes | Callable[[bytes], bytes], at_index: bool) -> Callable:
    """Return a planter of another content; `at_index`: the header alone gives it away."""

    def plant(tree: Tree, frame: Frame) -> None:
        file = tree.picture(frame)
        _replaced(file, make(file.read_bytes()) if callable(make) else make)
        frame.cropped = "unreadable"
        frame.status = "unreadable" if at_index else "ok"

    return plant


def _placed(make: Callable[[Path, Tree], None], status: str) -> Callable[[Tree, Frame], None]:
    """Return a planter of something that is no plain file."""

    def plant(tree: Tree, frame: Frame) -> None:
        file = tree.picture(frame)
        file.unlink()
        make(file, tree)
        frame.status = frame.cropped = status

    return plant


def _loop(file: Path, tree: Tree) -> None:
    file.symlink_to(file.name)


def _link_out(file: Path, tree: Tree) -> None:
    file.symlink_to(tree.root.parent / "outside" / "secret.png")


def _pipe(file: Path, tree: Tree) -> None:
    os.mkfifo(file)


def _device(file: Path, tree: Tree) -> None:
    file.symlink_to("/dev/zero")


def _label_without_frame(tree: Tree, frame: Frame) -> None:
    tree.picture(frame).unlink()
    frame.status = frame.cropped = "missing_file"
    frame.notes.append("label_without_frame")


def _other_capitals(tree: Tree, frame: Frame) -> None:
    """Spell a picture's name in capitals; its frame is then called so."""
    file = tree.picture(frame)
    file.rename(file.with_name(f"{frame.name.upper()}.PNG"))
    frame.name = frame.name.upper()


def _chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")


def _png(width: int, height: int, data: bytes) -> bytes:
    """Return a PNG that claims a size, with any data."""
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"
    body = _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(data)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


ODDITIES = (
    Oddity("frame without a label file", _no_label_file, 41),
    Oddity("label file without a frame", _label_without_frame, 37),
    Oddity("empty label file", _bad_label_file(""), 13),
    Oddity("label NaN", _bad_label_file("   NaN\n"), 11),
    Oddity("label in words", _bad_label_file("three\n"), 7),
    Oddity("label 17", _label_17, 17),
    Oddity("PSPI disagrees with FACS", _pspi_differs, 53),
    Oddity("frame without a FACS file", _no_facs_file, 43),
    Oddity("FACS row that is not a number", _bad_facs_row, 19),
    Oddity("action unit beyond the ten", _other_action_unit, 29),
    Oddity("AU43 with an intensity", _au43_with_intensity, 23),
    Oddity("frame without AAM landmarks", _no_aam_file, 31),
    Oddity("AAM file cut short", _bad_aam, 14),
    Oddity("grey picture", _converted("PNG", "grey"), 12),
    Oddity("16-bit picture", _converted("PNG", "sixteen_bit"), 16),
    Oddity("palette picture", _converted("GIF", "palette"), 10),
    Oddity("transparent picture", _converted("PNG", "transparent"), 9),
    Oddity("CMYK picture", _converted("JPEG", "cmyk"), 8),
    Oddity("EXIF-turned picture", _converted("JPEG", "exif_rotated", quality=95), 15),
    Oddity("animated picture", _converted("PNG", "animated"), 6),
    Oddity("picture named in capitals", _other_capitals, 22),
    Oddity("text named .png", _content(b"hello, I am no picture\n" * 9, True), 18),
    Oddity("empty picture", _content(b"", True), 20),
    Oddity("truncated picture", _content(lambda data: data[: len(data) // 2], False), 24),
    Oddity("zip bomb", _content(_png(40_000, 40_000, bytes(2**20)), True), 3),
    Oddity("100,000 x 1 picture", _content(_png(100_000, 1, bytes(300_001)), True), 4),
    Oddity("loop of links", _placed(_loop, "unreadable"), 5),
    Oddity("link out of the root", _placed(_link_out, "outside_root"), 26),
    Oddity("named pipe", _placed(_pipe, "unreadable"), 2),
    Oddity("device", _placed(_device, "outside_root"), 1),
)


@dataclass
class Planted:
    """What was planted: each oddity with its number, rows beyond the frames, and remarks."""

    counts: dict[str, int]
    rows: list[Frame]
    remarks: dict[str, int]


def plant(tree: Tree, frames: list[Frame], whole: bool) -> Planted:
    """Plant each oddity in frames of its own, then what belongs to folders and sequences."""
    random = np.random.default_rng(22)
    _note_what_is_sound(frames)
    # Nothing else befalls the first frames of sequences, which turn black below.
    calm = [frame for frame in frames if not frame.name.endswith(("001", "002", "003"))]
    chosen = (calm[at] for at in random.permutation(len(calm)))
    counts = {}
    for number, oddity in enumerate(ODDITIES):
        counts[oddity.name] = oddity.count if whole else 1 + number % 3
        for _ in range(counts[oddity.name]):
            oddity.plant(tree, next(chosen))
    remarks = {
        "picture spelled in other capitals than its label files": counts[
            "picture named in capitals"
        ],
        "folder nested in one of its own name; both were read": 4,
    }
    plain = [frame for frame in chosen if frame.subject not in tree.nested]
    copies = [_second_picture(tree, plain.pop()) for _ in range(8 if whole else 2)]
    counts["second picture of a frame"] = len(copies)
    counts["second label file of a frame"] = labels = 6 if whole else 3
    for _ in range(labels):
        _second_label(tree, plain.pop())
    remarks["second label file of one kind for a frame; the first counts"] = labels
    counts |= _black_start(tree, frames)
    rows = copies + _sequence_without_pictures(tree, frames[0].subject)
    remarks |= _folders(tree, frames, 5 if whole else 2)
    _secret(tree)
    return Planted(counts, frames + rows, remarks)


def _note_what_is_sound(frames: list[Frame]) -> None:
    """Note what sound frames of the archive have: empty FACS files, AU43 without intensity."""
    for frame in frames:
        if not any(frame.units.values()):
            frame.notes.append("facs_empty")
        elif frame.units["au43"]:
            frame.notes.append("au43_without_intensity")


def _second_picture(tree: Tree, frame: Frame) -> Frame:
    """Put a JPEG beside a frame's PNG; return the row that the index has for the PNG.

    The JPEG comes first in the order of names.
    """
    with Image.open(tree.picture(frame)) as image:
        image.save(tree.picture(frame, ".jpg"))
    return replace(frame, copy=2, status="duplicate", cropped="duplicate", notes=[*frame.notes])


def _second_label(tree: Tree, frame: Frame) -> None:
    """Put another number where copies of the archive nest the folder of labels."""
    other = tree.root / "Frame_Labels" / tree.pspi(frame).relative_to(tree.root)
    other.parent.mkdir(parents=True, exist_ok=True)
    other.write_text("   1.5000000e+01\n")


def _black_start(tree: Tree, frames: list[Frame]) -> dict[str, int]:
    """Turn the first frames of a sequence of the second person black."""
    second = list(dict.fromkeys(frame.subject for frame in frames))[1]
    first = [frame for frame in frames if frame.subject == second][:3]
    for frame in first:
        _replaced(tree.picture(frame), encoded(np.zeros((240, 320, 3), np.uint8), ".png"))
        frame.cropped = "black"
    return {"black frame at a sequence's start": len(first)}


def _sequence_without_pictures(tree: Tree, subject: str) -> list[Frame]:
    """Write labels of a sequence that has no pictures, nor anything else."""
    rows = []
    for number in range(1, 5):
        sequence = f"{subject[4:]}t2aiaff"
        name = f"{sequence}{number:03d}"
        frame = Frame(subject, sequence, name, Still(0, 0, 0), 2.0, {}, {})
        frame.status = frame.cropped = "missing_file"
        frame.notes = ["label_without_frame", "no_facs_file", "no_aam_file"]
        file = tree.pspi(frame)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("   2.0000000e+00\n")
        rows.append(frame)
    return rows


def _folders(tree: Tree, frames: list[Frame], count: int) -> dict[str, int]:
    """Spoil sequence labels, spell a folder in capitals, add what is no frame; return remarks."""
    sequences = list(dict.fromkeys((frame.subject, frame.sequence) for frame in frames))
    for place, (subject, sequence) in enumerate(sequences):
        lost = "vas" if place < count else "opr" if place < 2 * count - 1 else ""
        if not lost:
            continue
        file = tree.score(subject, sequence, lost)
        file.unlink() if lost == "vas" else file.write_text("   9.9000000e+01\n")
        for frame in frames:
            if frame.sequence == sequence:
                frame.scores = {k: v for k, v in frame.scores.items() if k != lost}
    last = next(s for s, _ in reversed(sequences) if s not in tree.nested)
    labels = tree.root / "Frame_Labels" / "PSPI" / last
    labels.rename(labels.with_name(last.upper()))
    pictures = tree.picture(frames[0]).parent
    for name in ("Thumbs.db", ".DS_Store", "._x.png", "notes.txt"):
        (pictures / name).write_bytes(b"no frame")
    (pictures / "loop").symlink_to(pictures.parent)
    (tree.root / "Images" / "Images" / "Images").symlink_to(tree.root / "Images")
    return {
        "sequence without any picture": 1,
        **{f"sequence without a {name} label": 1 for name in ("AFF", "OPR", "SEN")},
        "sequence without a VAS label": 1 + count,
        "OPR label that is not a number from 0 to 5": count - 1,
        "folder of labels spelled in other capitals than the pictures'": 1,
    }


def _secret(tree: Tree) -> None:
    """Write the picture outside the root that links lead to."""
    outside = tree.root.parent / "outside"
    outside.mkdir()
    secret = np.full((240, 320, 3), 200, np.uint8)
    (outside / "secret.png").write_bytes(encoded(secret, ".png"))
