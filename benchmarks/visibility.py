"""Covered regions of faces: how often they are told, and how often what is seen is called covered.

    python -m benchmarks.visibility rendered --faces 200
    python -m benchmarks.visibility photographs --folder london

Rendered people that trained nothing, each bare and with one thing before the face; or photographs,
each bare (nothing covered) and with things drawn over them. A region counts as covered where half
of it or less is seen (of these those of which a third or less is seen are told apart, too), as seen
where nine tenths are; what lies between is counted by neither. Of brows and eyes the side that is
seen less counts.
"""

import argparse
import csv
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from aacsfnet.config import Landmarks
from aacsfnet.faces import FaceExtractor
from aacsfnet.faces.visibility import PARTS, Visible, covered
from aacsfnet.rendering.occluders import OCCLUDERS, occlude, seen_shares
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import render
from aacsfnet.seeds import seed_of
from aacsfnet.tables import REGIONS
from benchmarks.records import record
from tools.visibility.faces import held

NAMESPACE = "visibility benchmark"
COVERED, MOSTLY, SEEN = 0.5, 1 / 3, 0.9

#: One picture: the kind of thing before the face, the picture, the true share of each region.
Case = tuple[str, np.ndarray, dict[str, float]]


def cases_of(
    picture: np.ndarray, points: np.ndarray, kinds: list[str], seed: int
) -> Iterator[Case]:
    """Yield a face bare and with each kind of thing before it."""
    yield "bare", picture, dict.fromkeys(REGIONS, 1.0)
    for kind in kinds:
        drawn = occlude(
            picture, points, kind, np.random.default_rng(seed_of(NAMESPACE, kind, seed))
        )
        shares = seen_shares(drawn.hides, points)
        yield kind, drawn.picture, Visible(np.array([shares[part] for part in PARTS])).regions


def rendered(faces: int) -> Iterator[Case]:
    """Yield rendered people, each bare and with one thing before the face, kinds in turn."""
    kinds = list(OCCLUDERS)
    for who in range(faces):
        random = np.random.default_rng(seed_of(NAMESPACE, "pose", who))
        person = Person.from_seed(seed_of(NAMESPACE, who))
        made = render(person, {}, *held(random), size=256)
        yield from cases_of(made.picture, made.landmarks_px, [kinds[who % len(kinds)]], who)


def photographs(folder: Path) -> Iterator[Case]:
    """Yield photographs, each bare and with two things drawn over it, kinds in turn."""
    kinds = list(OCCLUDERS)
    with (folder / "manifest.csv").open(newline="") as file:
        paths = [row["path"] for row in csv.DictReader(file)]
    with FaceExtractor() as extractor:
        for at, path in enumerate(paths):
            picture = cv2.imread(str(folder / path), cv2.IMREAD_COLOR_RGB)
            found = extractor.find(picture)
            if not found:
                print(f"no face on {path}")
                continue
            own = [kinds[(2 * at + each) % len(kinds)] for each in range(2)]
            yield from cases_of(picture, found[0].landmarks_in_frame, own, at)


def told(cases: Iterator[Case]) -> dict:
    """Return recall and false share over all regions, by region and by kind."""
    least = Landmarks().min_visibility
    rows: list[tuple[str, str, float, float]] = []
    pictures, lost = {}, {}
    with FaceExtractor() as extractor:
        for kind, picture, true in cases:
            pictures[kind] = pictures.get(kind, 0) + 1
            found = extractor.find(picture)
            if not found:
                lost[kind] = lost.get(kind, 0) + 1
                continue
            rows += [(kind, name, true[name], found[0].visible[name]) for name in REGIONS]

    def summary(chosen: list[tuple[str, str, float, float]]) -> dict:
        def share(low: float, high: float) -> tuple[int, float | None]:
            flags = [
                bool(covered({name: found}, least))
                for _, name, true, found in chosen
                if low <= true <= high
            ]
            return len(flags), float(np.mean(flags)) if flags else None

        (hidden, recall), (seen, false) = share(0, COVERED), share(SEEN, 1)
        return {
            "covered": hidden,
            "recall": recall,
            "recall_where_a_third_or_less_is_seen": share(0, MOSTLY)[1],
            "seen": seen,
            "false": false,
            "between": len(chosen) - hidden - seen,
        }

    return {
        "pictures": pictures,
        "no_face_found": lost,
        "all": summary(rows),
        "by_region": {name: summary([row for row in rows if row[1] == name]) for name in REGIONS},
        "by_kind": {kind: summary([row for row in rows if row[0] == kind]) for kind in pictures},
    }


def main() -> None:
    """Measure and keep the figures."""
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("rendered", "photographs"))
    parser.add_argument("--faces", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="of the photographs, with its manifest.csv")
    given = parser.parse_args()
    started = time.perf_counter()
    if given.what == "photographs" and given.folder is None:
        parser.error("photographs need --folder")
    cases = rendered(given.faces) if given.what == "rendered" else photographs(given.folder)
    record(f"visibility {given.what}", told(cases), time.perf_counter() - started)


if __name__ == "__main__":
    main()
