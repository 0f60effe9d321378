"""Questions to Slurm, and what is wrong with a run's requests: everything that would hang it.

Nothing is submitted: `sbatch --test-only` lets Slurm itself judge each request.
"""

import getpass
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from aacsfnet.doctor.cluster.requests import Request, Requests
from aacsfnet.doctor.findings import Finding
from aacsfnet.errors import WorkError

#: How long a question may take, in seconds.
_PATIENCE_S = 30
#: The executor asks ever less often while nothing ends, at last once in this many seconds.
LONGEST_INTERVAL_S = 180
_UNIT = {"d": 86400, "h": 3600, "m": 60}
_PROFILE = "profiles/slurm/config.yaml"


def ask(*command: str) -> str:
    """Return what a command of Slurm answers.

    Raises:
        WorkError: there is no such command, or it failed.
    """
    try:
        done = subprocess.run(  # noqa: S603 (names of Slurm, no shell)
            command, capture_output=True, text=True, timeout=_PATIENCE_S
        )
    except FileNotFoundError:
        raise WorkError(f"{command[0]} is not there: this is no machine of a cluster") from None
    except subprocess.TimeoutExpired:
        raise WorkError(f"{command[0]} gave no answer within {_PATIENCE_S} s") from None
    if done.returncode:
        said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise WorkError(said[-1] if said else f"{command[0]}: status {done.returncode}")
    return done.stdout or done.stderr


@dataclass(frozen=True)
class Settings:
    """What Slurm says of itself.

    Attributes:
        accounting: whether slurmdbd keeps accounts.
        min_job_age_s: for how long a job that ended is remembered.
    """

    accounting: bool
    min_job_age_s: int


def settings() -> Settings:
    """Ask Slurm for its settings.

    Raises:
        WorkError: it gives no answer.
    """
    told = dict(re.findall(r"^(\w+)\s*=\s*(.*?)\s*$", ask("scontrol", "show", "config"), re.M))
    number, unit = re.match(r"(\d+)\s*(\w?)", told.get("MinJobAge", "0")).groups()  # type: ignore[union-attr]
    return Settings(
        told.get("AccountingStorageType", "").endswith("/slurmdbd"),
        int(number) * _UNIT.get(unit.lower(), 1),
    )


def accounts() -> set[str]:
    """Return the accounts of this user, found as the executor finds them, in small letters."""
    user = getpass.getuser()
    for command in (
        ("sacctmgr", "-n", "-s", "list", "user", user, "format=account%256"),
        ("sshare", "-U", "--format", "Account%256", "--noheader"),
    ):
        try:
            answer = ask(*command)
        except WorkError:
            continue
        if found := {line.strip().lower() for line in answer.splitlines() if line.strip()}:
            return found
    return set()


def limits() -> dict[str, int]:
    """Return the longest time limit of each partition in minutes, 0 without one.

    Raises:
        WorkError: Slurm gives no answer.
    """
    lines = ask("sinfo", "-h", "-o", "%R|%l").splitlines()
    return {name: _minutes(limit) for name, limit in (line.split("|") for line in lines)}


def _minutes(limit: str) -> int:
    """Return a time limit of Slurm in minutes, 0 for none.

    >>> _minutes("7-00:00:00"), _minutes("1:30:00"), _minutes("30:00"), _minutes("infinite")
    (10080, 90, 30, 0)
    """
    if not (match := re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", limit)):
        return 0
    days, hours, minutes, _ = (int(part or 0) for part in match.groups())
    return (days * 24 + hours) * 60 + minutes


def look_at_slurm(requests: Requests) -> Iterator[Finding]:
    """Yield whether Slurm will run what is asked of it, and tell the executor when it ends."""
    try:
        slurm, known = settings(), limits()
    except WorkError as error:
        advice = "start the run where sbatch works: on a login node, as a rule"
        yield Finding("error", "Slurm", str(error), advice)
        return
    yield _status(requests, slurm)
    wrong = set()
    for account in sorted({each for kind in requests.kinds for each in kind.accounts}):
        finding = _account(account, slurm)
        yield finding
        if finding.level == "error":
            wrong.add(account)
    for kind in requests.kinds:
        if wrong.isdisjoint(kind.accounts):  # with it Slurm would refuse every partition
            yield _judged(kind, known)


def _status(requests: Requests, slurm: Settings) -> Finding:
    """Tell whether the executor will learn how its jobs end."""
    key = "slurm-status-command"
    if requests.status_command != "squeue":
        return Finding(
            "error",
            key,
            "sacct does not tell of cancelled jobs and of lost nodes"
            + ("" if slurm.accounting else ", and without slurmdbd of no job at all"),
            f"write {key}: squeue into the profile",
        )
    needed = max(3 * requests.interval_s, LONGEST_INTERVAL_S + 20)
    age = f"MinJobAge is {slurm.min_job_age_s} s (scontrol show config | grep MinJobAge)"
    if slurm.min_job_age_s < needed:
        return Finding(
            "error",
            key,
            f"{age}: a job that ends may be forgotten before it is asked after, which takes"
            f" {needed} s",
            "ask the cluster's administrators for MinJobAge=300, which is Slurm's default",
        )
    return Finding("ok", key, f"squeue; {age}")


def _account(account: str, slurm: Settings) -> Finding:
    """Tell whether an account is this user's: with another one the executor waits for ever."""
    if not slurm.accounting:
        if not account:
            return Finding("ok", "account", "none, and this Slurm keeps none (no slurmdbd)")
        message = f"{account!r}, but this Slurm keeps no accounts (no slurmdbd)"
        return Finding("error", "account", message, f"take slurm_account out of {_PROFILE}")
    own = accounts()
    if account and own and account.lower() not in own:
        message = f"{account!r} is not yours; yours: {', '.join(sorted(own))}"
        return Finding("error", "account", message, f"correct slurm_account in {_PROFILE}")
    return Finding("ok", "account", account or "left to Slurm")


def _judged(kind: Request, known: dict[str, int]) -> Finding:
    """Let Slurm judge a request."""
    about = f"partition {kind.partition or '(default)'}"
    words = f"{kind.gpus} GPU a job" if kind.gpus else "jobs without a GPU"
    if kind.partition and kind.partition not in known:
        message = f"no such partition; there are: {', '.join(sorted(known))}"
        return Finding("error", about, message, f"correct slurm_partition in {_PROFILE}")
    limit = known.get(kind.partition, 0)
    if limit and kind.minutes > limit:
        message = f"jobs ask for {kind.minutes} minutes; its limit is {limit}: they would never run"
        return Finding("error", about, message, f"set a smaller runtime in {_PROFILE}")
    try:
        ask("sbatch", "--test-only", *sbatch_options(kind), "--wrap", "true")
    except WorkError as error:
        advice = "see what it has: sinfo -o '%P %G %l %m'; scontrol show partition"
        return Finding("error", about, f"{words}: {error}", advice)
    return Finding("ok", about, f"takes {words}")


def sbatch_options(kind: Request) -> list[str]:
    """Return the options of sbatch that ask for what a kind of jobs asks for."""
    options = [f"--account={kind.accounts[0]}"] if kind.account else []
    options += [f"--partition={kind.partition}"] if kind.partition else []
    options += [f"--gpus={kind.gpus}"] if kind.gpus else []
    return options
