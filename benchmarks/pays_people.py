"""The rendered people of `pays.py`: who they are, which frames they give, and their merged table.

People and movements come from a namespace of seeds of their own: neither the bundled generator nor
the bundled backbone, the gate's witness or the demo has met anyone of them. Numbers 0 and up train
with plentiful labels, 100 and up with scarce ones, 200 and up are held out. All go through the
workflow's own stages.
"""

import csv
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from aacsfnet import tables
from aacsfnet.config import Config, validate
from aacsfnet.facs import ACTION_UNITS
from aacsfnet.files import replacing
from aacsfnet.layout import Layout, Merged
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import render
from aacsfnet.rendering.sequences import Frame, frames_of
from aacsfnet.seeds import seed_of
from aacsfnet.stages import SHARDED

NAMESPACE = "pays"
SEQUENCES, FRAMES, SIDE = 3, 24, 256
SCARCE, HELD_OUT, OTHERS = 100, 200, 1000  # numbers from which people are counted
#: Frames of the UNBC-McMaster archive at PSPI 0 to 15.
UNBC = (40029, 2909, 2351, 1412, 802, 242, 270, 53, 79, 32, 67, 76, 48, 22, 1, 5)
#: Ends the name of a subject whose pictures show other people with somebody's expressions.
OTHER = "-other"


@dataclass(frozen=True)
class Shot:
    """A frame to render.

    Attributes:
        subject: whose it is said to be.
        sequence: number from 0.
        position: in the sequence, from 0.
        frame: expression, pose, light and label.
        person: whose face is drawn.
    """

    subject: str
    sequence: int
    position: int
    frame: Frame
    person: int

    @property
    def name(self) -> str:
        """The picture's file name."""
        return f"{self.subject}-q{self.sequence}-{self.position:03d}.png"


def name_of(number: int) -> str:
    """Return a person's name."""
    return f"p{number:03d}"


def shots_of(seed: int, number: int) -> list[Shot]:
    """Return all frames that there are of a person."""
    return [
        Shot(name_of(number), sequence, position, frame, number)
        for sequence in range(SEQUENCES)
        for position, frame in enumerate(
            frames_of(seed_of(NAMESPACE, seed), number, sequence, FRAMES)
        )
    ]


def plentiful(seed: int, numbers: Sequence[int], count: int) -> list[Shot]:
    """Return so many frames of each person, evenly spread: labels are as common as in the demo."""
    chosen = np.linspace(0, SEQUENCES * FRAMES - 1, count).round().astype(int)
    return [shots_of(seed, number)[place] for number in numbers for place in chosen]


def deck(count: int) -> list[int]:
    """Return `count` labels in the proportions of `UNBC`, lowest first.

    >>> [deck(120).count(level) for level in range(5)]
    [99, 7, 6, 4, 2]
    >>> len(deck(120)), max(deck(120)), sum(level >= 4 for level in deck(120))
    (120, 10, 4)
    """
    # The middle of each of `count` equal shares of the archive: what occurs less than once in two
    # shares is there as often as it can be.
    ends = np.cumsum(UNBC) / sum(UNBC)
    return np.searchsorted(ends, (np.arange(count) + 0.5) / count, side="right").tolist()


def scarce(seed: int, numbers: Sequence[int], count: int) -> list[Shot]:
    """Return so many frames of each person whose labels together are distributed as in UNBC.

    The highest labels are dealt first, each to somebody drawn who still lacks frames, as that
    person's unused frame nearest to the label.
    """
    random = np.random.default_rng(seed_of(NAMESPACE, seed, "scarce"))
    left = {number: shots_of(seed, number) for number in numbers}
    lacking = dict.fromkeys(numbers, count)
    found: list[Shot] = []
    for level in reversed(deck(count * len(numbers))):
        # Of those who lack frames, half are asked, and whoever comes nearest gives one.
        able = [number for number, open_places in lacking.items() if open_places]
        asked = random.permutation(able)[: max(1, len(able) // 2)].tolist()
        best = min(
            (shot for number in asked for shot in left[number]),
            key=lambda shot: abs(shot.frame.pspi - level),
        )
        left[best.person].remove(best)
        lacking[best.person] -= 1
        found.append(best)
    return sorted(found, key=lambda shot: (shot.person, shot.sequence, shot.position))


def others_of(shots: Sequence[Shot]) -> list[Shot]:
    """Return the same expressions, poses and lights on other faces, each on its own."""
    return [
        Shot(shot.subject + OTHER, shot.sequence, shot.position, shot.frame, OTHERS + place)
        for place, shot in enumerate(shots)
    ]


def groups(plan: Mapping[str, Any], seed: int) -> dict[str, list[Shot]]:
    """Return the frames of each world's training people, and of the held-out ones."""
    kinds = {
        "plentiful": (plentiful, 0, plan["worlds"].get("plentiful")),
        "scarce": (scarce, SCARCE, plan["worlds"].get("scarce")),
        "held_out": (plentiful, HELD_OUT, plan["held_out"]),
    }
    return {
        name: choose(seed, range(first, first + size["people"]), size["frames"])
        for name, (choose, first, size) in kinds.items()
        if size
    }


def write_frames(shots: Sequence[Shot], seed: int, folder: Path) -> None:
    """Render frames that are not there yet."""
    cv2.setNumThreads(1)
    folder.mkdir(parents=True, exist_ok=True)
    for shot in shots:
        if (folder / shot.name).exists():
            continue
        frame = shot.frame
        person = Person.from_seed(seed_of(NAMESPACE, seed, shot.person))
        made = render(person, frame.expression, frame.pose, frame.light, frame.lens, SIDE)
        with replacing(folder / shot.name) as temporary:
            temporary.write_bytes(cv2.imencode(".png", made.picture[..., ::-1])[1].tobytes())


def write_manifest(shots: Sequence[Shot], seed: int, path: Path) -> None:
    """Write the table of frames, with what a coder of action units and a clinic would know."""
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        about = ("path", "subject", "sequence", "frame", "label", "sex", "age_group")
        writer.writerow([*about, *ACTION_UNITS])
        for shot in shots:
            person = Person.from_seed(seed_of(NAMESPACE, seed, shot.person))
            where = shot.name, shot.subject, f"q{shot.sequence}", shot.position
            units = [shot.frame.expression.get(unit, 0.0) for unit in ACTION_UNITS]
            writer.writerow([*where, shot.frame.pspi, person.sex, person.age_group, *units])


def config_of(settings: Mapping[str, Any], frames: Path, results: Path) -> Config:
    """Return settings laid over the defaults, for the frames of a manifest."""
    manifest = {"file": str(frames / "manifest.csv")}
    # Settings differ by subject, so nobody shares a shard.
    index = {"manifest": manifest, "packed_frames": 0}
    own = {"dataset": "manifest", "results": str(results), "index": index}
    return validate({**settings, **own})


def one_thread() -> None:
    """Leave the other cores to the other processes."""
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def spread(work: Callable[[Any], Any], over: Sequence[Any], processes: int) -> list[Any]:
    """Return the results of work done by processes of one thread each, in order."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(processes, get_context("spawn"), one_thread) as pool:
        return list(pool.map(work, over))


def shard_tables(work: tuple[Config, str]) -> None:
    """Write the tables of a shard that are not there yet: faces, pictures planned, made, judged."""
    from aacsfnet.augmentation.depth.stage import depth
    from aacsfnet.augmentation.diffusion.generate import generate
    from aacsfnet.augmentation.gate.quality import quality
    from aacsfnet.augmentation.prompts.stage import prompts
    from aacsfnet.faces.crop import crop
    from aacsfnet.faces.landmarks import landmarks

    config, shard = work
    layout = Layout(config)
    path = {stage: layout.table("", stage, shard) for stage in SHARDED}
    if not path["crop"].exists():
        crop(config, layout.index, shard, path["crop"])
    for stage, run, inputs in (
        ("landmarks", landmarks, ("crop",)),
        ("prompts", partial(prompts, index=layout.index), ("landmarks",)),
        ("depth", depth, ("crop", "landmarks", "prompts")),
        ("generate", generate, ("crop", "landmarks", "depth", "prompts")),
        ("quality", partial(quality, index=layout.index), ("crop", "landmarks", "generate")),
    ):
        if not path[stage].exists():
            run(config, **{name: path[name] for name in inputs}, output=path[stage])


def merged(
    shots: Sequence[Shot],
    seed: int,
    folder: Path,
    settings_of: Callable[[str], Mapping[str, Any]],
    processes: int,
) -> Merged:
    """Return the merged table of frames and of the pictures that were made from them.

    Args:
        shots: all frames.
        seed: of the people.
        folder: for frames and tables; what is there already is kept.
        settings_of: the settings for the shards of a subject, by the subject's name.
        processes: how many work at a time.
    """
    from aacsfnet.cohort.merge import merge
    from aacsfnet.datasets.index import index

    frames = folder / "frames"
    subjects = sorted({shot.subject for shot in shots})
    by_subject = [[shot for shot in shots if shot.subject == name] for name in subjects]
    spread(partial(_frames_of, seed=seed, folder=frames), by_subject, processes)
    write_manifest(shots, seed, frames / "manifest.csv")
    config = config_of(settings_of(""), frames, folder)
    layout = Layout(config)
    done = layout.merged("")
    if done.splits.exists():
        return done
    index(config, layout.index)
    rows = tables.read(layout.index, ["subject", "shard"]).unique().sort("shard")
    work = [
        (config_of(settings_of(subject), frames, folder), shard)
        for subject, shard in rows.iter_rows()
    ]
    spread(shard_tables, work, processes)
    parts = [layout.stage("", name) for name in ("crop", "landmarks", "generate", "quality")]
    merge(config, layout.index, *parts, done.folder)
    return done


def _frames_of(shots: Sequence[Shot], seed: int, folder: Path) -> None:
    write_frames(shots, seed, folder)
