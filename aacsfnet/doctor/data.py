"""The data as the doctor sees it: who there is, what cannot be used, what is odd."""

from collections import Counter, defaultdict
from collections.abc import Iterator

import polars as pl

from aacsfnet.cohort.splits import fold_count, given_roles, in_pool, pool_of, spelling
from aacsfnet.cohort.unlabelled import labelled_people
from aacsfnet.config import Config
from aacsfnet.datasets import NOTES, Dataset
from aacsfnet.datasets.base import shards_of
from aacsfnet.datasets.index import counts
from aacsfnet.doctor.findings import Finding
from aacsfnet.errors import DataError, InputError
from aacsfnet.tables import STATUSES

#: Rows shown of a list; what is left out is counted.
_MOST_LINES = 40


def look_at_data(config: Config, rows: pl.DataFrame, dataset: Dataset) -> Iterator[Finding]:
    """Yield what an index of the data set tells.

    Args:
        config: the experiments' blocks merge are read.
        rows: the judged index, without shards.
        dataset: after its `index`.
    """
    usable = rows.filter(pl.col("status") == "ok")
    yield _people(rows, dataset)
    yield from _states(rows)
    yield from _oddities(rows, dataset)
    yield from _subjects(rows, usable)
    yield from _folds(config, dataset, set(usable["subject"]))
    if not dataset.exact_scan:
        yield from _shards(config, dataset, rows)
    if not len(usable):
        reason = rows["reason"][0] if len(rows) else "there is no row"
        yield Finding("error", "data", f"no frame can be used; the first: {reason}")


def _people(rows: pl.DataFrame, dataset: Dataset) -> Finding:
    """Count frames by subject and level of the label."""
    label = dataset.label
    usable = rows.filter(pl.col("status") == "ok")
    low, high = round(label.low), round(label.high)
    width = max(1, -(-(high - low + 1) // 17))
    levels: dict[str, Counter[int]] = defaultdict(Counter)
    for subject, value in usable.select("subject", "label").iter_rows():
        levels[subject][low + (round(value) - low) // width * width] += 1
    total = Counter(dict(rows["subject"].value_counts().iter_rows()))
    met = {level for here in levels.values() for level in here}
    shown = [level for level in range(low, high + 1, width) if level in met]
    head = "".join(f"{level:>7}" for level in shown)
    lines = [f"{'subject':<20}{'frames':>8}{'usable':>8}  {label.name}{head}"]
    gap = " " * len(label.name)
    for subject in sorted(total)[:_MOST_LINES]:
        here = "".join(f"{levels[subject][level] or '':>7}" for level in shown)
        name = subject if len(subject) <= 19 else subject[:18] + "…"
        lines.append(f"{name:<20}{total[subject]:>8}{levels[subject].total():>8}  {gap}{here}")
    if len(total) > _MOST_LINES:
        lines.append(f"… and {len(total) - _MOST_LINES} subjects more")
    sums = "".join(f"{sum(c[level] for c in levels.values()):>7}" for level in shown)
    lines.append(f"{'all':<20}{total.total():>8}{len(usable):>8}  {gap}{sums}")
    kind = f"{label.name} {label.low:g}–{label.high:g}, {label.meaning}"
    head = f"{len(rows)} frames of {len(total)} subjects; label: {kind}"
    return Finding("ok", "data", "\n".join([head, *lines]))


def _states(rows: pl.DataFrame) -> Iterator[Finding]:
    """Report the frames that cannot be used, by status."""
    for status, count in counts(rows, "status").items():
        if status == "ok":
            continue
        if status == "unlabelled":
            yield _unlabelled(rows)
            continue
        example = rows.filter(pl.col("status") == status)["reason"][0]
        share = count / len(rows)
        yield Finding(
            "warning",
            f"status {status}",
            f"{count} frames ({share:.1%}): {STATUSES[status]}\nfirst: {example}",
            _ADVICE.get(status, "") or "these frames are kept as rows and left out of training",
        )


def _unlabelled(rows: pl.DataFrame) -> Finding:
    """Count the frames that pretraining alone sees, and those of people with labels among them."""
    found = rows.filter(pl.col("status") == "unlabelled")
    labelled = rows.filter(pl.col("status") == "ok")["subject"].unique()
    mixed = found.filter(pl.col("subject").is_in(labelled.to_list()))
    return Finding(
        "note",
        "status unlabelled",
        f"{len(found)} frames ({len(found) / len(rows):.1%}) of {found['subject'].n_unique()}"
        f" subjects: {STATUSES['unlabelled']}\n{len(mixed)} of them are of"
        f" {mixed['subject'].n_unique()} subjects who have frames with a label too",
        "see that none of these labels was lost: an empty cell counts as given on purpose",
    )


_ADVICE = {
    "missing_file": "restore the files, or correct the paths and the root; otherwise left out",
    "outside_root": "name the folder in index.further_roots if you mean it to be read",
    "duplicate": "remove the second row, which says the same as the first",
    "bad_subject": "fill in who it is; without a subject, folds would leak",
    "bad_label": "correct the label or its range in the settings; otherwise left out",
}


#: Notes that somebody may want to do something about; the others need nothing.
_NOTE_ADVICE = {
    "animated": "unpack the file first if its other pictures are frames too",
    "sixteen_bit": "scale 12 bits stored in 16 first, or the pictures come out dark",
    "cmyk": "convert these pictures yourself if colours matter: profiles are not applied",
    "label_held": "add a row with a time and an empty label where the last label ends",
    "bad_action_unit": "correct them, or that unit stays unknown in prompts and the report",
    "pspi_differs": "find out which is right: training uses the label",
    "no_label_file": "restore the label files, or leave these frames out for good",
    "bad_label_file": "restore the label files, or leave these frames out for good",
    "label_without_frame": "restore the pictures, or take the label files away",
    "no_facs_file": "restore the FACS files if prompts should name action units",
    "bad_facs": "restore the FACS files if prompts should name action units",
    "no_aam_file": "nothing, unless you use the archive's own landmarks yourself",
    "bad_aam": "nothing, unless you use the archive's own landmarks yourself",
    "not_in_samples": "see whether these clips belong to the part that you mean to use",
    "class_differs": "see which is right; the clip's name counts",
}


def _oddities(rows: pl.DataFrame, dataset: Dataset) -> Iterator[Finding]:
    """Report what was evened out, and what belongs to no frame."""
    for note, count in counts(rows, "notes").items():
        message = f"{count} frames: {NOTES[note]}"
        if note in ("pspi_differs", "class_differs"):
            message = "\n".join([message, *_listed(rows, note)])
        yield Finding("note", note, message, _NOTE_ADVICE.get(note, ""))
    for remark, count in dataset.remarks().items():
        yield Finding("note", "data", f"{count} x {remark}")


def _listed(rows: pl.DataFrame, note: str) -> list[str]:
    """Return the frames that have a note, with its words."""
    found = rows.select("frame_id", "notes").explode("notes", empty_as_null=True)
    found = found.filter(pl.col("notes").str.starts_with(note))
    lines = [f"{frame}{text.removeprefix(note)}" for frame, text in found.iter_rows()]
    more = len(lines) - _MOST_LINES
    return lines[:_MOST_LINES] + ([f"… and {more} more"] if more > 0 else [])


def _subjects(rows: pl.DataFrame, usable: pl.DataFrame) -> Iterator[Finding]:
    """Report subjects that will trouble folds or figures."""
    everybody, useful = set(rows["subject"]), set(usable["subject"])
    useful |= set(rows.filter(in_pool(), pl.col("status") == "unlabelled")["subject"])
    if unusable := sorted(everybody - useful):
        shown = ", ".join(unusable[:8])
        yield Finding(
            "warning",
            "subjects",
            f"{len(unusable)} without a usable frame: {shown}",
            "repair their frames or take them out; with loso each has a fold, which is skipped",
        )
    spelled: dict[str, set[str]] = defaultdict(set)
    for subject in everybody:
        spelled[spelling(subject)].add(subject)
    for names in spelled.values():
        if len(names) > 1:
            yield Finding(
                "warning",
                "subjects",
                f"{', '.join(sorted(names))} differ in case or blanks only",
                "if they are one person, give them one name, or that person leaks between folds",
            )
    for column in ("sex", "age_group"):
        said = rows.filter(pl.col(column) != "", pl.col("subject") != "").group_by("subject")
        several = said.agg(pl.col(column).n_unique()).filter(pl.col(column) > 1)
        if mixed := sorted(several["subject"]):
            message = f"{len(mixed)} with more than one {column}: {', '.join(mixed[:8])}"
            advice = "see whether one name stands for two people; if so, give each a name"
            yield Finding("warning", "subjects", message, advice)
    levels = usable.group_by("subject").agg(pl.col("label").n_unique()).filter(pl.col("label") == 1)
    if len(levels):
        shown = ", ".join(sorted(levels["subject"])[:8])
        message = f"{len(levels)} with one label throughout: {shown}"
        yield Finding("note", "subjects", message, "their own correlation is undefined and counted")
    splits = rows.filter(pl.col("split") != "").group_by("subject").agg(pl.col("split").n_unique())
    if mixed := sorted(splits.filter(pl.col("split") > 1)["subject"]):
        message = f"{len(mixed)} in more than one split of the table: {', '.join(mixed[:8])}"
        advice = "give each subject one split; merge.folds: given refuses this table"
        yield Finding("warning", "subjects", message, advice)


def _folds(config: Config, dataset: Dataset, usable: set[str]) -> Iterator[Finding]:
    """Check that there are people enough to hold out, to validate on and to train on."""
    words = dataset.splits()
    try:
        pool = pool_of(words) & usable
        labelled_people(words, dataset.unlabelled())
    except DataError as error:
        yield Finding("error", "split", str(error), "correct the column split")
        return
    if pool:
        message = f"{len(pool)} of {len(usable)} usable subjects: they train in every fold"
        yield Finding("note", "pool", message, "none of them is tested, or validated on")
    told = set()
    useful = {who: said for who, said in words.items() if who in usable}
    for name in config.experiments:
        merge = config.for_experiment(name).merge
        try:
            if merge.folds == "given":
                given_roles(words, merge.validation_subjects)
                given_roles(useful, merge.validation_subjects)
            else:
                people = len(usable - pool)
                fold_count(merge.folds, people, merge.validation_subjects, bool(pool))
        except InputError as error:
            if str(error) not in told:
                advice = "lower merge.folds or merge.validation_subjects, or add subjects"
                if merge.folds == "given":
                    advice = "correct the column split, or choose a number of folds"
                yield Finding("error", "merge.folds", f"of {len(usable)} usable: {error}", advice)
            told.add(str(error))


def _shards(config: Config, dataset: Dataset, rows: pl.DataFrame) -> Iterator[Finding]:
    """Compare the length of videos with the typical one that shards were planned by."""
    planned, limit = dataset.subjects(), config.index.shard_frames
    found = dict(rows.group_by("subject").len().iter_rows())
    shards = {subject: len(shards_of({subject: planned[subject]}, limit)) for subject in found}
    largest = max(-(-frames // shards[subject]) for subject, frames in found.items())
    ratio = sum(found.values()) / max(1, sum(planned[subject] for subject in found))
    if largest > 1.5 * limit or ratio < 0.25:
        seconds = config.index.videos.seconds
        advice = f"set index.videos.seconds to about {seconds * ratio:.2g}"
        message = (
            f"videos give {ratio:.2g} times the frames that {seconds:g} seconds of each would; the"
            f" largest shard holds {largest}, index.shard_frames is {limit}"
        )
        yield Finding("warning" if ratio > 1 else "note", "shards", message, advice)
