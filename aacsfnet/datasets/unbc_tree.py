"""Where the parts of the UNBC-McMaster archive lie, in any copy of its folders."""

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import PurePosixPath

from aacsfnet.datasets.files import DataFolder, as_text
from aacsfnet.datasets.pictures import PICTURE_SUFFIXES
from aacsfnet.datasets.trees import Leaf, file_names, join, leaves, levels, same_folder, subfolders
from aacsfnet.errors import DataError

#: Sequence labels and the ends of their scales: affect and sensation as the patient told them
#: (McGill words, 0–15), pain as an observer saw it (0–5), the patient's visual analogue scale.
SEQUENCE_LABELS = {"aff": 15.0, "opr": 5.0, "sen": 15.0, "vas": 10.0}

Sequences = dict[tuple[str, str], Leaf]


class ArchiveTree:
    """The files of an archive by subject, sequence and frame; names are compared in small letters.

    Only names are read. Paths are relative to the data folder's root.
    """

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder

    @cached_property
    def images(self) -> Sequences:
        """Return the pictures."""
        return leaves(self._folder, self._part("Images"), _picture_frame)

    @cached_property
    def pspi(self) -> Sequences:
        """Return the files of labels."""
        return leaves(self._folder, self._part("Frame_Labels", "PSPI"), facs_frame)

    @cached_property
    def facs(self) -> Sequences:
        """Return the files of action units."""
        return leaves(self._folder, self._part("Frame_Labels", "FACS"), facs_frame)

    @cached_property
    def aam(self) -> Sequences:
        """Return the files of landmarks."""
        return leaves(self._folder, self._part("AAM_landmarks"), _aam_frame)

    @cached_property
    def sequence_files(self) -> dict[tuple[str, str, str], str]:
        """Return the files of sequence labels by label, subject and sequence."""
        found = {}
        for label in SEQUENCE_LABELS:
            for part in self._part("Sequence_Labels", label):
                for subject in subfolders(self._folder, part):
                    for name in file_names(self._folder, subject):
                        if name.lower().endswith(".txt"):
                            who = as_text(PurePosixPath(subject).name).lower()
                            found[label, who, as_text(name[:-4]).lower()] = join(subject, name)
        return found

    @cached_property
    def sequences(self) -> list[tuple[Leaf, Leaf]]:
        """Return pictures and PSPI files of each sequence that has any of the two.

        Raises:
            DataError: there is no picture or no PSPI file at all.
        """
        images, pspi, root = self.images, self.pspi, self._folder.root
        if not any(leaf.files for leaf in images.values()):
            raise DataError(f"{root}: no picture at Images/<subject>/<sequence>/")
        if not any(leaf.files for leaf in pspi.values()):
            raise DataError(
                f"{root}: no label at Frame_Labels/PSPI/<subject>/<sequence>/<frame>_facs.txt; "
                "without labels there is nothing to learn"
            )
        subjects = {key[0]: leaf.subject for key, leaf in reversed((pspi | images).items())}
        pairs = []
        for key in sorted(images.keys() | pspi.keys()):
            subject, sequence = subjects[key[0]], (images.get(key) or pspi[key]).sequence
            leaf = Leaf(subject, sequence, images[key].files if key in images else {})
            pairs.append((leaf, pspi.get(key) or Leaf(subject, sequence)))
        return pairs

    def remarks(self) -> Iterator[tuple[str, int]]:
        """Yield what is odd about this copy's folders, in words, and how often it was met."""
        parts = {"FACS": self.facs, "AAM_landmarks": self.aam}
        for name, files in (parts | {"Sequence_Labels": self.sequence_files}).items():
            if not files:
                yield f"folder {name} that is not there, or is empty", 1
        tops = ("Images", "Frame_Labels", "AAM_landmarks", "Sequence_Labels")
        if nested := sum(_is_nested(path) for top in tops for path in self._part(top)):
            yield "folder nested in one of its own name; both were read", nested
        labels = [self.pspi, *parts.values()]
        if folders := sum(len(_folders_spelled_otherwise(self.images, part)) for part in labels):
            yield "folder of labels spelled in other capitals than the pictures'", folders
        frames = set().union(*(_frames_spelled_otherwise(self.images, part) for part in labels))
        if frames:
            yield "picture spelled in other capitals than its label files", len(frames)
        leaves_of_labels = (leaf for part in labels for leaf in part.values())
        second = sum(len(f) - 1 for leaf in leaves_of_labels for f in leaf.files.values())
        if second:
            yield "second label file of one kind for a frame; the first counts", second

    @cached_property
    def _home(self) -> str:
        """Return the folder that holds `Images`, relative to the root.

        Raises:
            DataError: there is no such folder, or it leads outside the root.
        """
        here = [""]
        for _ in range(3):
            for parent in here:
                if levels(self._folder, [parent], "Images"):
                    return parent
            here = [child for parent in here for child in subfolders(self._folder, parent)][:1000]
        root = self._folder.root
        if not root.is_dir():
            raise DataError(f"index.unbc.root {root}: no such folder")
        found = ", ".join(subfolders(self._folder, "")[:8]) or "no folder"
        raise DataError(
            f"index.unbc.root {root}: no folder Images in it or two below; it holds {found}. "
            "Name the folder that holds Images; if that is a link, add its target to "
            "index.further_roots"
        )

    def _part(self, *names: str) -> list[str]:
        here = [self._home]
        for name in names:
            # Frame_Labels/PSPI, and Frame_Labels/Frame_Labels/PSPI beside it
            here = levels(self._folder, here, name)
        return here


def _is_nested(path: str) -> bool:
    folder = PurePosixPath(path)
    return same_folder(folder.name) == same_folder(folder.parent.name)


def _folders_spelled_otherwise(images: Sequences, part: Sequences) -> set[tuple[str, ...]]:
    """Return the folders of subjects and of sequences that are spelled not as the pictures' are."""
    found: set[tuple[str, ...]] = set()
    for key in images.keys() & part.keys():
        if images[key].subject != part[key].subject:
            found.add((part[key].subject,))
        if images[key].sequence != part[key].sequence:
            found.add((part[key].subject, part[key].sequence))
    return found


def _frames_spelled_otherwise(images: Sequences, part: Sequences) -> set[tuple[str, str, str]]:
    return {
        (*key, name)
        for key in images.keys() & part.keys()
        for name, paths in images[key].files.items()
        if name in part[key].files and not _same_frame(paths[0], part[key].files[name][0], name)
    }


def _same_frame(picture: str, labels: str, name: str) -> bool:
    """Return whether two files' names begin alike, as long as the frame's name is."""
    first, second = picture.rpartition("/")[2], labels.rpartition("/")[2]
    return first[: len(name)] == second[: len(name)]


def _picture_frame(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return stem if dot + suffix.lower() in PICTURE_SUFFIXES else ""


def facs_frame(name: str) -> str:
    """Return the name of the frame that a file of PSPI or FACS is of, "" for another file."""
    return re.sub(r"_facs\.txt$", "", name, flags=re.I) if name.lower().endswith(".txt") else ""


def _aam_frame(name: str) -> str:
    return re.sub(r"_aam\.txt$", "", name, flags=re.I) if name.lower().endswith(".txt") else ""
