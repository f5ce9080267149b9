"""The schedule: when the rate is reduced, when the best weights come back, when training ends."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.training.early_stopping import Schedule, Verdict
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


def run(schedule: Schedule, correlations: list[float]) -> list[Verdict]:
    verdicts = []
    for correlation in correlations:
        if schedule.finished:
            break
        verdicts.append(schedule.complete_epoch(correlation))
    return verdicts


def test_the_rate_reduced_at_each_stall() -> None:
    """Four plateaus of five epochs; three reductions, to 0.000243."""
    schedule = Schedule(ScheduleSettings(lr_patience=5), best=0.5)
    rates, restored = [], []
    while not schedule.finished:
        rates.append(schedule.learning_rate)
        if schedule.complete_epoch(0.1).restore:
            restored.append(schedule.epoch)
    assert rates == pytest.approx([0.009] * 5 + [0.0027] * 5 + [0.00081] * 5 + [0.000243] * 5)
    assert restored == [5, 10, 15, 20]
    assert (schedule.best, schedule.best_epoch) == (0.5, 0)


def test_an_improvement_starts_the_wait_anew() -> None:
    schedule = Schedule(ScheduleSettings(lr_patience=5), best=0.0)
    verdicts = run(schedule, [0.1, 0, 0, 0, 0, 0.2, 0, 0, 0, 0, 0])
    assert [v.improved for v in verdicts] == [True] + [False] * 4 + [True] + [False] * 5
    assert [v.restore for v in verdicts] == [False] * 10 + [True]
    assert schedule.learning_rate == pytest.approx(0.0027)
    assert (schedule.best, schedule.best_epoch) == (0.2, 6)


def test_the_untrained_model_is_the_first_best() -> None:
    schedule = Schedule(ScheduleSettings(patience=1, max_plateaus=1), best=0.3)
    assert schedule.complete_epoch(0.3) == Verdict(improved=False, restore=True, finished=True)
    assert schedule.best_epoch == 0


@pytest.mark.parametrize(("gain", "improved"), [(0.5e-6, False), (2e-6, True)])
def test_an_improvement_exceeds_the_tolerance(gain: float, improved: bool) -> None:
    assert Schedule(ScheduleSettings(), best=0.1).complete_epoch(0.1 + gain).improved is improved


def test_the_last_epoch_ends_it() -> None:
    better = Schedule(ScheduleSettings(max_epochs=2), best=0.0)
    assert run(better, [0.1, 0.2, 0.3])[-1] == Verdict(improved=True, restore=False, finished=True)
    worse = Schedule(ScheduleSettings(max_epochs=2), best=0.0)
    assert run(worse, [0.1, 0.0, 0.3])[-1] == Verdict(improved=False, restore=True, finished=True)


def test_the_schedule_of_2022_without_any_improvement() -> None:
    """The restored weights get one more epoch at the old rate; it is reduced only if that does not improve either."""
    schedule = Schedule(ScheduleSettings(), best=0.5)
    rates = []
    while not schedule.finished:
        rates.append(schedule.learning_rate)
        schedule.complete_epoch(0.1)
    assert rates == pytest.approx([0.009] * 6 + [0.0027] * 6 + [0.00081] * 6 + [0.000243] * 2)
    lucky = Schedule(ScheduleSettings(), best=0.5)
    run(lucky, [0.1] * 5 + [0.6] + [0.1] * 5)
    assert (lucky.plateaus, lucky.learning_rate) == (2, 0.009)


@settings(deadline=None)
@given(chosen=SETTINGS, correlations=CORRELATIONS)
def test_laws_of_a_course(chosen: ScheduleSettings, correlations: list[float]) -> None:
    schedule = Schedule(chosen, best=correlations[0])
    held = best = correlations[0]  # the correlation of the weights at hand, and of those that were kept
    rate = schedule.learning_rate
    for correlation in correlations[1:]:
        if schedule.finished:
            break
        verdict = schedule.complete_epoch(correlation)
        held = correlation
        if verdict.improved:
            best = correlation
        if verdict.restore:
            held = best
        assert schedule.best == best
        assert not (verdict.improved and verdict.restore)
        assert schedule.learning_rate <= rate
        rate = schedule.learning_rate
        assert verdict.finished == schedule.finished
        if verdict.finished:
            assert held == best, "training ends with the best weights"
    assert schedule.epoch <= chosen.max_epochs
    assert schedule.plateaus <= chosen.max_plateaus
    assert schedule.reductions <= schedule.epoch // chosen.lr_patience


@settings(deadline=None)
@given(chosen=SETTINGS, correlations=CORRELATIONS, data=st.data())
def test_it_goes_on_from_its_state(chosen: ScheduleSettings, correlations: list[float], data: st.DataObject) -> None:
    whole = Schedule(chosen, best=0.0)
    verdicts = run(whole, correlations)
    cut = data.draw(st.integers(0, len(verdicts)))
    first = Schedule(chosen, best=0.0)
    run(first, correlations[:cut])
    second = Schedule.from_state(chosen, json.loads(json.dumps(first.state())))
    assert run(second, correlations[cut:]) == verdicts[cut:]
    assert second == whole


@pytest.mark.parametrize("state", [{}, {"best": "high"}, {"best": 0.1, "epoch": None}])
def test_a_state_that_is_none(state: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Schedule.from_state(ScheduleSettings(), state)
