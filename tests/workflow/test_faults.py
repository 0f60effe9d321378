"""A few of the faults of `benchmarks.faults`, which makes forty."""

import os

import pytest

from benchmarks import faults


@pytest.mark.slow
def test_what_comes_of_kills_and_a_full_disk_equals_the_undisturbed_run(tmp_path):
    """It raises where something differs, is left over or is not told in one line."""
    full = 0 if os.getuid() else 2  # which only root can mount
    found = list(faults.faults(tmp_path, kills=len(faults.KINDS), full=full, seed=2))
    assert [kind for kind, _, _ in found] == [*faults.KINDS, *(["full"] * full)]
    assert all(hit for _, _, hit in found)
