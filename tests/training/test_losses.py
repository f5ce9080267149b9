"""The losses, by their formulas; losses of one's own; weights of neurons."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.torch import load_file
from tests.fixtures.recordings import small_recording
from tests.training.small import small_recipe

from striate.errors import InputError
from striate.registry import losses
from striate.training import Run, load_recipe, train
from striate.training.losses import batch_weight, poisson, squared_error, total_loss
from striate.training.recipe import LossSettings

ARRAYS = hnp.arrays(np.float64, (2, 3, 4), elements=st.floats(0, 50))
RECORDING = small_recording(neurons=6, training=32)
SESSION = RECORDING.session


@settings(deadline=None)
@given(both=ARRAYS)
def test_formulas(both: np.ndarray) -> None:
    p, r = both
    tensors = torch.from_numpy(p), torch.from_numpy(r)
    np.testing.assert_allclose(poisson(*tensors).numpy(), p - r * np.log(p + 1e-8), atol=1e-9)
    np.testing.assert_allclose(squared_error(*tensors).numpy(), (p - r) ** 2, atol=1e-9)


@settings(deadline=None)
@given(both=ARRAYS)
def test_the_responses_themselves_are_the_best_prediction(both: np.ndarray) -> None:
    r, other = map(torch.from_numpy, both + 0.1)
    for name in ("poisson", "squared_error"):
        loss = losses[name].value
        assert loss(r, r).sum() <= loss(other, r).sum() + 1e-6


def test_a_rate_of_zero_is_finite() -> None:
    assert torch.isfinite(poisson(torch.zeros(1), torch.ones(1)))


@pytest.mark.slow
@settings(deadline=None)
@given(
    values=hnp.arrays(np.float64, (3, 4), elements=st.floats(0, 50)),
    weights=hnp.arrays(np.float64, 4, elements=st.floats(0, 9)),
)
def test_weights_multiply_the_loss_of_each_neuron(values: np.ndarray, weights: np.ndarray) -> None:
    given_, weighted = torch.from_numpy(values), torch.from_numpy(weights)
    assert total_loss(given_, weighted).item() == pytest.approx(float((values * weights).sum()), abs=1e-9)
    assert total_loss(given_[0], weighted).item() == pytest.approx(float((values[0] * weights).sum()), abs=1e-9)
    assert total_loss(given_).item() == given_.sum().item()


def test_a_loss_without_values_by_neuron_cannot_be_weighted() -> None:
    with pytest.raises(InputError, match=r"shape \(\), which cannot be weighted by neuron: return"):
        total_loss(torch.ones(()), torch.ones(3))


def test_the_weight_makes_short_batches_count_as_long_ones() -> None:
    assert batch_weight(6955, 128) == pytest.approx(np.sqrt(6955 / 128))
    assert 32 * batch_weight(1000, 32) ** 2 == pytest.approx(1000)


@pytest.fixture
def plugin() -> Iterator[None]:
    class PowerSettings(LossSettings):
        exponent: float = 2.0

    @losses.register("power", settings=PowerSettings)
    def power(rates: torch.Tensor, responses: torch.Tensor, *, settings: PowerSettings) -> torch.Tensor:
        return (rates - responses).abs() ** settings.exponent

    @losses.register("mean_error")
    def mean_error(rates: torch.Tensor, responses: torch.Tensor) -> torch.Tensor:
        return (rates - responses).square().mean(dim=0)

    yield
    losses.forget(__name__)


def trained(folder: Path, loss: dict[str, Any], **options: Any) -> dict[str, torch.Tensor]:
    overrides = {f"loss__{key}": value for key, value in loss.items()}
    run = train(small_recipe(schedule__max_epochs=1, **overrides), RECORDING, folder, progress=False, **options)
    return load_file(run.folder / "weights.safetensors")


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.slow
@pytest.mark.usefixtures("plugin")
def test_losses_of_ones_own_with_and_without_settings(tmp_path: Path) -> None:
    square = trained(tmp_path / "square", {"type": "squared_error"})
    power = trained(tmp_path / "power", {"type": "power", "exponent": 2.0})
    assert all(torch.allclose(square[name], power[name], rtol=1e-3, atol=1e-5) for name in square)
    assert not same(power, trained(tmp_path / "cubic", {"type": "power", "exponent": 3.0}))
    assert not same(square, trained(tmp_path / "mean", {"type": "mean_error"}))
    with pytest.raises(InputError, match=r"\[loss\] has no key 'exponant': did you mean 'exponent'"):
        small_recipe(loss__type="power", loss__exponant=2.0)
    with pytest.raises(InputError, match="There is no loss 'powr': did you mean 'power'"):
        small_recipe(loss__type="powr")


def test_settings_of_a_loss_derive_from_loss_settings() -> None:
    from striate.registry import Settings

    class Bare(Settings):
        pass

    with pytest.raises(InputError, match=r"expected a class derived from striate\.training\.LossSettings"):
        losses.register("bare", settings=Bare)(squared_error)
    assert "bare" not in losses


@pytest.mark.slow
def test_weights_come_from_a_table_or_from_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = np.arange(6.0)
    table = pd.DataFrame({"session": SESSION, "unit_id": RECORDING.unit_ids, "weight": weights})[::-1]
    table.to_csv(tmp_path / "weights.csv", index=False)
    table.to_parquet(tmp_path / "weights.parquet", index=False)
    array = trained(tmp_path / "array", {}, neuron_weights={SESSION: weights})
    for name in ("weights.csv", "weights.parquet"):
        assert same(array, trained(tmp_path / f"run {name}", {"neuron_weights": str(tmp_path / name)}))
    series = pd.Series(weights, index=RECORDING.unit_ids)[::-1]
    assert same(array, trained(tmp_path / "series", {}, neuron_weights={SESSION: series}))
    plain = trained(tmp_path / "plain", {})
    assert not same(array, plain)
    assert same(plain, trained(tmp_path / "ones", {}, neuron_weights={SESSION: np.ones(6)}))
    neurons = pd.read_parquet(tmp_path / "array" / "neurons.parquet")
    assert neurons["loss_weight"].tolist() == weights.tolist()
    kept = Run.open(tmp_path / "run weights.csv").recipe
    assert kept.loss.neuron_weights == "weights.csv", "the folder belongs to this machine"


def test_the_table_of_weights_lies_beside_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "recipe.toml").write_text('[loss]\nneuron_weights = "weights.csv"\n')
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    for recipe in ("recipe.toml", tmp_path / "recipe.toml"):
        assert load_recipe(recipe).loss.neuron_weights == str(tmp_path / "weights.csv")
    monkeypatch.chdir(tmp_path / "elsewhere")
    loaded = load_recipe("../recipe.toml")
    assert Path(loaded.loss.neuron_weights or "").resolve() == tmp_path / "weights.csv"
    assert load_recipe(loaded).loss == loaded.loss
    changed = load_recipe("../recipe.toml", ["loss.neuron_weights=other.csv"])
    assert changed.loss.neuron_weights == "other.csv", (
        "relative to the current folder, as every path on the command line"
    )
    assert load_recipe({"loss": {"neuron_weights": "weights.csv"}}).loss.neuron_weights == "weights.csv"


@pytest.mark.slow
def test_a_neuron_without_weight_in_the_loss_learns_nothing(tmp_path: Path) -> None:
    weights = np.array([1.0, 1, 1, 0, 1, 1])
    recipe = small_recipe(schedule__max_epochs=1, model__readout__l1_weight=0.0)
    before = train(
        recipe, RECORDING, tmp_path / "a", neuron_weights={SESSION: weights}, overrides={"schedule.learning_rate": 1e-9}
    )
    after = train(recipe, RECORDING, tmp_path / "b", neuron_weights={SESSION: weights})
    first, last = (run.encoder().readout(SESSION).features for run in (before, after))
    moved = (first - last).abs().amax(dim=1)
    assert moved[3] == 0 or moved[3] < 1e-6 < moved[[0, 1, 2, 4, 5]].min()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"other": np.ones(6)}, "unknown session 'other'"),
        ({}, None),
        ({SESSION: np.ones(5)}, r"shape \(5,\); expected one weight for each of the 6 neurons"),
        ({SESSION: -np.ones(6)}, "must be finite and not negative"),
        ({SESSION: np.full(6, np.nan)}, "must be finite and not negative"),
        ({SESSION: np.zeros(6)}, "some above 0"),
        ({SESSION: pd.Series(np.ones(5), index=RECORDING.unit_ids[:5])}, "has no weight for units"),
    ],
)  # fmt: skip
def test_weights_that_cannot_be_used(given: Any, says: str | None, tmp_path: Path) -> None:
    if says is None:
        assert trained(tmp_path / "run", {}, neuron_weights=given)
        return
    with pytest.raises(InputError, match=says):
        trained(tmp_path / "run", {}, neuron_weights=given)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("session,unit_id\n1,2\n", "has no column 'weight'"),
        ("", "cannot be read as a table"),
        (f"session,unit_id,weight\n{SESSION},{RECORDING.unit_ids[0]},1\n{SESSION},{RECORDING.unit_ids[0]},1\n", "has several weights"),
        (None, "There is no table of neuron weights at"),
    ],
)  # fmt: skip
def test_tables_that_cannot_be_used(content: str | None, says: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "weights.csv").write_text(content)
    with pytest.raises(InputError, match=says):
        trained(tmp_path / "run", {"neuron_weights": str(tmp_path / "weights.csv")})


@pytest.mark.slow
def test_an_unfinished_run_goes_on_with_the_same_weights_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.training.trainer import Trainer

    def fails(*_: object) -> float:
        raise RuntimeError

    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(Trainer, "_step", fails)
        trained(tmp_path / "run", {}, neuron_weights={SESSION: np.arange(6.0)})
    with pytest.raises(InputError, match="the weights of its neurons in the loss differ"):
        trained(tmp_path / "run", {}, neuron_weights={SESSION: np.ones(6)})
    assert trained(tmp_path / "run", {}, neuron_weights={SESSION: np.arange(6.0)})
