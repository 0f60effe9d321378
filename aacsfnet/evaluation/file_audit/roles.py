"""Which column of a file of predictions is which; what is guessed is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aacsfnet.datasets.columns import SUBJECT, words_of
from aacsfnet.errors import DataError, SettingsError

#: Names of columns by role, in small letters, words apart by blanks; the best first.
NAMES: dict[str, tuple[str, ...]] = {
    "prediction": (
        *("prediction", "predictions", "predicted", "pred", "preds", "y pred", "ypred", "yhat"),
        *("y hat", "predicted label", "predicted score", "predicted pspi", "pspi pred"),
        *("pspi predicted", "pred pspi", "prediction score", "estimate", "estimated", "output"),
        *("outputs", "score", "scores"),
    ),
    "label": (
        *("label", "labels", "y true", "ytrue", "ground truth", "groundtruth", "gt", "truth"),
        *("target", "targets", "true", "true label", "true pspi", "pspi true", "actual", "y"),
        *(
            "annotation",
            "pspi",
            "vas",
            "nrs",
            "opr",
            "stimulus",
            "pain",
            "pain level",
            "pain score",
        ),
    ),
    "sequence": ("sequence", "sequence id", "seq", "video", "video id", "clip", "session", "trial"),
    "frame": (
        *("frame", "frame id", "frame no", "frame number", "frame idx", "frame index", "frames"),
        *("image id", "image", "img", "path", "file", "filename", "file name", "picture"),
        *("position", "index", "idx", "time", "t"),
    ),
    "split": ("split", "set", "subset", "partition", "role", "phase"),
    "fold": ("fold", "fold id", "cv fold", "test fold"),
    "seed": ("seed", "training seed", "run"),
    "synthetic": ("synthetic", "is synthetic", "generated", "is generated", "fake", "augmented"),
    "source": (
        *("source frame id", "source frame", "source subject", "source id", "source", "original"),
        *("source image", "generated from", "parent"),
    ),
    "mean_label": ("mean label", "training mean"),
    "kind": ("kind",),
}
#: Scales that a label's name tells.
SCALES = {
    "pspi": (0.0, 16.0),
    "vas": (0.0, 10.0),
    "nrs": (0.0, 10.0),
    "opr": (0.0, 5.0),
    "stimulus": (0.0, 4.0),
}
#: Columns that may stand beside one that says `label`: the scale it is on, before it was changed.
REFERENCES = ("pspi", "vas", "nrs", "opr")


@dataclass(frozen=True)
class Roles:
    """Which column has which role, and what was guessed."""

    columns: Mapping[str, str]
    reference: str | None  # a second column of labels, by which the first is checked
    told: Sequence[str]

    def get(self, role: str) -> str | None:
        """Return the column of a role, None where there is none."""
        return self.columns.get(role)


def is_header(names: Sequence[str]) -> bool:
    """Return whether a row of a text is the header of a file of predictions."""
    words = {words_of(name) for name in names}
    return bool(words & {*NAMES["label"]}) and any(
        word in NAMES["prediction"] or word.startswith("pred") for word in words
    )


def roles_of(names: Sequence[str], given: Mapping[str, str]) -> Roles:
    """Return the roles of a file's columns.

    Args:
        names: of its columns, in small letters.
        given: by role, the column that the user names.

    Raises:
        DataError: no column is the prediction or the label, or two could be.
        SettingsError: the user names a role or a column that there is not.
    """
    found: dict[str, str] = {}
    for role, name in given.items():
        if role not in NAMES and role != "subject":
            known = ", ".join(["subject", *NAMES])
            raise SettingsError(f"--column {role}={name}: no such role; expected one of {known}")
        column = " ".join(name.split()).lower()
        if column not in names:
            raise SettingsError(f"--column {role}={name}: no such column; found {', '.join(names)}")
        found[role] = column
    free = [name for name in names if name and name not in found.values()]
    if "subject" not in found:
        people = [name for name in free if SUBJECT.fullmatch(words_of(name))]
        if people:
            found["subject"] = min(people, key=lambda name: (name != "subject", names.index(name)))
    reference = None
    for role, names_of_role in NAMES.items():
        if role in found:
            continue
        rank = {name: names_of_role.index(words) for name in free
                if (words := words_of(name)) in names_of_role}  # fmt: skip
        rivals = sorted(rank, key=rank.__getitem__)
        if role == "prediction" and not rivals:
            rivals = [name for name in free if words_of(name).startswith("pred")]
        if role == "label" and len(rivals) > 1 and words_of(rivals[1]) in REFERENCES:
            reference = rivals.pop(1)
        if role in ("prediction", "label") and len(rivals) != 1:
            raise DataError(_unclear(role, rivals, names))
        if rivals:
            found[role] = rivals[0]
            free.remove(rivals[0])
    told = [f"{role}: column {name!r}" for role, name in found.items()]
    if reference:
        told.append(f"a second label to check the first by: column {reference!r}")
    unused = [name for name in names if name and name not in {*found.values(), reference}]
    if unused:
        told.append(f"not used: {', '.join(map(repr, unused))}")
    return Roles(found, reference, told)


def _unclear(role: str, rivals: Sequence[str], names: Sequence[str]) -> str:
    if rivals:
        several = " and ".join(map(repr, rivals))
        return (
            f"the columns {several} could each be the {role}; say which with"
            f" --column {role}={rivals[0]!r}"
        )
    return (
        f"no column is known to be the {role}; found {', '.join(names)}; say which it is with"
        f" --column {role}=NAME"
    )
