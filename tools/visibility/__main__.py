"""How the network was made that tells covered regions of a face: rendered people, things before.

    python -m tools.visibility render build/visibility --people 900 --minutes 25
    python -m tools.visibility train build/visibility --minutes 15

Each person is rendered once and shown bare, with glasses that hide nothing, and with things before
the face, found and cropped as the workflow does. How much of each part is hidden is known. Of what
is no face, or a face with the mesh beside it, on its head or of another size, nothing is seen. The
people come from a namespace of seeds that nothing else uses. Needs the extra `onnx`.
"""

import argparse
from pathlib import Path

import cv2
import torch

from aacsfnet.faces.visibility import WEIGHTS
from tools.visibility.faces import load, write_faces
from tools.visibility.training import told, train, write

#: Of so many people one trains nothing: figures are told on them.
ASIDE_EVERY = 8


def main() -> None:
    """Do one step."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=("render", "train"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, default=WEIGHTS)
    parser.add_argument("--start-from", type=Path, help="weights to train further")
    parser.add_argument("--people", type=int, default=900)
    parser.add_argument("--minutes", type=float, default=12.0)
    given = parser.parse_args()
    if given.step == "render":
        write_faces(given.folder, given.people, given.minutes)
    if given.step == "train":
        views, shares, people = load(given.folder)
        aside = people % ASIDE_EVERY == 0
        print(f"{(~aside).sum()} faces teach, {aside.sum()} are told")
        model = train(views[~aside], shares[~aside], given.minutes, given.start_from)
        write(model, given.output)
        told(model, views[aside], shares[aside])


if __name__ == "__main__":
    main()
