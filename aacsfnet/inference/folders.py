"""Which networks a model's folder gives, and what is known of their reliability."""

import logging
from collections.abc import Sequence
from pathlib import Path

from aacsfnet.errors import ModelFileError
from aacsfnet.evaluation.reliability import Reliability
from aacsfnet.evaluation.reliability import read as read_reliability
from aacsfnet.files import digest_of
from aacsfnet.inference.member import Member
from aacsfnet.layout import Evaluated, Trained
from aacsfnet.models.folder import is_skipped

log = logging.getLogger(__name__)


def networks_of(folder: Path) -> list[Path]:
    """Return the folder of one network itself, or those of an experiment's trained networks."""
    if Trained(folder).description.is_file():
        return [folder]
    found = Evaluated(folder).trained()
    trained = [each.folder for each in found if not is_skipped(each.folder)]
    if found and not trained:
        raise ModelFileError(f"{folder}: none of its {len(found)} folds was trained")
    return trained or [folder]


def reliability_of(folder: Path, members: Sequence[Member]) -> Reliability | None:
    """Return what is known of the networks' reliability; None, with a warning, where nothing is.

    It stands in the folder itself, or, of a fold, in that of its experiment.
    """
    missing = "so there are no intervals and no reasons to abstain; evaluate the experiment"
    places = (folder, folder.resolve().parent.parent)
    paths = [path for path in (Evaluated(each).reliability for each in places) if path.is_file()]
    if not paths:
        log.warning("%s: no reliability.json, %s", folder, missing)
        return None
    found = read_reliability(paths[0])
    weights = (Trained(member.folder).weights for member in members)
    if not {digest_of(path) for path in weights} <= set(found.networks):
        log.warning("%s is of other networks than those in %s, %s", paths[0], folder, missing)
        return None
    return found
