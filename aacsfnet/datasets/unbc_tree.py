"""Where the parts of the UNBC-McMaster archive lie, in any copy of its folders."""

import re
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from pathlib import PurePosixPath

from aacsfnet.datasets.files import DataFolder, as_text
from aacsfnet.datasets.pictures import PICTURE_SUFFIXES
from aacsfnet.datasets.trees import Leaf, file_names, join, leaves, levels, same_folder, subfolders
from aacsfnet.errors import DataError

#: Sequence labels and the ends of their scales: affect and sensation as the patient told them
#: (McGill words, 0–15), pain as an observer saw it (0–5), the patient's visual analogue scale.
SEQUENCE_LABELS = {"aff": 15.0, "opr": 5.0, "sen": 15.0, "vas": 10.0}

Sequences = dict[tuple[str, str], Leaf]


def picture_frame(name: str) -> str:
    """Return the name of the frame that a file is a picture of, "" for another file."""
    stem, dot, suffix = name.rpartition(".")
    return stem if dot + suffix.lower() in PICTURE_SUFFIXES else ""


def label_frame(kind: str, name: str) -> str:
    """Return the name of the frame that a file of a kind of labels is of, "" for another file."""
    return re.sub(rf"_{kind}\.txt$", "", name, flags=re.I) if name.lower().endswith(".txt") else ""


#: The same for a file of PSPI or FACS.
facs_frame = partial(label_frame, "facs")


def _files_of(*names: str, frame_of: Callable[[str], str]) -> "cached_property[Sequences]":
    """Return an attribute of `ArchiveTree`: the files in the folders of these names."""
    return cached_property(lambda tree: leaves(tree.folder, tree.part(*names), frame_of))


class ArchiveTree:
    """The files of an archive by subject, sequence and frame; names are compared in small letters.

    Only names are read. Paths are relative to the data folder's root. Of `images` (pictures),
    `pspi` (labels), `facs` (action units) and `aam` (landmarks), each is looked for once.
    """

    def __init__(self, folder: DataFolder) -> None:
        self.folder = folder

    images = _files_of("Images", frame_of=picture_frame)
    pspi = _files_of("Frame_Labels", "PSPI", frame_of=facs_frame)
    facs = _files_of("Frame_Labels", "FACS", frame_of=facs_frame)
    aam = _files_of("AAM_landmarks", frame_of=partial(label_frame, "aam"))

    @cached_property
    def sequence_files(self) -> dict[tuple[str, str, str], str]:
        """Return the files of sequence labels by label, subject and sequence."""
        found = {}
        for label in SEQUENCE_LABELS:
            for part in self.part("Sequence_Labels", label):
                for subject in subfolders(self.folder, part):
                    for name in file_names(self.folder, subject):
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
        images, pspi, root = self.images, self.pspi, self.folder.root
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
        if nested := sum(_is_nested(path) for top in tops for path in self.part(top)):
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
                if levels(self.folder, [parent], "Images"):
                    return parent
            here = [child for parent in here for child in subfolders(self.folder, parent)][:1000]
        root = self.folder.root
        if not root.is_dir():
            raise DataError(f"index.unbc.root {root}: no such folder")
        found = ", ".join(subfolders(self.folder, "")[:8]) or "no folder"
        raise DataError(
            f"index.unbc.root {root}: no folder Images in it or two below; it holds {found}. "
            "Name the folder that holds Images; if that is a link, add its target to "
            "index.further_roots"
        )

    def part(self, *names: str) -> list[str]:
        """Return the folders that a path of folders' names leads to, from the archive's own."""
        here = [self._home]
        for name in names:
            # Frame_Labels/PSPI, and Frame_Labels/Frame_Labels/PSPI beside it
            here = levels(self.folder, here, name)
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
