"""A training is one process on one device, whatever a cluster's variables say."""

from aacsfnet.training.train import train
from tests.training.test_train import equal, settings, weights_of

#: As in a job of four tasks on two nodes, and as in one that was started without `srun`.
FOUR_TASKS = {
    "SLURM_JOB_ID": "12",
    "SLURM_JOB_NAME": "train",
    "SLURM_JOB_NODELIST": "node[1-2]",
    "SLURM_LOCALID": "1",
    "SLURM_NNODES": "2",
    "SLURM_NODEID": "1",
    "SLURM_NTASKS": "4",
    "SLURM_NTASKS_PER_NODE": "2",
    "SLURM_PROCID": "3",
}
UNKNOWN_TASKS = {"SLURM_JOB_ID": "12", "SLURM_NTASKS": "4", "SLURM_PROCID": "3"}


def test_slurms_variables_neither_warn_nor_change_a_training(merged, tmp_path, monkeypatch, caplog):
    merge = merged(synthetic=8)
    train(settings(epochs=1), merge, 0, 1, tmp_path / "alone")
    srun = tmp_path / "bin" / "srun"
    srun.parent.mkdir()
    srun.write_text("#!/bin/sh\nexit 1\n")
    srun.chmod(0o755)
    caplog.clear()
    for name, variables in (("four", FOUR_TASKS), ("unknown", UNKNOWN_TASKS), ("none", {})):
        with monkeypatch.context() as within:
            within.setenv("PATH", str(srun.parent), prepend=":")
            for key, value in variables.items():
                within.setenv(key, value)
            train(settings(epochs=1), merge, 0, 1, tmp_path / name)  # warnings are errors here
        assert equal(weights_of(tmp_path / "alone"), weights_of(tmp_path / name))
    assert not [record for record in caplog.records if record.levelname != "INFO"]
