import os
import subprocess
import sys

import polars as pl
import pytest

from aacsfnet.cleaning import in_words, leftovers, of_subjects, remove
from aacsfnet.cli import main
from aacsfnet.config import load
from aacsfnet.doctor.leftovers import look_at_leftovers
from aacsfnet.errors import DataError, WorkError
from aacsfnet.files import replacing
from aacsfnet.stages import SHARDED


def config(study):
    study.write()
    return load(str(study.folder / "study.yaml"))


def results(study):
    return study.folder / "results" / "manifest"


def found(study):
    return leftovers(config(study), results(study))


def names(study, of=""):
    folder = results(study)
    return {str(e.path.relative_to(folder)) for e in found(study) if e.of.startswith(of)}


def clean(study, *options):
    config(study)
    with pytest.raises(SystemExit) as left:
        main(["clean", str(results(study)), "--config", f"{study.folder}/study.yaml", *options])
    assert left.value.code == 0


def test_of_finished_results_nothing_is_left_over(study, capsys):
    clean(study, "--yes")
    assert "nothing is left over" in capsys.readouterr().out
    assert study.due() == []


def test_a_removed_subject_leaves_tables_models_and_logs(study, capsys):
    log = results(study) / "logs" / "crop" / "s07.00.log"
    log.parent.mkdir(parents=True)
    log.write_text("read s07.png")
    del study.rows["s07"]
    own = {f"{stage}/s07.00.parquet" for stage in SHARDED} | {"logs/crop/s07.00.log"}
    assert names(study, "removed subject s07") == own
    among = names(study, "made of removed subjects")
    models = {f"experiments/full/seed-1/fold-{fold}" for fold in range(5)}
    figures = ("metrics.json", "predictions.parquet", "reliability.json")
    assert among == {"index.parquet", "merge", "report.html", "report", *models} | {
        f"experiments/full/{name}" for name in figures
    }
    (finding,) = look_at_leftovers(config(study))
    assert all(name in finding.message for name in own | among)
    assert "aacsfnet clean" in finding.advice
    clean(study)
    told = capsys.readouterr().out
    assert "12 B  " in told  # the log
    assert "would be freed; remove with --yes" in told
    assert log.is_file()
    clean(study, "--yes")
    assert "freed" in capsys.readouterr().out
    assert not log.exists()
    assert [path for path in results(study).rglob("*") if "s07" in path.name] == []
    assert list(look_at_leftovers(config(study))) == []
    study.run()
    assert study.due() == []
    assert found(study) == []
    assert "s07" not in pl.read_parquet(results(study) / "merge/index.parquet")["subject"].to_list()


def test_after_the_next_run_only_what_the_subject_had_alone_is_left(study):
    del study.rows["s07"]
    study.run()
    assert names(study) == {f"{stage}/s07.00.parquet" for stage in SHARDED}


def test_a_plan_that_names_a_removed_subject_goes(study):
    assert (results(study) / ".plan.json").is_file()
    assert names(study) == set()
    del study.rows["s07"]
    assert names(study, "plan of the latest run") == {".plan.json"}


def test_a_removed_experiment_goes_with_its_logs(study):
    for folder in ("experiments/old/crop", "logs/experiments/old", "experiments/full"):
        (results(study) / folder).mkdir(parents=True, exist_ok=True)
    (results(study) / "experiments/old/crop/s01.00.parquet").write_bytes(bytes(1000))
    (results(study) / "logs/experiments/old/evaluate.log").write_bytes(bytes(10))
    assert names(study) == {"experiments/old", "logs/experiments/old"}
    assert sorted(each.bytes for each in found(study)) == [10, 1000]
    assert "1.0 kB" in in_words(found(study), results(study), done=False)
    assert of_subjects(found(study)) == []


def test_temporary_files_go_with_their_process(study):
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from aacsfnet.files import replacing\n"
        "with replacing(Path(sys.argv[1])): os._exit(9)\n"
    )
    target = results(study) / "merge" / "images.npy"
    subprocess.run([sys.executable, "-c", script, str(target)], check=False)
    elsewhere = target.with_name(".x.npy.otherhost-12-abc.tmp")
    elsewhere.touch()
    with replacing(target) as own:  # of a process that lives
        (gone,) = names(study)
        assert gone.startswith("merge/.images.npy.")
        assert own.name not in gone
    os.utime(elsewhere, (0, 0))
    assert "merge/.x.npy.otherhost-12-abc.tmp" in names(study)
    clean(study, "--yes")
    assert names(study) == set()


def test_states_go_when_their_job_is_done_and_stay_while_it_may_resume(study):
    done = results(study) / "experiments/full/seed-1/.fold-0-state/abc"
    unfinished = results(study) / "generate/.s01.00.unfinished-0123456789ab"
    for folder in (done, unfinished):
        folder.mkdir(parents=True)
    both = {"experiments/full/seed-1/.fold-0-state", str(unfinished.relative_to(results(study)))}
    assert names(study) == both
    (results(study) / "generate/s01.00.parquet").unlink()
    (results(study) / "experiments/full/seed-1/fold-0/config.json").unlink()
    assert names(study) == set()


def test_folds_and_seeds_of_before_are_left_over(study):
    for name in ("seed-1/fold-5", "seed-9/fold-0"):
        (results(study) / "experiments/full" / name).mkdir(parents=True)
    assert names(study) == {f"experiments/full/seed-{n}" for n in ("1/fold-5", "9/fold-0")}


def test_results_of_other_settings_are_not_taken_for_leftovers(study):
    study.rows = {}
    study.add("somebody", 1, 1)
    study.add("else", 1, 2)
    with pytest.raises(DataError, match="name the settings that made them"):
        found(study)


def test_nothing_is_removed_while_a_run_works_there(study):
    (results(study) / "experiments/old").mkdir()
    plan = study.plan()
    with plan.hold(), pytest.raises(WorkError, match="another run works here"):
        remove(config(study), results(study), found(study))
    assert (results(study) / "experiments/old").is_dir()
