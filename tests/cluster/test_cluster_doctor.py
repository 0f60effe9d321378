"""What is asked of Slurm before a run, with a Slurm that is pretended by a few scripts."""

import copy
import json

import pytest
import yaml

from aacsfnet.doctor.cluster import check
from aacsfnet.doctor.cluster.requests import Request, Requests, read_profile, requests_of
from aacsfnet.doctor.cluster.slurm import look_at_slurm
from aacsfnet.doctor.cluster.trial import try_jobs
from aacsfnet.errors import SettingsError

RIGHT = Requests((Request("study", "cpu", 0, 60), Request("study", "gpu", 1, 720)), "squeue", 10)
#: What each command answers, and its status; of sbatch by what it is asked.
ANSWERS = {
    "scontrol": ("AccountingStorageType = accounting_storage/slurmdbd\nMinJobAge = 300 sec", 0),
    "sinfo": ("cpu|7-00:00:00\ngpu|1-00:00:00", 0),
    "sacctmgr": ("   study \n   root ", 0),
    "sshare": ("", 0),
    "sbatch": ("sbatch: Job 5 to start", 0),
}


@pytest.fixture
def pretend(tmp_path, monkeypatch):
    """Put programs on the path that answer as told."""

    def make(**changes):
        for name, (text, status) in {**ANSWERS, **changes}.items():
            program = tmp_path / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\nexit {status}\n")
            program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")

    return make


def errors(requests):
    return [finding for finding in look_at_slurm(requests) if finding.level == "error"]


def test_a_cluster_that_is_as_the_profile_says_has_no_errors(pretend):
    pretend()
    found = list(look_at_slurm(RIGHT))
    assert not [finding for finding in found if finding.level != "ok"]
    assert {finding.about for finding in found} == {
        "slurm-status-command",
        "account",
        "partition cpu",
        "partition gpu",
    }


NO_ACCOUNTS = ("AccountingStorageType = accounting_storage/none\nMinJobAge = 300 sec", 0)


@pytest.mark.parametrize(
    ("answers", "requests", "words"),
    [
        ({"sacctmgr": ("other\nroot", 0)}, RIGHT, "'study' is not yours; yours: other, root"),
        (
            {"sacctmgr": ("", 1), "sshare": ("other", 0)},
            RIGHT,
            "'study' is not yours; yours: other",
        ),
        ({"scontrol": NO_ACCOUNTS}, RIGHT, "'study', but this Slurm keeps no accounts"),
        ({"sinfo": ("cpu|infinite\nlong|infinite", 0)}, RIGHT, "there are: cpu, long"),
        ({"sinfo": ("cpu|1:00:00\ngpu|30:00", 0)}, RIGHT, "ask for 720 minutes; its limit is 30"),
        ({"sbatch": ("allocation failure: no GRES", 1)}, RIGHT, "allocation failure: no GRES"),
        ({"scontrol": ("MinJobAge = 120 sec", 0)}, RIGHT, "MinJobAge is 120 s (scontrol show"),
        ({"scontrol": ("could not connect", 1)}, RIGHT, "could not connect"),
    ],
)
def test_each_fault_is_an_error_of_its_own(pretend, answers, requests, words):
    pretend(**answers)
    found = errors(requests)
    assert words in found[0].message
    assert all("\n" not in finding.message for finding in found)
    assert all(finding.advice for finding in found)


def test_each_of_several_accounts_is_looked_at(pretend):
    pretend()
    both = Requests((Request("study, other", "cpu"),), "squeue", 10)
    (found,) = errors(both)
    assert found.message.startswith("'other' is not yours")


def test_a_wrong_account_hides_no_partition_of_its_own(pretend):
    pretend(sacctmgr=("other", 0), sbatch=("Invalid account", 1))
    assert len(errors(RIGHT)) == 1


@pytest.mark.parametrize(
    ("told", "interval_s", "fine"),
    [("200 sec", 10, True), ("199 sec", 10, False), ("300", 100, True), ("299", 100, False)],
)
def test_a_job_must_be_remembered_until_it_is_asked_after(pretend, told, interval_s, fine):
    pretend(scontrol=(f"{ANSWERS['scontrol'][0].splitlines()[0]}\nMinJobAge = {told}", 0))
    assert (errors(Requests(RIGHT.kinds, "squeue", interval_s)) == []) == fine


def test_asking_sacct_is_refused(pretend):
    pretend()
    found = errors(Requests(RIGHT.kinds, "sacct", 10))
    assert "slurm-status-command: squeue" in found[0].advice


def test_without_slurm_there_is_one_error(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = errors(RIGHT)
    assert len(found) == 1
    assert "scontrol is not there" in found[0].message


def test_a_run_is_refused_with_a_line_for_each_fault(pretend):
    pretend(
        sacctmgr=("other", 0), scontrol=("AccountingStorageType = x/slurmdbd\nMinJobAge = 9", 0)
    )
    jobs = [{"slurm_account": "study", "slurm_partition": "cpu", "runtime": 60, "gpu": 0}]
    with pytest.raises(SettingsError) as raised:
        check(jobs, "squeue", 10)
    lines = str(raised.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "slurm-status-command",
        "account",
        "see also",
    ]


def test_kinds_of_jobs_are_told_apart_by_what_slurm_looks_at():
    jobs = [
        {"slurm_account": "a", "slurm_partition": "gpu", "gpu": 1, "runtime": 720, "mem_mb": 1},
        {"slurm_account": "a", "slurm_partition": "gpu", "gpu": 1, "runtime": 1440, "mem_mb": 2},
        {"slurm_partition": "cpu", "runtime": 60},
    ]
    assert requests_of(jobs) == (Request("", "cpu", 0, 60), Request("a", "gpu", 1, 1440))


PROFILE = {
    "executor": "slurm",
    "slurm-status-command": "squeue",
    "slurm-init-seconds-before-status-checks": 20,
    "default-resources": {"slurm_account": "'study'", "slurm_partition": "'cpu'"},
    "set-resources": {
        "train_fold": {"slurm_partition": "'gpu'", "runtime": "1440 * attempt", "gpu": 1}
    },
}


def write(folder, profile):
    (folder / "config.yaml").write_text(yaml.safe_dump(profile))
    return folder


def test_a_profile_is_read_as_its_jobs_will_ask(tmp_path):
    kinds = (Request("study", "cpu"), Request("study", "gpu", 1, 1440))
    assert read_profile(write(tmp_path, PROFILE)) == Requests(kinds, "squeue", 20)


def test_a_profile_without_settings_has_those_of_the_executor(tmp_path):
    found = read_profile(write(tmp_path, {"executor": "slurm"}))
    assert (found.status_command, found.interval_s) == ("sacct", 40)


def test_another_profile_is_refused(tmp_path):
    other = copy.deepcopy(PROFILE) | {"executor": "local"}
    with pytest.raises(SettingsError, match="no profile for Slurm"):
        read_profile(write(tmp_path, other))
    with pytest.raises(SettingsError, match="not a profile of Snakemake"):
        read_profile(tmp_path / "nowhere")


#: A Slurm whose jobs run at once: what is between the last `--wrap` and the end is the job.
RUNS_AT_ONCE = """#!/bin/sh
for given; do last=$given; done
sh -c "$last" > "$FOLDER/said" 2>&1
%s
echo 7
"""


@pytest.fixture
def at_once(tmp_path, monkeypatch):
    def make(after="", state="COMPLETED|None", **answers):
        binaries = tmp_path / "bin"
        binaries.mkdir()
        (binaries / "sbatch").write_text(RUNS_AT_ONCE % after)
        (binaries / "squeue").write_text(f"#!/bin/sh\necho '{state}'\n")
        (binaries / "scancel").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/cancelled\n')
        for program in binaries.iterdir():
            program.chmod(0o755)
        monkeypatch.setenv("PATH", str(binaries), prepend=":")
        monkeypatch.setenv("FOLDER", str(tmp_path))
        monkeypatch.setattr("aacsfnet.doctor.cluster.trial._LATENCY_S", 0.1)
        return try_jobs(Requests((Request("", "cpu"),), "squeue", 10), tmp_path / "results", 0.2)

    return make


def test_a_test_job_shares_files_locks_and_times(at_once, tmp_path):
    (found,) = at_once()
    assert found.level == "ok", found
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"there": False, "locked": False}, "a file written here is not seen there"),
        ({"there": True, "locked": False}, "a lock (flock) held here does not hold there"),
    ],
)
def test_what_a_test_job_does_not_share_is_an_error(at_once, tmp_path, fault, words):
    answer = json.dumps({"host": "node1", "gpus": 0, **fault})
    (found,) = at_once(f"echo '{answer}' | tee {tmp_path}/results/.doctor-*/answer.json >&2")
    assert found.level == "error"
    assert found.message == f"on node1 {words}"


@pytest.mark.parametrize("when", ["2001-01-01", "2101-01-01"])
def test_other_clocks_are_an_error(at_once, tmp_path, when):
    (found,) = at_once(f"touch -d {when} {tmp_path}/results/.doctor-*/answer.json")
    assert found.level == "error"
    assert "times that are off by" in found.message


def test_a_test_job_that_leaves_nothing_here_is_an_error(at_once, tmp_path):
    (found,) = at_once(f"rm {tmp_path}/results/.doctor-*/answer.json", "FAILED|NonZeroExitCode")
    assert found.level == "error"
    assert "FAILED, and nothing that it wrote is seen here" in found.message


def test_a_test_job_that_waits_too_long_is_cancelled(at_once, tmp_path):
    (found,) = at_once(state="PENDING|Priority")
    assert found.level == "warning"
    assert "(Priority)" in found.message
    assert (tmp_path / "cancelled").read_text().strip() == "7"
