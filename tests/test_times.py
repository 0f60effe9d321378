"""What a job is said to have taken."""

import subprocess
import sys

import numpy as np
import pytest

from aacsfnet.times import peak_mib


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_a_program_is_not_told_the_memory_of_the_one_that_started_it():
    held = np.ones(400 << 17)  # 400 MiB
    command = "from aacsfnet.times import peak_mib; print(peak_mib())"
    said = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    ).stdout
    assert peak_mib() > held.nbytes / 2**20
    assert 5 < float(said) < 200
