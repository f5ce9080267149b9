"""The fused kernels of sampling and projecting: the same values and gradients as the reference implementation."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from striate.errors import StriateWarning
from striate.models.kernels import current_backend, dispatch, sample_and_project, use_backend

pytest.importorskip("numba", reason="the fused kernel on a CPU needs numba")


def outcome(chosen: str, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """Value and gradients of one backend."""
    copies = [t.detach().clone(memory_format=torch.preserve_format).requires_grad_() for t in inputs]
    with use_backend(chosen):  # type: ignore[arg-type]
        out = sample_and_project(*copies)  # type: ignore[arg-type]
        (out * torch.linspace(-1, 2, out.numel(), dtype=out.dtype).reshape(out.shape)).sum().backward()
    return [out.detach(), *(t.grad for t in copies if t.grad is not None)]


@st.composite
def cases(draw: st.DrawFn) -> tuple[Tensor, ...]:
    """Maps of any shape and memory layout, positions inside, on the border and outside."""
    size = st.integers(1, 6)
    batch, channels, height, width, neurons = (draw(size) for _ in range(5))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    number = draw(st.sampled_from([torch.float32, torch.float64]))
    maps = torch.randn(batch, channels, height, width, generator=generator, dtype=number)
    if draw(st.booleans()):
        maps = maps.contiguous(memory_format=torch.channels_last)
    shape = (neurons, 2) if draw(st.booleans()) else (batch, neurons, 2)
    positions = 3 * torch.rand(shape, generator=generator, dtype=number) - 1.5
    special = torch.rand(shape, generator=generator)
    positions[special < 0.15] = 1.0
    positions[special > 0.85] = -1.0
    positions[(special > 0.5) & (special < 0.55)] = 1e20
    features = torch.randn(channels, neurons, generator=generator, dtype=number).T  # not contiguous
    return maps, positions, features, torch.randn(neurons, generator=generator, dtype=number)


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(cases())
def test_agrees_with_the_plain_form(inputs: tuple[Tensor, ...]) -> None:
    tolerance = {"rtol": 1e-4, "atol": 1e-4} if inputs[0].dtype == torch.float32 else {"rtol": 1e-9, "atol": 1e-9}
    plain, fused = outcome("reference", inputs), outcome("auto", inputs)
    assert len(fused) == 5
    for a, b in zip(plain, fused, strict=True):
        assert a.shape == b.shape
        # the slope at a kink, exactly on a row or column of places, is that to its right in both forms
        torch.testing.assert_close(b, a, **tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("shared", [True, False])
def test_gradients_are_those_of_the_value(shared: bool) -> None:
    generator = torch.Generator().manual_seed(3)
    maps = torch.randn(3, 4, 5, 7, generator=generator, dtype=torch.float64)
    shape = (6, 2) if shared else (3, 6, 2)
    positions = 2.6 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1.3
    features = torch.randn(6, 4, generator=generator, dtype=torch.float64)
    inputs = [t.requires_grad_() for t in (maps, positions, features, torch.zeros(6, dtype=torch.float64))]
    assert torch.autograd.gradcheck(sample_and_project, inputs)
    value = sample_and_project(*inputs)
    assert "striate" in value.grad_fn.next_functions[0][0].name()  # type: ignore[union-attr]  # and not of the reference implementation


def test_a_frozen_core_costs_no_gradient_of_the_maps() -> None:
    maps, positions, features = torch.randn(2, 3, 4, 5), torch.rand(2, 6, 2), torch.randn(6, 3)
    frozen = sample_and_project(maps, positions.requires_grad_(), features.requires_grad_(), torch.zeros(6))
    (frozen * torch.linspace(-1, 2, 12).reshape(2, 6)).sum().backward()
    given_ = (maps, positions, features, torch.zeros(6))
    for tensor, expected in zip((positions, features), outcome("reference", given_)[2:4], strict=True):
        torch.testing.assert_close(tensor.grad, expected)
    assert maps.grad is None


def test_a_position_that_is_no_number_is_not_hidden() -> None:
    positions = torch.tensor([[0.0, 0.0], [float("nan"), 0.0]])
    out = sample_and_project(torch.ones(1, 2, 3, 3), positions, torch.ones(2, 2), torch.zeros(2))
    assert out[0, 0] == 2
    assert out[0, 1].isnan()


def test_other_types_are_left_to_the_plain_form() -> None:
    inputs = torch.ones(1, 2, 3, 3).bfloat16(), torch.zeros(1, 2).bfloat16(), torch.ones(1, 2).bfloat16()
    assert sample_and_project(*inputs, torch.zeros(1).bfloat16()).item() == 2
    nobody = sample_and_project(torch.ones(1, 2, 3, 3), torch.zeros(0, 2), torch.ones(0, 2), torch.zeros(0))
    assert nobody.shape == (1, 0)


def test_a_missing_compiler_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "striate.models.kernels.readout_numba", raising=False)
    monkeypatch.delattr("striate.models.kernels.readout_numba", raising=False)
    dispatch.cpu_kernels.cache_clear()
    inputs = (torch.randn(2, 3, 4, 5), torch.rand(6, 2), torch.randn(6, 3), torch.zeros(6))
    with pytest.warns(StriateWarning, match="need numba.*results are the same, but slower"):
        first = sample_and_project(*inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = sample_and_project(*inputs)
    dispatch.cpu_kernels.cache_clear()
    assert torch.equal(first, second)


def test_forms_are_chosen_within_a_block() -> None:
    assert current_backend() == "auto"
    with use_backend("reference"):
        assert current_backend() == "reference"
    assert current_backend() == "auto"
    with pytest.raises(ValueError, match="use 'auto' or 'reference'"), use_backend("fast"):  # type: ignore[arg-type]
        pass


@pytest.mark.slow
def test_pytorch_keeps_its_threads() -> None:
    """Both may share OpenMP; with other threads, PyTorch rounds otherwise from the second step on."""
    script = (
        "import torch\n"
        "from striate.models.kernels import sample_and_project\n"
        "maps = torch.randn(2, 3, 4, 5, requires_grad=True)\n"
        "sample_and_project(maps, torch.rand(2, 6, 2), torch.randn(6, 3), torch.zeros(6)).sum().backward()\n"
        "print(torch.get_num_threads())\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "2"}
    ran = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["1"]


@pytest.mark.slow
def test_a_second_process_finds_what_the_first_compiled(tmp_path: Path) -> None:
    script = (
        "import torch, numba.core.event as e\n"
        "from striate.models.kernels import sample_and_project, readout_numba\n"
        "maps = torch.randn(2, 3, 4, 5, requires_grad=True)\n"
        "sample_and_project(maps, torch.rand(2, 6, 2), torch.randn(6, 3), torch.zeros(6)).sum().backward()\n"
        "print(sum(readout_numba._forward.stats.cache_hits.values()), sum(readout_numba._backward.stats.cache_hits.values()))\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    hits = [
        subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert [one.stdout.split() for one in hits] == [["0", "0"], ["1", "1"]]


@pytest.mark.slow
def test_the_kernels_for_gpus_agree() -> None:
    """On a GPU where there is one, in Triton's interpreter otherwise."""
    pytest.importorskip("triton", reason="the fused kernel on a GPU needs Triton")
    environment = dict(os.environ)
    if not torch.cuda.is_available():
        environment["TRITON_INTERPRET"] = "1"
    script = Path(__file__).with_name("gpu_agreement.py")
    ran = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "8 cases agree" in ran.stdout
