"""A Slurm of one host, in one folder and under one user: for tests of runs through a real cluster.

Nothing outside the folder is written, no port is fixed and no service of the machine is used, so
that a cluster which is there already is left alone. Needs the programs of Debian's `munge` and
`slurm-wlm`, and for accounting those of `slurmdbd` and `mariadb-server`.
"""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

#: The account that a cluster with accounting knows, and no other.
ACCOUNT = "study"
_MEMORY_CGROUP = Path("/sys/fs/cgroup/memory")
_PATIENCE_S = 60

_CONFIG = """\
ClusterName=toy
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=20
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
SchedulerParameters=sched_interval=1,bf_interval=2,batch_sched_delay=1,sched_min_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
MinJobAge={min_job_age}
KillWait=2
SlurmdTimeout=20
{memory}
{accounting}
NodeName={host} NodeAddr=127.0.0.1 CPUs=16 RealMemory=64000 Gres=gpu:1 State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=7-0 State=UP
PartitionName=gpu Nodes={host} MaxTime=7-0 State=UP
"""
_BY_CGROUP = """\
ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup
"""
_CGROUP = """\
CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
CgroupAutomount=no
ConstrainRAMSpace=yes
"""
_BY_POLLING = """\
ProctrackType=proctrack/linuxproc
JobAcctGatherParams=OverMemoryKill
"""
_ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={database_port}
AccountingStoragePass={folder}/munge.socket
AccountingStorageEnforce=associations
AccountingStorageTRES=gres/gpu
"""
_DATABASE = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost=localhost
DbdPort={database_port}
SlurmUser={user}
PidFile={folder}/slurmdbd.pid
LogFile={folder}/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={mariadb_port}
StorageUser={user}
StorageLoc=slurm_acct_db
"""


def missing(accounting: bool = False) -> str:
    """Return the programs that a cluster lacks here, "" if none."""
    needed = ["setpriv", "munged", "mungekey", "slurmctld", "slurmd", "sbatch", "squeue"]
    needed += ["slurmdbd", "mariadbd", "mariadb-install-db"] if accounting else []
    return ", ".join(name for name in needed if not _found(name))


def _found(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Cluster:
    """A cluster of one node with 16 pretended cores and a pretended GPU.

    Args:
        folder: of everything; its path must be short, for it holds a socket.
        accounting: with slurmdbd, which knows one account, `ACCOUNT`; without it there is none.
        min_job_age: seconds for which a job that ended is remembered.
    """

    def __init__(self, folder: Path, accounting: bool, min_job_age: int = 300) -> None:
        self.folder, self.accounting, self.min_job_age = folder, accounting, min_job_age
        self.host = socket.gethostname().partition(".")[0]
        self.variables = {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{folder / 'bin'}:{os.environ.get('PATH', '')}",
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start every program; raise `RuntimeError` with its log where one does not come up."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        for name in ("state", "spool", "bin"):
            (self.folder / name).mkdir(parents=True)
        self._write()
        self._start_munge()
        if self.accounting:
            self._start_accounting()
        self._run("slurmctld", "-D", "-i")
        self._until("slurmctld answers", lambda: self.slurm("scontrol", "ping").returncode == 0)
        self.start_node()

    def start_node(self) -> None:
        """Start the node, and wait until it takes jobs."""
        self._run("slurmd", "-D")
        self._until("the node is idle", lambda: "idle" in self.node_state())

    def set_node(self, state: str) -> None:
        """Have the node "down", as one that is lost, or "resume"."""
        self.slurm("scontrol", "update", f"nodename={self.host}", f"state={state}", "reason=test")

    def node_state(self) -> str:
        """Return the node's state as `sinfo` tells it: idle, mixed, down, ..."""
        return self.slurm("sinfo", "-h", "-p", "cpu", "-o", "%T").stdout.strip()

    def slurm(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Slurm against this cluster."""
        return subprocess.run(command, env=self._env(), capture_output=True, text=True, timeout=60)

    def jobs(self, state: str) -> list[str]:
        """Return the ids of jobs in a state."""
        return self.slurm("squeue", "-h", "-t", state, "-o", "%i").stdout.split()

    def stop(self) -> None:
        """Cancel all jobs and end every program, the last started first."""
        self.slurm("scancel", "--user", getpass.getuser())
        time.sleep(2)  # until steps have ended: a step without its node lives on
        for name in reversed(list(self._running)):
            self._end(name)

    def _env(self) -> dict[str, str]:
        return os.environ | self.variables

    def _write(self) -> None:
        self.ports = {
            name: _free_port()
            for name in ("controller_port", "node_port", "database_port", "mariadb_port")
        }
        facts = {
            "folder": self.folder,
            "host": self.host,
            "user": getpass.getuser(),
            "min_job_age": self.min_job_age,
            **self.ports,
        }
        by_cgroup = os.geteuid() == 0 and os.access(_MEMORY_CGROUP, os.W_OK)
        accounting = _ACCOUNTING.format(**facts) if self.accounting else ""
        memory = _BY_CGROUP if by_cgroup else _BY_POLLING
        config = _CONFIG.format(**facts, memory=memory, accounting=accounting)
        (self.folder / "slurm.conf").write_text(config)
        (self.folder / "cgroup.conf").write_text(_CGROUP if by_cgroup else "")
        (self.folder / "gres.conf").write_text(f"NodeName={self.host} Name=gpu File=/dev/zero\n")
        # Snakemake's executor takes SLURM_CONF from the srun within a job.
        wrapper = self.folder / "bin" / "srun"
        set_first = f'SLURM_CONF="{self.variables["SLURM_CONF"]}"'
        wrapper.write_text(f'#!/bin/sh\n{set_first} exec {_found("srun")} "$@"\n')
        wrapper.chmod(0o755)
        database = self.folder / "slurmdbd.conf"
        database.touch(0o600)
        database.write_text(_DATABASE.format(**facts))

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        subprocess.run([_found("mungekey"), "--create", "--keyfile", key], check=True)
        places = {
            "socket": "munge.socket",
            "key-file": "munge.key",
            "pid-file": "munge.pid",
            "log-file": "munge.log",
            "seed-file": "munge.seed",
        }
        options = [f"--{name}={self.folder / file}" for name, file in places.items()]
        self._run("munged", "--foreground", "--force", *options)
        self._until("munged answers", (self.folder / "munge.socket").exists)

    def _start_accounting(self) -> None:
        data, user = self.folder / "mariadb", getpass.getuser()
        own = ["--no-defaults", f"--datadir={data}", f"--user={user}"]
        install = [_found("mariadb-install-db"), *own, "--skip-test-db"]
        subprocess.run(install, check=True, stdout=subprocess.DEVNULL)
        self._run(
            "mariadbd",
            *own,
            f"--socket={self.folder / 'mariadb.socket'}",
            f"--port={self.ports['mariadb_port']}",
            "--bind-address=127.0.0.1",
            "--skip-grant-tables",  # anybody on this host, and nothing of worth
            "--innodb-buffer-pool-size=32M",
        )
        self._until("mariadbd answers", lambda: self._open("mariadb_port"))
        self._run("slurmdbd", "-D")
        show = ("sacctmgr", "-n", "show", "cluster")
        self._until("slurmdbd answers", lambda: self.slurm(*show).returncode == 0)
        for what in (
            ("cluster", "toy"),
            ("account", ACCOUNT),
            ("user", user, f"account={ACCOUNT}"),
        ):
            self.slurm("sacctmgr", "-i", "add", *what)

    def _open(self, port: str) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.ports[port])) == 0

    def _run(self, name: str, *options: str) -> None:
        # It ends with the tests, also where these are killed.
        tied = ["setpriv", "--pdeathsig", "TERM", "--", _found(name) or name, *options]
        with (self.folder / f"{name}.out").open("wb") as out:
            self._running[name] = subprocess.Popen(tied, stdout=out, stderr=out, env=self._env())

    def _end(self, name: str) -> None:
        process = self._running.pop(name)
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _until(self, what: str, true: Callable[[], bool]) -> None:
        end = time.monotonic() + _PATIENCE_S
        while not true():
            if time.monotonic() > end:
                logs = [*self.folder.glob("*.out"), *self.folder.glob("*.log")]
                told = "\n".join(f"{log.name}:\n{log.read_text()[-2000:]}" for log in logs)
                raise RuntimeError(f"{what}: not within {_PATIENCE_S} s\n{told}")
            time.sleep(0.2)
