"""The UNBC-McMaster Shoulder Pain Expression Archive, in any copy of its folders.

    Images/<subject>/<sequence>/<frame>.png
    Frame_Labels/PSPI/<subject>/<sequence>/<frame>_facs.txt
    Frame_Labels/FACS/<subject>/<sequence>/<frame>_facs.txt
    AAM_landmarks/<subject>/<sequence>/<frame>_aam.txt
    Sequence_Labels/{AFF,OPR,SEN,VAS}/<subject>/<sequence>.txt

Case, blanks and underscores in folder names do not matter, folders nested in one of their own
name are looked through, and a copy may lie up to two folders below the configured root. The label
is what the PSPI file says; PSPI recomputed from FACS is compared with it, never put in its place.

Source: Lucey et al. 2011, doi:10.1109/FG.2011.5771462.
"""

from collections import Counter
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import polars as pl

from aacsfnet.config import Index
from aacsfnet.datasets.base import (
    Dataset,
    Label,
    Told,
    check_label,
    frame_id,
    index_table,
    natural_key,
)
from aacsfnet.datasets.files import DataFolder
from aacsfnet.datasets.pictures import PictureReader
from aacsfnet.datasets.trees import Leaf
from aacsfnet.datasets.unbc_labels import parse_aam, parse_facs, parse_scalar
from aacsfnet.datasets.unbc_tree import SEQUENCE_LABELS, ArchiveTree, facs_frame
from aacsfnet.errors import SettingsError
from aacsfnet.facs import pspi_if_known
from aacsfnet.made import hash_of
from aacsfnet.tables import Fault

#: Label files hold a few numbers; anything larger is something else.
_LARGEST_LABEL_FILE = 65_536


class Unbc(Dataset):
    """Frames of the archive with PSPI, action units and the sequence's self-reports."""

    label = Label("pspi", 0.0, 16.0, "observed expression of pain (PSPI), not felt pain")

    def __init__(self, index: Index) -> None:
        if index.unbc.root is None:
            raise SettingsError("index.unbc.root: not given; name the folder that holds Images")
        self.folder = DataFolder(index.unbc.root, index.further_roots)
        self.reader = PictureReader(self.folder, index.max_megapixels)
        self.tree = ArchiveTree(self.folder)

    def subjects(self) -> dict[str, int]:
        """Return the number of frames of each subject: pictures, and labels without a picture."""
        found: Counter[str] = Counter()
        for leaf, labels in self.tree.sequences:
            extra = labels.files.keys() - leaf.files.keys()
            found[leaf.subject] += sum(map(len, leaf.files.values())) + len(extra)
        return {subject: frames for subject, frames in found.items() if frames}

    def told(self) -> dict[str, Told]:
        """Return hashes of the names of each subject's pictures and label files."""
        found: dict[str, list[object]] = {}
        for leaf, _ in self.tree.sequences:
            found.setdefault(leaf.subject, []).append([leaf.sequence, sorted(leaf.files.items())])
        files = self.label_files()
        # Which labels there are is known before they are read; what they say is in their bytes.
        hashes = {name: hash_of([parts, sorted(files[name])]) for name, parts in found.items()}
        return {name: Told(each, each, each) for name, each in hashes.items()}

    @cached_property
    def _label_files(self) -> dict[str, list[str]]:
        tree = self.tree
        names = {leaf.subject.lower(): leaf.subject for leaf, _ in tree.sequences}
        found: dict[str, list[str]] = {name: [] for name in names.values()}
        for part in (tree.pspi, tree.facs, tree.aam):
            for (subject, _), leaf in part.items():
                if subject in names:
                    found[names[subject]] += [file for each in leaf.files.values() for file in each]
        for (_, subject, _), file in tree.sequence_files.items():
            if subject in names:
                found[names[subject]].append(file)
        return found

    def label_files(self) -> dict[str, list[str]]:
        """Return each subject's files of labels, action units, landmarks and sequence labels."""
        return self._label_files

    def index(self) -> pl.DataFrame:
        """Return one row a frame, in order of subject, sequence and frame."""
        self._remarks: Counter[str] = Counter(dict(self.tree.remarks()))
        rows = []
        for leaf, labels in sorted(
            self.tree.sequences, key=lambda s: (s[0].subject, s[0].sequence)
        ):
            if not leaf.files:
                self._remarks["sequence without any picture"] += 1
            scores = self._sequence_labels(leaf)
            names = sorted(leaf.files.keys() | labels.files.keys(), key=natural_key)
            found = [row for name in names for row in self._rows_of(leaf, labels, name)]
            rows += [scores | row | {"position": place} for place, row in enumerate(found)]
        return index_table(rows)

    def picture(self, path: str) -> np.ndarray | Fault:
        """Return the picture in a file."""
        return self.reader.read(path)

    def aam_landmarks(self, rows: pl.DataFrame) -> np.ndarray:
        """Return the archive's own landmarks of index rows: `(N, 66, 2)`, NaN where unknown."""
        points = np.full((len(rows), 66, 2), np.nan)
        for i, names in enumerate(rows.select("subject", "sequence", "path").iter_rows()):
            subject, sequence, path = (name.lower() for name in names)
            leaf, frame = self.tree.aam.get((subject, sequence)), PurePosixPath(path).stem
            if leaf and frame in leaf.files:
                data = self.folder.read(leaf.files[frame][0], _LARGEST_LABEL_FILE)
                found = None if isinstance(data, Fault) else parse_aam(data)
                if found is not None:
                    points[i] = found
        return points

    def _rows_of(self, leaf: Leaf, labels: Leaf, name: str) -> list[dict[str, Any]]:
        """Return the row of a frame; several only if several pictures bear its name."""
        key = (leaf.subject.lower(), leaf.sequence.lower())
        row: dict[str, Any] = {"subject": leaf.subject, "sequence": leaf.sequence}
        value, wrong, notes = self._label_of(labels, name)
        units, found = self._units_of(key, name)
        notes += found + self._aam_notes(key, name)
        pspi = pspi_if_known(units)
        if pspi is not None and value is not None and abs(pspi - value) > 1e-6:
            notes.append(f"pspi_differs: {value:g} in the PSPI file, {pspi:g} from FACS")
        rows = []
        pictures = leaf.files.get(name, [""])
        for copy, path in enumerate(pictures, start=1):
            source = PurePosixPath(path or labels.files[name][0])
            frame = source.stem if path else facs_frame(source.name)
            fault, look = self._look(path, copy, pictures[0], labels, name)
            if fault is None and wrong:
                fault = Fault("bad_label", wrong)
            rows.append(
                row
                | units
                | {
                    "frame_id": frame_id(leaf.subject, leaf.sequence, frame)
                    + (f"~{copy}" if copy > 1 else ""),
                    "path": path,
                    "label": value,
                    **self.verdict(fault),
                    "notes": notes + look,
                }
            )
        return rows

    def _look(
        self, path: str, copy: int, first: str, labels: Leaf, name: str
    ) -> tuple[Fault | None, list[str]]:
        """Return what is wrong with a frame's picture, and notes on it."""
        if not path:
            label = labels.files[name][0]
            return Fault("missing_file", f"no picture for label {label}"), ["label_without_frame"]
        if copy > 1:
            return Fault("duplicate", f"the same frame as {first}"), []
        header = self.reader.inspect(path)
        if isinstance(header, Fault):
            return Fault(header.status, f"{path}: {header.reason}"), []
        return None, header.notes

    def _label_of(self, labels: Leaf, name: str) -> tuple[float | None, str, list[str]]:
        """Return PSPI, what is wrong with it, and notes."""
        if name not in labels.files:
            return None, "no PSPI file", ["no_label_file"]
        path = labels.files[name][0]
        data = self.folder.read(path, _LARGEST_LABEL_FILE)
        if isinstance(data, Fault):
            return None, data.reason, ["bad_label_file"]
        value, wrong = parse_scalar(data)
        if value is None:
            return None, f"{path} {wrong}", ["bad_label_file"]
        outside = check_label(value, self.label)
        return value, f"{path}: {outside}" if outside else "", []

    def _units_of(self, key: tuple[str, str], name: str) -> tuple[dict[str, float], list[str]]:
        if not self.tree.facs:
            return {}, []
        leaf = self.tree.facs.get(key)
        if leaf is None or name not in leaf.files:
            return {}, ["no_facs_file"]
        data = self.folder.read(leaf.files[name][0], _LARGEST_LABEL_FILE)
        return ({}, ["bad_facs"]) if isinstance(data, Fault) else parse_facs(data)

    def _aam_notes(self, key: tuple[str, str], name: str) -> list[str]:
        if not self.tree.aam:
            return []
        leaf = self.tree.aam.get(key)
        if leaf is None or name not in leaf.files:
            return ["no_aam_file"]
        data = self.folder.read(leaf.files[name][0], _LARGEST_LABEL_FILE)
        damaged = isinstance(data, Fault) or parse_aam(data) is None
        return ["bad_aam"] if damaged else []

    def _sequence_labels(self, leaf: Leaf) -> dict[str, float]:
        """Return a sequence's self-reports and observer rating, without those unknown."""
        found: dict[str, float] = {}
        if not self.tree.sequence_files:
            return found
        for name, highest in SEQUENCE_LABELS.items():
            path = self.tree.sequence_files.get((name, leaf.subject.lower(), leaf.sequence.lower()))
            if path is None:
                self._remarks[f"sequence without a {name.upper()} label"] += 1
                continue
            data = self.folder.read(path, _LARGEST_LABEL_FILE)
            value = None if isinstance(data, Fault) else parse_scalar(data)[0]
            if value is None or not 0 <= value <= highest:
                self._remarks[
                    f"{name.upper()} label that is not a number from 0 to {highest:g}"
                ] += 1
            else:
                found[name] = value
        return found
