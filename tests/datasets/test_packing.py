"""Who shares a shard follows from the people alone, and who comes or goes moves few others."""

from hypothesis import given, settings
from hypothesis import strategies as st

from aacsfnet.datasets.base import shard_prefix, shards_by_subject
from aacsfnet.datasets.packing import SHARED, shared_shards

PEOPLE = st.dictionaries(st.text(max_size=4), st.integers(0, 20), max_size=40)


def parts(shared):
    found = {}
    for subject, shard in shared.items():
        found.setdefault(shard, set()).add(subject)
    return found


@settings(deadline=None)
@given(PEOPLE, st.integers(0, 60))
def test_no_part_is_too_large_and_nobody_shares_alone(frames, most):
    shared = shared_shards(frames, most)
    for shard, people in parts(shared).items():
        assert SHARED.fullmatch(shard)
        assert len(people) > 1
        assert sum(frames[name] for name in people) <= most
    assert shared == shared_shards(dict(reversed(frames.items())), most)
    if most == 0:
        assert parts(shared).keys() <= {"shared"}  # of people without frames


@settings(deadline=None)
@given(PEOPLE, st.text(max_size=4), st.integers(0, 20), st.integers(1, 60))
def test_who_comes_moves_only_those_of_one_part(frames, newcomer, count, most):
    before = {name: n for name, n in frames.items() if name != newcomer}
    old = parts(shared_shards(before, most))
    new = parts(shared_shards(before | {newcomer: count}, most))
    differing = {shard for shard in old.keys() | new.keys() if old.get(shard) != new.get(shard)}
    # What differs lies in one subtree of names: the part that there was, or what it became.
    shortest = min(differing, key=len, default="")
    assert all(shard.startswith(shortest) for shard in differing)
    moved = set().union(*(old.get(shard, set()) for shard in differing))
    assert sum(before[name] for name in moved) <= most


@settings(deadline=None)
@given(st.integers(2, 200))
def test_parts_are_well_filled(people):
    frames = {f"s{number:03d}": 2 for number in range(people)}
    shared = shared_shards(frames, 32)
    alone = len(frames) - len(shared)
    assert len(parts(shared)) + alone <= 1 + people / 4


def test_a_subject_named_like_a_shared_shard_has_another():
    frames = {"shared": 1, "a": 1, "b": 1, "shared-0": 9, "c": 1}
    dealt = shards_by_subject(frames, 9, 4)
    assert dealt["a"][0].startswith("shared")
    assert dealt["shared-0"] == [f"{shard_prefix('shared-0')}.00"]
    assert not SHARED.fullmatch(shard_prefix("shared-0"))
    assert shards_by_subject(frames, 9, 0)["shared"][0] != "shared.00"
