"""What the modulators of the trials around a trial compute: splines, weighted means, smoothed gains, components of the past."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.data import Batch, Context, ContextSettings
from striate.models import ModelInputs
from striate.models.modulators.history import HistoryModulator, HistorySettings
from striate.models.modulators.slow_gain import SlowGainModulator, SlowGainSettings

TRIALS, NEURONS = 120, 6
WINDOW = ContextSettings(past=12, future=12)


def slow_gain(**keys: Any) -> SlowGainModulator:
    torch.manual_seed(0)
    inputs = ModelInputs((1, 36, 64), behavior_size=2, context=WINDOW, context_size=2, trials={"mouse": TRIALS})
    modulator = SlowGainModulator(SlowGainSettings(**keys), inputs, NEURONS)
    with torch.no_grad():
        for values in modulator.parameters():
            values.normal_(std=0.3)
    return modulator


def session(behavior: torch.Tensor) -> Context:
    """The context of every trial of a session with this behaviour, (T, 2)."""
    positions = torch.arange(TRIALS)
    places = positions[:, None] + torch.arange(-WINDOW.past, WINDOW.future + 1)
    exists = (places >= 0) & (places < TRIALS)
    return Context(behavior[places.clamp(0, TRIALS - 1)] * exists[:, :, None], exists, positions)


def gains(modulator: SlowGainModulator, context: Context) -> torch.Tensor:
    return modulator.modulate_rates(torch.ones(len(context), NEURONS), torch.empty(0), None, context).detach()


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), trial=st.integers(0, TRIALS - 1))
def test_a_gain_of_the_past_does_not_see_later_behaviour(seed: int, trial: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    behavior = torch.randn(TRIALS, 2, generator=generator)
    changed = behavior.clone()
    changed[trial + 1 :] = torch.randn(TRIALS - trial - 1, 2, generator=generator)
    modulator = slow_gain(past_only=True, time_constants=[3.0], drift_trials=9.0)
    before, after = gains(modulator, session(behavior)), gains(modulator, session(changed))
    assert torch.equal(after[: trial + 1], before[: trial + 1])


def test_the_weighted_means_are_those_of_their_definition() -> None:
    behavior = torch.randn(TRIALS, 2, generator=torch.Generator().manual_seed(1))
    modulator = slow_gain(time_constants=[4.0])
    means = modulator._means(session(behavior)).detach().reshape(TRIALS, 3, 2)  # itself, before, after
    for trial in (0, 5, 60, TRIALS - 1):
        assert torch.equal(means[trial, 0], behavior[trial])
        for place, sign in ((1, -1), (2, 1)):
            near = [(d, trial + sign * d) for d in range(1, 13) if 0 <= trial + sign * d < TRIALS]
            weights = np.exp([-d / 4.0 for d, _ in near])
            values = behavior[[t for _, t in near]].numpy()
            expected = weights @ values / weights.sum() if near else np.zeros(2)
            np.testing.assert_allclose(means[trial, place], expected, atol=1e-5)


def test_the_spline_is_smooth_and_has_no_mean_over_its_knots() -> None:
    modulator = slow_gain(time_constants=[], drift_trials=20.0)
    drift = modulator.shared_gains(session(torch.zeros(TRIALS, 2))).detach()[:, 0].double()
    assert float(drift.diff(n=3).abs().max()) < 0.01 * float(
        drift.std()
    )  # third differences of a cubic at steps of 1/20
    assert modulator.drift is not None
    with torch.no_grad():
        modulator.drift.fill_(7.0)  # a constant is left to the biases of the neurons
    assert torch.equal(gains(modulator, session(torch.zeros(TRIALS, 2))), torch.ones(TRIALS, NEURONS))


def test_a_slow_gain_is_found_again() -> None:
    truth = 0.5 * torch.sin(torch.arange(TRIALS) / 9.0)
    responses = truth.exp()[:, None].expand(-1, NEURONS)
    torch.manual_seed(0)
    inputs = ModelInputs((1, 36, 64), context=WINDOW, context_size=2, trials={"mouse": TRIALS})
    chosen = SlowGainSettings(time_constants=(), drift_trials=6.0, drift_weight=0.1)
    modulator, context = SlowGainModulator(chosen, inputs, NEURONS), session(torch.zeros(TRIALS, 2))
    weights = list(modulator.parameters())
    for _ in range(150):
        rates = modulator.modulate_rates(torch.ones(TRIALS, NEURONS), torch.empty(0), None, context)
        loss = (rates - responses * rates.log()).sum() + modulator.regulariser()
        with torch.no_grad():
            for value, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
                value.sub_(0.01 * gradient)
    found = modulator.shared_gains(context).detach()[:, 0]
    assert np.corrcoef(found, truth)[0, 1] > 0.98


def history(**keys: Any) -> HistoryModulator:
    past = ContextSettings(past_responses=(1, 4))
    inputs = ModelInputs((1, 36, 64), context=past, trials={"mouse": TRIALS}, measured_trials={"mouse": TRIALS // 2})
    return HistoryModulator(HistorySettings(**keys), inputs, NEURONS)


def test_the_learnt_gain_is_averaged_over_earlier_trials_with_a_half_gaussian() -> None:
    modulator = history(gain_sigma=3.0, state_components=0)
    with torch.no_grad():
        modulator.gain.normal_(generator=torch.Generator().manual_seed(2))
    before = torch.tensor([-1, 0, 1, 5, 40, TRIALS // 2])
    smoothed = modulator._smoothed_gain(before).detach()
    for count, value in zip(before.tolist(), smoothed.tolist(), strict=True):
        if count < 1:
            assert value == 0
            continue
        distance = np.arange(1, min(count, len(modulator._taps)) + 1)
        weights = np.exp(-0.5 * (distance / 3.0) ** 2)
        assert value == pytest.approx(
            weights @ modulator.gain.detach().numpy()[count - distance] / weights.sum(), abs=1e-5
        )


def test_the_components_are_those_that_predict_the_next_responses() -> None:
    generator = torch.Generator().manual_seed(3)
    past = torch.randn(400, 2, NEURONS, generator=generator)
    direction, read = torch.randn(NEURONS, generator=generator), torch.randn(NEURONS, generator=generator)
    responses = torch.outer(past[:, 0] @ direction, read) + 0.1 * torch.randn(400, NEURONS, generator=generator)
    zeros = torch.zeros(400, 1, 0)
    context = Context(zeros, zeros[:, :, 0:0].bool(), torch.arange(400), past, torch.arange(400))
    batch = Batch("mouse", "train", torch.arange(400), torch.zeros(400, 1, 1, 1), responses, context=context)
    modulator = history(state_components=1)
    modulator.initialise([batch.take(torch.arange(200)), batch.take(torch.arange(200, 400))])
    found = modulator.components[:, 0]
    assert abs(float(torch.nn.functional.cosine_similarity(found, direction, dim=0))) > 0.99
    assert float((past[:, 0] @ found).std()) == pytest.approx(1.0, rel=0.05)
