"""What the operators need of a process: how they are registered, which threads they start, what the environment may say."""

import os
import subprocess
import sys

import pytest
import torch

from striate.models.kernels import batchnorm_elu, depthwise_conv, readout

MAPS = torch.randn(2, 16, 5, 6).contiguous(memory_format=torch.channels_last)
RUN = """
import sys, torch, warnings
warnings.simplefilter("always")
from striate.models.kernels import sample_and_project
maps = torch.ones(2, 16, 5, 6, requires_grad=True)
rates = sample_and_project(maps, torch.zeros(7, 2), torch.ones(7, 16), torch.zeros(7))
rates.sum().backward()
assert torch.equal(rates, torch.full((2, 7), 16.0)), rates
assert maps.grad.sum() == 2 * 7 * 16
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a Python of its own, in which nothing of OpenMP or numba is set but what is said."""
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_", "NUMBA_")) or k == "NUMBA_CACHE_DIR"
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=kept | environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.slow
def test_a_first_call_imports_no_compiler() -> None:
    """``torch._dynamo`` takes seconds to import."""
    run(RUN + "assert 'torch._dynamo' not in sys.modules", OMP_NUM_THREADS="1")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operator", "arguments"),
    [
        (readout._sample_and_project, (MAPS, torch.zeros(1, 7, 2), torch.randn(7, 16))),
        (depthwise_conv._depthwise, (MAPS, torch.randn(16, 1, 3, 3))),
        (batchnorm_elu._normalised_elu, (MAPS, torch.ones(16), torch.zeros(16), 1e-5)),
    ],
)
def test_operators_keep_the_contract_of_pytorch(operator: object, arguments: tuple[object, ...]) -> None:
    given = [a.clone().requires_grad_() if isinstance(a, torch.Tensor) else a for a in arguments]
    checks = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(operator, tuple(given), test_utils=checks)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "works", "says"),
    [
        ("NUMBA_THREADING_LAYER", "no-such-layer", True, "unset NUMBA_THREADING_LAYER"),
        ("NUMBA_THREADING_LAYER", "workqueue", True, ""),
        ("NUMBA_NUM_THREADS", "0", False, "needs numba"),
        ("NUMBA_DISABLE_JIT", "1", False, "NUMBA_DISABLE_JIT is set"),
    ],
)
@pytest.mark.slow
def test_settings_of_numba_that_do_not_work_here(name: str, value: str, works: bool, says: str) -> None:
    code = f"from striate.models.kernels.dispatch import cpu_kernels; assert (cpu_kernels() is not None) is {works}"
    done = run(f"{RUN}{code}", **{name: value, "OMP_NUM_THREADS": "1"})
    assert says in done.stderr or (says == "needs numba" and "need numba" in done.stderr)
    assert done.stderr.count("Warning:") == bool(says)


@pytest.mark.slow
def test_a_layer_whose_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """TBB in the environment of a machine without it, as a module system may leave it."""
    code = "import sys; sys.modules['numba.np.ufunc.tbbpool'] = None\n" + RUN
    done = run(code, NUMBA_THREADING_LAYER="tbb", OMP_NUM_THREADS="1")
    assert "asks for (tbb), and uses" in done.stderr


SLEEPING = """
import os, torch
if torch.get_num_threads() == 1: torch.set_num_threads(2)
torch.randn(500, 500).exp()
from striate.models.kernels.openmp_threads import let_waiting_threads_sleep
before = len(os.listdir("/proc/self/task"))
libraries = let_waiting_threads_sleep()
after = len(os.listdir("/proc/self/task"))
assert let_waiting_threads_sleep() == libraries
assert len(os.listdir("/proc/self/task")) == after
print(len(libraries), after - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="libgomp is found in /proc")
def test_threads_that_wait_are_let_sleep() -> None:
    """Each OpenMP library gets a team that never works, so that it has more threads than there are cores."""
    libraries, threads = map(int, run(SLEEPING).stdout.split())
    if libraries == 0:
        pytest.skip("PyTorch does not use libgomp here")
    assert threads >= 2 * libraries


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"])
def test_the_environment_decides_how_threads_wait(setting: str) -> None:
    value = {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "100"}[setting]
    assert run(SLEEPING, **{setting: value}).stdout.split() == ["0", "0"]


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of threads are those of Linux")
def test_too_few_threads_do_not_end_the_process() -> None:
    """Where libgomp cannot start a thread, it ends the process: so it is not asked to."""
    code = """
import threading, torch
if torch.get_num_threads() == 1: torch.set_num_threads(2)
from striate.models.kernels.openmp_threads import let_waiting_threads_sleep
def refuse(_): raise RuntimeError("can't start new thread")
start, threading.Thread.start = threading.Thread.start, refuse
assert let_waiting_threads_sleep() == ()
"""
    run(code)
