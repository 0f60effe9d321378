"""A generation job that is killed and run again."""

import pytest

from aacsfnet import tables
from aacsfnet.augmentation.diffusion.generation import Generator

KEPT = ".generate.unfinished-*"


@pytest.fixture
def config(settings):
    return settings(generate={"steps": 2, "batch": 1})


def test_a_killed_job_goes_on_and_equals_an_uninterrupted_one(
    run_shard, shard, config, monkeypatch
):
    run_shard(config, "prompts", "depth")
    whole = run_shard(config, "generate")["generate"]
    assert whole["status"].to_list().count("ok") == 4
    shard["generate"].unlink()

    made = []
    do_pass = Generator._pass

    def killed_in_the_third(self, tasks):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(len(tasks))
        return do_pass(self, tasks)

    monkeypatch.setattr(Generator, "_pass", killed_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        run_shard(config, "generate")
    assert not shard["generate"].exists()
    assert len(list(shard["generate"].parent.glob(KEPT))) == 1

    made.clear()
    made.extend([0, 0, 0])  # no more kills
    again = run_shard(config, "generate")["generate"]
    assert made[3:] == [1, 1]  # two of four were made before the kill
    assert again.equals(whole)
    assert not list(shard["generate"].parent.glob(KEPT))


def test_other_settings_do_not_take_what_was_finished(
    run_shard, shard, config, settings, monkeypatch
):
    from aacsfnet.augmentation.diffusion.unfinished import Unfinished

    run_shard(config, "prompts", "depth")
    whole = run_shard(config, "generate")["generate"]
    Unfinished(shard["generate"], "other settings").add(0, whole.rows(named=True)[:2])
    tables.write(shard["generate"], whole, "generate")
    again = run_shard(config, "generate")["generate"]
    assert again.equals(whole)
