"""Readout and shifter: positions from cortex, drawn in training, shifted by the eye."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from striate.errors import InputError
from striate.models import FeatureMaps, GaussianSettings, MapGeometry, MLPShifter, MLPShifterSettings
from striate.models.readouts import GaussianReadout, cortical_positions, gaussian

COORDINATES = hnp.arrays(
    np.float64, st.tuples(st.integers(2, 20), st.sampled_from([2, 3])), elements=st.floats(-1000, 1000, width=16)
)


@pytest.mark.slow
@settings(deadline=None)
@given(coordinates=COORDINATES, scale=st.floats(0.1, 100), shift=st.floats(-500, 500))
def test_cortical_positions_have_no_units(coordinates: np.ndarray, scale: float, shift: float) -> None:
    positions = cortical_positions(coordinates)
    assert np.abs(positions).max() == 1 or not positions.any()
    np.testing.assert_allclose(positions.mean(axis=0), 0, atol=1e-6)  # float32, between -1 and 1
    moved = scale * coordinates + shift
    extent = np.ptp(coordinates[:, :2], axis=0).max()
    if extent > 1e-3:
        # rounding of the moved coordinates, in units of their extent, and that of the result to float32
        rounding = 8 * np.finfo(np.float64).eps * np.abs(moved).max() / (scale * extent) + np.finfo(np.float32).eps
        np.testing.assert_allclose(cortical_positions(moved), positions, rtol=0, atol=rounding)


def test_one_scalar_divides_both_columns() -> None:
    positions = cortical_positions([[0, 0], [400, 100]])
    np.testing.assert_allclose(positions, [[-1, -0.25], [1, 0.25]])


def test_a_single_neuron_stands_in_the_middle() -> None:
    np.testing.assert_array_equal(cortical_positions([[300.0, 200.0, 10.0]]), [[0, 0]])


@pytest.mark.parametrize(
    ("coordinates", "says"),
    [(np.zeros((3, 4)), "shape"), (np.zeros((0, 2)), "at least one"), ([[0, np.nan]], "neuron 0 is not finite")],
)
def test_unusable_coordinates(coordinates: object, says: str) -> None:
    with pytest.raises(InputError, match=says):
        cortical_positions(coordinates)  # type: ignore[arg-type]


def readout(neurons: int = 40, channels: int = 3, **settings_: float) -> GaussianReadout:
    torch.manual_seed(0)
    coordinates = np.random.default_rng(0).normal(size=(neurons, 2))
    return GaussianReadout(
        GaussianSettings.model_validate(settings_), coordinates, FeatureMaps(channels, MapGeometry.identity(5, 7))
    )


def test_initial_values() -> None:
    model = readout(neurons=2000, channels=64)
    assert torch.all(model.features == 1 / 64)
    assert torch.all(model.bias == 0)
    spread = model.spread.detach()
    assert spread.abs().max() <= 0.1
    assert spread.std().item() == pytest.approx(0.1 / 3**0.5, rel=0.05)
    assert model.regulariser().item() == pytest.approx(0.0076 * 2000, rel=1e-4)


def test_a_neuron_may_leave_the_position_that_cortex_predicts() -> None:
    model = readout(offset_width=0.5, l1_weight=0.0)
    predicted = model.mean_positions().detach().clone()
    torch.testing.assert_close(predicted, readout().mean_positions().detach())
    with torch.no_grad():
        model.offsets[3, 0] = 0.5
    moved = (model.mean_positions().detach() - predicted).abs() > 1e-6
    assert moved.nonzero().tolist() == [[3, 0]]
    assert model.regulariser().item() == pytest.approx(0.5)


def test_features_may_start_without_effect() -> None:
    model = readout(initial_features=0.0)
    assert torch.all(model(torch.randn(4, 3, 5, 7)) == 0)


def recorded_positions(model: GaussianReadout, monkeypatch: pytest.MonkeyPatch, **arguments: object) -> torch.Tensor:
    seen: list[torch.Tensor] = []

    def spy(maps: torch.Tensor, positions: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        seen.append(positions.detach())
        return torch.zeros(len(maps), len(rest[0]))

    monkeypatch.setattr(gaussian, "sample_and_project", spy)
    model(torch.zeros(50, 3, 5, 7), **arguments)
    return seen[0]


def test_evaluation_reads_at_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    model = readout().eval()
    assert torch.equal(recorded_positions(model, monkeypatch), model.mean_positions())


def test_training_draws_a_position_for_each_image_and_neuron(monkeypatch: pytest.MonkeyPatch) -> None:
    model = readout(neurons=3)
    sigma = torch.tensor([[0.2, 0.0], [0.1, 0.05]])
    with torch.no_grad():
        model.spread.copy_(sigma.expand(3, 2, 2))
    drawn = torch.cat([recorded_positions(model, monkeypatch) for _ in range(100)])
    deviations = drawn - model.mean_positions().detach()
    assert len(torch.unique(deviations[..., 0])) > 0.9 * deviations[..., 0].numel()
    covariance = torch.cov(deviations[:, 0].T)
    torch.testing.assert_close(covariance, sigma @ sigma.T, atol=0.003, rtol=0.1)


def test_drawn_positions_are_clamped_but_shifted_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    model = readout(init_sigma=1.0)
    with torch.no_grad():
        model.spread.mul_(10)
    drawn = recorded_positions(model, monkeypatch)
    assert drawn.abs().max() == 1
    shift = torch.full((50, 2), 0.5)
    assert recorded_positions(model, monkeypatch, shift=shift).max() == 1.5


def test_a_shift_moves_the_positions_of_its_image(monkeypatch: pytest.MonkeyPatch) -> None:
    model = readout().eval()
    shift = torch.linspace(-0.3, 0.3, 100).reshape(50, 2)
    positions = recorded_positions(model, monkeypatch, shift=shift)
    torch.testing.assert_close(positions, model.mean_positions().detach() + shift[:, None])


@pytest.mark.parametrize(("layers", "hidden"), [(3, 5), (1, 5), (2, 9)])
def test_shifter(layers: int, hidden: int) -> None:
    shifter = MLPShifter(MLPShifterSettings(layers=layers, hidden_units=hidden))
    assert sum(p.numel() for p in shifter.parameters()) == {3: 15 + 30 + 12, 1: 6, 2: 27 + 20}[layers]
    assert len(shifter.layers) == layers
    shift = shifter(100 * torch.randn(7, 2))
    assert shift.shape == (7, 2)
    assert shift.abs().max() <= 1


def test_a_shifter_that_starts_at_zero_learns() -> None:
    shifter = MLPShifter(MLPShifterSettings(zero_start=True))
    shift = shifter(torch.randn(7, 2))
    assert torch.all(shift == 0)
    shift.sum().backward()
    assert shifter.layers[-1].bias.grad is not None
    assert torch.all(shifter.layers[-1].bias.grad != 0)
