"""Pictures without any face: how many of them are taken for one, and why the others are not.

    python -m benchmarks.faceless --pictures 300

Textures, cloth, patterns, letters (turned and mirrored), drawn animals and hands, in equal numbers,
each as a recording of its own, so that no neighbour helps. Writes what became of each.
"""

import argparse
import time
from collections import Counter

import cv2
import numpy as np

from aacsfnet.config import Crop
from aacsfnet.faces.locate import FaceLocator
from aacsfnet.seeds import seed_of
from aacsfnet.tables import Fault
from benchmarks.faceless_pictures import KINDS, faceless
from benchmarks.records import record


def taken(pictures: int) -> dict:
    """Return by kind what became of the pictures."""
    became: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    doubts = []
    with FaceLocator(Crop()) as locator:
        for number in range(pictures):
            kind = list(KINDS)[number % len(KINDS)]
            random = np.random.default_rng(seed_of("faceless", number))
            found = locator.locate(faceless(kind, random))
            status = found.status if isinstance(found, Fault) else "ok"
            became[kind][status] += 1
            if isinstance(found, Fault) and found.status == "doubtful_face":
                doubts.append(f"{kind} {number}: {found.reason}")
            elif not isinstance(found, Fault):
                doubts.append(f"{kind} {number}: ok, confidence {found.confidence:.2f}")
    return {
        "pictures": pictures,
        "ok": sum(counted["ok"] for counted in became.values()),
        "by_kind": {kind: dict(counted) for kind, counted in became.items()},
        "doubts": doubts,
    }


def main() -> None:
    """Measure and keep the figures."""
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=300)
    given = parser.parse_args()
    started = time.perf_counter()
    record("faces faceless", taken(given.pictures), time.perf_counter() - started)


if __name__ == "__main__":
    main()
