"""Early stopping and the plateau schedule: when the rate is reduced, the best weights are restored, and training ends."""

import json
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.training.early_stopping import EarlyStopping
from striate.training.schedules import PlateauSchedule, PlateauSettings

CORRELATIONS = st.lists(st.floats(-1, 1, width=16), min_size=1, max_size=120)
SETTINGS = st.builds(
    PlateauSettings,
    patience=st.integers(1, 6),
    max_plateaus=st.integers(1, 5),
    lr_patience=st.integers(1, 8),
    max_epochs=st.integers(1, 100),
    min_delta=st.sampled_from([0.0, 1e-6, 0.01]),
)


@dataclass(frozen=True)
class Decision:
    improved: bool
    restore: bool
    finished: bool


class Both:
    """Early stopping and the plateau schedule, as the trainer joins them."""

    def __init__(self, chosen: PlateauSettings, best: float) -> None:
        self.early_stopping, self.schedule = EarlyStopping(chosen), PlateauSchedule(chosen)
        self.early_stopping.start(best)

    def complete_epoch(self, validation: float) -> Decision:
        self.early_stopping.update(validation)
        restore = self.schedule.update(self.early_stopping)
        improved, finished = self.early_stopping.improved, self.finished
        return Decision(improved, (restore or finished) and not improved, finished)

    @property
    def finished(self) -> bool:
        return self.early_stopping.finished

    @property
    def learning_rate(self) -> float:
        return self.schedule.learning_rate(self.early_stopping.epoch, 0, 10)


def run(both: Both, correlations: list[float]) -> list[Decision]:
    decisions = []
    for correlation in correlations:
        if both.finished:
            break
        decisions.append(both.complete_epoch(correlation))
    return decisions


def test_learning_rate_is_reduced_at_each_plateau() -> None:
    """Four plateaus of five epochs; three reductions, to 0.000243."""
    both = Both(PlateauSettings(lr_patience=5), best=0.5)
    rates, restored = [], []
    while not both.finished:
        rates.append(both.learning_rate)
        if both.complete_epoch(0.1).restore:
            restored.append(both.early_stopping.epoch)
    assert rates == pytest.approx([0.009] * 5 + [0.0027] * 5 + [0.00081] * 5 + [0.000243] * 5)
    assert restored == [5, 10, 15, 20]
    assert (both.early_stopping.best, both.early_stopping.best_epoch) == (0.5, 0)


def test_an_improvement_resets_patience() -> None:
    both = Both(PlateauSettings(lr_patience=5), best=0.0)
    decisions = run(both, [0.1, 0, 0, 0, 0, 0.2, 0, 0, 0, 0, 0])
    assert [v.improved for v in decisions] == [True] + [False] * 4 + [True] + [False] * 5
    assert [v.restore for v in decisions] == [False] * 10 + [True]
    assert both.learning_rate == pytest.approx(0.0027)
    assert (both.early_stopping.best, both.early_stopping.best_epoch) == (0.2, 6)


def test_the_untrained_model_is_the_first_best() -> None:
    both = Both(PlateauSettings(patience=1, max_plateaus=1), best=0.3)
    assert both.complete_epoch(0.3) == Decision(improved=False, restore=True, finished=True)
    assert both.early_stopping.best_epoch == 0


@pytest.mark.parametrize(("gain", "improved"), [(0.5e-6, False), (2e-6, True)])
def test_an_improvement_exceeds_min_delta(gain: float, improved: bool) -> None:
    assert Both(PlateauSettings(), best=0.1).complete_epoch(0.1 + gain).improved is improved


def test_max_epochs_ends_training() -> None:
    better = Both(PlateauSettings(max_epochs=2), best=0.0)
    assert run(better, [0.1, 0.2, 0.3])[-1] == Decision(improved=True, restore=False, finished=True)
    worse = Both(PlateauSettings(max_epochs=2), best=0.0)
    assert run(worse, [0.1, 0.0, 0.3])[-1] == Decision(improved=False, restore=True, finished=True)


def test_the_schedule_of_2022_without_any_improvement() -> None:
    """The restored weights get one more epoch at the old rate; it is reduced only if that does not improve either."""
    both = Both(PlateauSettings(), best=0.5)
    rates = []
    while not both.finished:
        rates.append(both.learning_rate)
        both.complete_epoch(0.1)
    assert rates == pytest.approx([0.009] * 6 + [0.0027] * 6 + [0.00081] * 6 + [0.000243] * 2)
    lucky = Both(PlateauSettings(), best=0.5)
    run(lucky, [0.1] * 5 + [0.6] + [0.1] * 5)
    assert (lucky.early_stopping.plateaus, lucky.learning_rate) == (2, 0.009)


@pytest.mark.slow
@settings(deadline=None)
@given(chosen=SETTINGS, correlations=CORRELATIONS)
def test_invariants(chosen: PlateauSettings, correlations: list[float]) -> None:
    both = Both(chosen, best=correlations[0])
    held = best = correlations[0]  # the correlation of the weights at hand, and of those that were kept
    rate = both.learning_rate
    for correlation in correlations[1:]:
        if both.finished:
            break
        decision = both.complete_epoch(correlation)
        held = correlation
        if decision.improved:
            best = correlation
        if decision.restore:
            held = best
        assert both.early_stopping.best == best
        assert not (decision.improved and decision.restore)
        assert both.learning_rate <= rate
        rate = both.learning_rate
        if decision.finished:
            assert held == best, "training ends with the best weights"
    assert both.early_stopping.epoch <= chosen.max_epochs
    assert both.early_stopping.plateaus <= chosen.max_plateaus
    assert both.schedule.lr_reductions <= both.early_stopping.epoch // chosen.lr_patience


@pytest.mark.slow
@settings(deadline=None)
@given(chosen=SETTINGS, correlations=CORRELATIONS, data=st.data())
def test_it_continues_from_its_state(chosen: PlateauSettings, correlations: list[float], data: st.DataObject) -> None:
    whole = Both(chosen, best=0.0)
    decisions = run(whole, correlations)
    cut = data.draw(st.integers(0, len(decisions)))
    first, second = Both(chosen, best=0.0), Both(chosen, best=-1.0)
    run(first, correlations[:cut])
    for one, another in ((first.early_stopping, second.early_stopping), (first.schedule, second.schedule)):
        another.load_state(json.loads(json.dumps(one.state())))
    assert run(second, correlations[cut:]) == decisions[cut:]
    assert second.early_stopping.state() == whole.early_stopping.state()
    assert second.schedule.state() == whole.schedule.state()


@pytest.mark.parametrize("change", [{"best": "high"}, {"epoch": None}, {"epoch": 1.5}, {"more": 1}])
def test_an_invalid_state_is_refused(change: dict[str, object]) -> None:
    early_stopping = EarlyStopping(PlateauSettings())
    with pytest.raises(ValueError, match="EarlyStopping"):
        early_stopping.load_state({**early_stopping.state(), **change})
    with pytest.raises(ValueError, match="other counters"):
        early_stopping.load_state({})
