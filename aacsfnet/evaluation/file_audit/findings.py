"""What an audit of a file finds, and in what words."""

from dataclasses import dataclass

#: By kind of fault, what to do about it.
ADVICE = {
    "subject_overlap": "Split by person, so that whoever is tested is never trained on, and run"
    " again: a network that knows the person looks better than it is.",
    "random_split": "Split by person instead of by frame: neighbouring frames are nearly the same"
    " picture, so this measures memory.",
    "synthetic_leak": "Count a generated picture as its source's person, and leave it out of"
    " training wherever that person is tested.",
    "synthetic_tested": "Test on real pictures only.",
    "zero_tail": "Cut what no frame filled (a last partial batch keeps its zeros) and compute all"
    " figures again: zeros against zeros look like perfect predictions.",
    "clipped": "Clip to the ends of the scale, or not at all, and say so.",
    "rescaled": "Give labels and predictions on the label's own scale: errors in other units cannot"
    " be compared with anybody's.",
    "cast": "Keep fractions: train on and compare with the labels as they were given.",
    "doubled": "Count each frame once, and compute all figures again.",
    "dropped": "Give every frame a row, with a reason where there is no prediction; what is left"
    " out silently may be what is hard.",
    "shifted": "Join predictions and labels by the frame's name, not by place.",
    "blank_zero": "Leave frames without a label out; 0 is a label, and says that there is no pain.",
    "constant": "Do not report this as a result: the network collapsed. Say how often it happens.",
    "undefined_pcc": "Report it as undefined and count it; 0 would say that there is no relation,"
    " and drags or lifts an average.",
    "frames_bootstrapped": "Resample people instead of frames, whose number says little: frames of"
    " one person are alike.",
    "figure_differs": "Say how the figure is computed: over which frames, clipped or not, pooled"
    " or averaged over people.",
    "out_of_range": "Check the label column, or name the scale with --label and --range.",
}


@dataclass(frozen=True)
class Finding:
    """A fault: which kind, by what it was seen, and what to do about it."""

    kind: str
    evidence: str

    @property
    def advice(self) -> str:
        """Return what to do about it."""
        return ADVICE[self.kind]

    def __str__(self) -> str:
        return f"{self.kind}: {self.evidence}. {self.advice}"


def some(values: list[str], most: int = 3) -> str:
    """Return the first few of several names.

    >>> some(["a", "b", "c", "d"])
    'a, b, c, …'
    """
    return ", ".join(values[:most]) + (", …" if len(values) > most else "")
