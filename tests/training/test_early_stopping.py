"""Early stopping: when the learning rate is reduced, the best weights are restored, and training ends."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.training.early_stopping import EarlyStopping, EpochDecision
from striate.training.recipe import ScheduleSettings

CORRELATIONS = st.lists(st.floats(-1, 1, width=16), min_size=1, max_size=120)
SETTINGS = st.builds(
    ScheduleSettings,
    patience=st.integers(1, 6),
    max_plateaus=st.integers(1, 5),
    lr_patience=st.integers(1, 8),
    max_epochs=st.integers(1, 100),
    min_delta=st.sampled_from([0.0, 1e-6, 0.01]),
)


def run(early_stopping: EarlyStopping, correlations: list[float]) -> list[EpochDecision]:
    decisions = []
    for correlation in correlations:
        if early_stopping.finished:
            break
        decisions.append(early_stopping.complete_epoch(correlation))
    return decisions


def test_learning_rate_is_reduced_at_each_plateau() -> None:
    """Four plateaus of five epochs; three reductions, to 0.000243."""
    early_stopping = EarlyStopping(ScheduleSettings(lr_patience=5), best=0.5)
    rates, restored = [], []
    while not early_stopping.finished:
        rates.append(early_stopping.learning_rate)
        if early_stopping.complete_epoch(0.1).restore:
            restored.append(early_stopping.epoch)
    assert rates == pytest.approx([0.009] * 5 + [0.0027] * 5 + [0.00081] * 5 + [0.000243] * 5)
    assert restored == [5, 10, 15, 20]
    assert (early_stopping.best, early_stopping.best_epoch) == (0.5, 0)


def test_an_improvement_resets_patience() -> None:
    early_stopping = EarlyStopping(ScheduleSettings(lr_patience=5), best=0.0)
    decisions = run(early_stopping, [0.1, 0, 0, 0, 0, 0.2, 0, 0, 0, 0, 0])
    assert [v.improved for v in decisions] == [True] + [False] * 4 + [True] + [False] * 5
    assert [v.restore for v in decisions] == [False] * 10 + [True]
    assert early_stopping.learning_rate == pytest.approx(0.0027)
    assert (early_stopping.best, early_stopping.best_epoch) == (0.2, 6)


def test_the_untrained_model_is_the_first_best() -> None:
    early_stopping = EarlyStopping(ScheduleSettings(patience=1, max_plateaus=1), best=0.3)
    assert early_stopping.complete_epoch(0.3) == EpochDecision(improved=False, restore=True, finished=True)
    assert early_stopping.best_epoch == 0


@pytest.mark.parametrize(("gain", "improved"), [(0.5e-6, False), (2e-6, True)])
def test_an_improvement_exceeds_min_delta(gain: float, improved: bool) -> None:
    assert EarlyStopping(ScheduleSettings(), best=0.1).complete_epoch(0.1 + gain).improved is improved


def test_max_epochs_ends_training() -> None:
    better = EarlyStopping(ScheduleSettings(max_epochs=2), best=0.0)
    assert run(better, [0.1, 0.2, 0.3])[-1] == EpochDecision(improved=True, restore=False, finished=True)
    worse = EarlyStopping(ScheduleSettings(max_epochs=2), best=0.0)
    assert run(worse, [0.1, 0.0, 0.3])[-1] == EpochDecision(improved=False, restore=True, finished=True)


def test_the_schedule_of_2022_without_any_improvement() -> None:
    """The restored weights get one more epoch at the old rate; it is reduced only if that does not improve either."""
    early_stopping = EarlyStopping(ScheduleSettings(), best=0.5)
    rates = []
    while not early_stopping.finished:
        rates.append(early_stopping.learning_rate)
        early_stopping.complete_epoch(0.1)
    assert rates == pytest.approx([0.009] * 6 + [0.0027] * 6 + [0.00081] * 6 + [0.000243] * 2)
    lucky = EarlyStopping(ScheduleSettings(), best=0.5)
    run(lucky, [0.1] * 5 + [0.6] + [0.1] * 5)
    assert (lucky.plateaus, lucky.learning_rate) == (2, 0.009)


@settings(deadline=None)
@given(chosen=SETTINGS, correlations=CORRELATIONS)
def test_invariants(chosen: ScheduleSettings, correlations: list[float]) -> None:
    early_stopping = EarlyStopping(chosen, best=correlations[0])
    held = best = correlations[0]  # the correlation of the weights at hand, and of those that were kept
    rate = early_stopping.learning_rate
    for correlation in correlations[1:]:
        if early_stopping.finished:
            break
        decision = early_stopping.complete_epoch(correlation)
        held = correlation
        if decision.improved:
            best = correlation
        if decision.restore:
            held = best
        assert early_stopping.best == best
        assert not (decision.improved and decision.restore)
        assert early_stopping.learning_rate <= rate
        rate = early_stopping.learning_rate
        assert decision.finished == early_stopping.finished
        if decision.finished:
            assert held == best, "training ends with the best weights"
    assert early_stopping.epoch <= chosen.max_epochs
    assert early_stopping.plateaus <= chosen.max_plateaus
    assert early_stopping.lr_reductions <= early_stopping.epoch // chosen.lr_patience


@settings(deadline=None)
@given(chosen=SETTINGS, correlations=CORRELATIONS, data=st.data())
def test_it_continues_from_its_state(chosen: ScheduleSettings, correlations: list[float], data: st.DataObject) -> None:
    whole = EarlyStopping(chosen, best=0.0)
    decisions = run(whole, correlations)
    cut = data.draw(st.integers(0, len(decisions)))
    first = EarlyStopping(chosen, best=0.0)
    run(first, correlations[:cut])
    second = EarlyStopping.from_state(chosen, json.loads(json.dumps(first.state())))
    assert run(second, correlations[cut:]) == decisions[cut:]
    assert second == whole


@pytest.mark.parametrize("state", [{}, {"best": "high"}, {"best": 0.1, "epoch": None}])
def test_an_invalid_state_is_refused(state: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        EarlyStopping.from_state(ScheduleSettings(), state)
