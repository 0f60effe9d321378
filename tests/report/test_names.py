"""No subject's name slips through."""

from hypothesis import given
from hypothesis import strategies as st

from aacsfnet.report.names import Names


def test_subjects_are_numbered_in_order_whatever_order_they_come_in():
    names = Names(["b", "c", "a"], shown=False)
    assert [names.subject(name) for name in "abc"] == ["S1", "S2", "S3"]
    assert Names(["a"], shown=True).subject("a") == "a"


def test_the_longer_name_is_not_taken_for_the_shorter():
    names = Names(["anna", "anna-2"], shown=False)
    assert names.text("anna-2 and anna, not annabel") == "S2 and S1, not annabel"


def test_like_reasons_count_as_one():
    names = Names(["p01"], shown=False)
    assert names.kind("face 12.5 px < 32 at p01/x.png") == names.kind("face 3 px < 32 at p01/y.png")


@given(st.lists(st.from_regex(r"[a-z]{2,6}-[a-z]{2,6}", fullmatch=True), min_size=1, max_size=4))
def test_no_name_survives_between_words(subjects):
    names = Names(subjects, shown=False)
    sentence = names.text(" | ".join(f"frame of {name} at /data/{name}/1.png" for name in subjects))
    assert not any(name in sentence for name in subjects)
