"""Tables that are split together give the same as those that are read row after row."""

import random

import polars as pl
import pytest

from aacsfnet.datasets import columns, delimited, manifest, open_dataset
from aacsfnet.datasets.base import natural_key
from aacsfnet.datasets.delimited import read_rows
from aacsfnet.errors import DataError

HEADER = "path,subject,label\n"
ROWS = "a.png,s1,0\nb.png,s1,1\nc.png,s2,2\n"


def both(path, monkeypatch):
    """Return what is read of a table together, or the refusal, and what row after row."""
    found = []
    for plain in (delimited._plain, lambda *given: None):
        monkeypatch.setattr(delimited, "_plain", plain)
        try:
            rows = read_rows(path, columns.is_header, columns.path_place)
        except DataError as error:
            found.append(str(error))
        else:
            found.append((rows.columns, rows.numbers, rows.delimiter, rows.remarks))
    return found


@pytest.mark.parametrize(
    "text",
    [
        HEADER + ROWS,
        HEADER + ROWS.removesuffix("\n"),
        (HEADER + ROWS).replace("\n", "\r\n"),
        (HEADER + ROWS).replace("\n", "\r"),
        (HEADER + ROWS).replace(",", ";"),
        (HEADER + ROWS).replace(",", "\t"),
        (HEADER + ROWS).replace(",", " "),
        (HEADER + ROWS).replace(",", " , "),
        HEADER + "\n" + ROWS,
        HEADER + ROWS + "\n\n",
        HEADER + "# seen twice,,\n" + ROWS,
        HEADER + ROWS + HEADER + ROWS,
        HEADER + ",s1,0\n" + ROWS,
        HEADER + "a.png,s1\n" + ROWS,
        HEADER + "a.png,s1,0,\n" + ROWS,
        HEADER + "a.png,s1,0,9\n" + ROWS,
        HEADER + ROWS.replace("s1", '"s1"'),
        HEADER + ROWS.replace("s1", "s\x1c"),
        HEADER + ROWS.replace("s1", "\u3000s1\x85"),
        HEADER + ROWS.replace("s1", "s\0"),
        HEADER,
        "label\n1\n2\n",
        "a study\n" + HEADER + ROWS,
        "#path,subject,label\n" + ROWS,
    ],
)
def test_a_table_is_the_same_together_and_row_after_row(text, tmp_path, monkeypatch):
    path = tmp_path / "m.csv"
    path.write_bytes(text.encode())
    together, one_by_one = both(path, monkeypatch)
    assert together == one_by_one


def test_a_text_that_many_rows_repeat_is_held_once(tmp_path, monkeypatch):
    monkeypatch.setattr("aacsfnet.datasets.plain_rows._TOGETHER", 400)
    path = tmp_path / "m.csv"
    path.write_text(HEADER + "".join(f"{n}.png,somebody,{n % 2}\n" for n in range(100)))
    subjects = read_rows(path, columns.is_header, columns.path_place).columns["subject"]
    assert len(subjects) == 100
    assert len({id(subject) for subject in subjects}) == 1


@pytest.mark.parametrize("shape", ["{}", "f{}", "f{}_{}", "mixed"])
def test_frames_are_sorted_by_their_numbers(shape):
    rng = random.Random(shape)
    names = set()
    while len(names) < 60:
        numbers = [f"{'0' * rng.randint(0, 2)}{rng.randint(0, 300)}" for _ in range(2)]
        chosen = rng.choice(["{}", "x{}", "{}y"]) if shape == "mixed" else shape
        names.add(f"{rng.choice('ab')}/1/{chosen.format(*numbers)}")
    table = pl.DataFrame({"frame_id": rng.sample(sorted(names), 60)}).with_columns(
        subject=pl.col("frame_id").str.head(1), sequence=pl.lit("1")
    )
    known = manifest._by_numbers(table.with_row_index("row"))
    assert (known is None) == (shape == "mixed")
    rows = manifest._numbered(table)
    assert rows["frame_id"].to_list() == sorted(
        names, key=lambda name: (name[0], natural_key(name))
    )
    assert rows["position"].to_list() == [
        place for one in rows.partition_by("subject") for place in range(len(one))
    ]


@pytest.mark.parametrize(
    ("units", "words"),
    [("au4,au04\n", "two columns hold au4"), ("au4,au6\n", "can be 1.500 or 1500")],
)
def test_doubtful_action_units_are_refused_before_the_first_job(make_manifest, units, words):
    text = f"path;subject;label;{units.replace(',', ';')}a.png;s1;0;1.500;0.5\n"
    text += "b.png;s1;0;1,5;2\n" if "au6" in units else ""
    with pytest.raises(DataError, match=words):
        open_dataset(make_manifest(text, ("a.png", "b.png"))).subjects()
