"""What a test job sees of a folder, written beside: `python -m aacsfnet.doctor.cluster.seen`.

Light, so that it tells of the cluster and not of the package: torch alone, and only for a GPU.
"""

import json
import platform
import sys
from pathlib import Path

from filelock import lock_descriptor

#: The file that the asker wrote and holds a lock on, and the answer's.
ASKED, ANSWER = "asked", "answer.json"


def look(folder: Path, gpus: int) -> dict[str, object]:
    """Return what this machine sees of a folder in which another process holds a lock.

    Args:
        folder: with the file `ASKED`.
        gpus: how many GPUs the job was promised; if any, torch is asked how many it finds.
    """
    asked = folder / ASKED
    locked = False
    if asked.exists():
        with asked.open("a+") as opened:
            locked = not lock_descriptor(opened.fileno(), blocking=False)
    devices = 0
    if gpus:
        import torch

        devices = torch.cuda.device_count()
    return {"host": platform.node(), "there": asked.exists(), "locked": locked, "gpus": devices}


if __name__ == "__main__":
    place = Path(sys.argv[1])
    unfinished = place / f".{ANSWER}"
    unfinished.write_text(json.dumps(look(place, int(sys.argv[2]))), encoding="utf-8")
    unfinished.replace(place / ANSWER)
