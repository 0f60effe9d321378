"""What frames without a label are worth where few people have labels: a trial on rendered people.

    python -m benchmarks.unlabelled --folder FOLDER

The plan, fixed before its one run. People of the demo's renderer, seed 7014, whom no study has
used; 20 frames of one sequence each. Numbers 0 to 3 are trained on, 4 and 5 select the epoch, 6 to
29 are tested; 30 to 89 have no label and are in the pool. The demo's network from noise, batches of
16, no generated picture, 3 seeds. Experiments, in steps on geometry and then with labels:

- `none`: 0 + 130;
- `own`: 500 + 130, on the geometry of the four people alone;
- `pool`: 500 + 130, on that of the four and of the 60 without a label;
- `longer`: 0 + 630, as long as those two.

Asked is `pool` less `own` and `pool` less `longer` in MAE, with 95 % intervals over the tested
people; a difference is shown where its interval leaves out 0. PCC and PCC within people are told
beside it, and `none` to see what either is worth. Nothing is tuned on these people, and what comes
is written down as it comes.
"""

import argparse
import time
from pathlib import Path

import cv2
import torch
import yaml

from aacsfnet.config import validate
from aacsfnet.config.load import load
from aacsfnet.datasets import open_dataset
from benchmarks.network import experiment, markdown, run
from benchmarks.records import record

SEED, FRAMES, SEEDS = 7014, 20, (1, 2, 3)
#: The first number of each group of people; the last number is that of the end.
TRAIN, VALIDATION, TEST, POOL, END = 0, 4, 6, 30, 90
STEPS = 500


def split_of(person: int) -> str:
    """Return what the table says of a person."""
    bounds = {"pool": POOL, "test": TEST, "validation": VALIDATION, "train": TRAIN}
    return next(word for word, first in bounds.items() if person >= first)


def write_data(folder: Path, people: int, frames: int) -> None:
    """Render the people's frames; write a table with those of the pool and one without."""
    demo = {"subjects": people, "sequences": 1, "frames": frames, "seed": SEED}
    dataset = open_dataset(validate({"index": {"demo": demo}}))
    rows = dataset.index().sort("subject", "position")
    numbers = {name: number for number, name in enumerate(sorted(dataset.subjects()))}
    lines = ["path,subject,label,sequence,frame,split"]
    for row, picture in zip(rows.iter_rows(named=True), dataset.pictures(rows), strict=True):
        name = f"{row['subject']}-{row['position']:03d}.png"
        cv2.imwrite(str(folder / name), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        split = split_of(numbers[row["subject"]])
        label = "" if split == "pool" else f"{row['label']:g}"
        lines.append(f"{name},{row['subject']},{label},q,{row['position']},{split}")
    labelled = [line for line in lines if not line.endswith(",pool")]
    for table, kept in (("labelled", labelled), ("all", lines)):
        (folder / f"{table}.csv").write_text("\n".join(kept) + "\n")


def settings(folder: Path, table: str, experiments: dict, seeds: tuple[int, ...]) -> Path:
    """Write the settings of a run over one of the tables; return their file."""
    asked = "pretrain" if table == "all" else "leave_out"
    given = {
        "dataset": "manifest",
        "results": str(folder / f"results-{table}"),
        "index": {"manifest": {"file": str(folder / f"{table}.csv"), "unlabelled": asked}},
        "prompts": {"keep": {"variants": 0}, "level": {"pictures": 0}},
        "merge": {"folds": "given"},
        "train": {"pretrained": None, "epochs": 5, "epoch_steps": 26, "synthetic": False},
        "training_seeds": list(seeds),
        "experiments": {"full": None, "no-generation": None} | experiments,
    }
    path = folder / f"{table}.yaml"
    path.write_text(yaml.safe_dump(given))
    return path


def main() -> None:
    """Render, train, compare and write benchmarks/results/unlabelled-<date>.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="for pictures and results")
    given = parser.parse_args()
    torch.set_num_threads(1)
    begun = time.perf_counter()
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "all.csv").exists():
        write_data(folder, END, FRAMES)
    geometry = {"train": {"geometry_pretraining_steps": STEPS}}
    longer = {"train": {"epoch_steps": 26 + STEPS // 5}}
    runs = {
        "labelled": {"none": {}, "own": geometry, "longer": longer},
        "all": {"pool": geometry},
    }
    folders = {}
    for table, experiments in runs.items():
        config = load(settings(folder, table, experiments, SEEDS))
        run(config)
        own = folder / f"results-{table}" / "manifest" / "experiments"
        folders |= {name: own / name for name in experiments}
    found = {
        name: experiment(folders[name], folders["pool"]) for name in ("pool", *runs["labelled"])
    }
    print(markdown(found, "pool"))
    record("unlabelled", found, time.perf_counter() - begun, plan=__doc__)


if __name__ == "__main__":
    main()
