"""The demonstration shows what it claims: CNN before LN before a constant, by more than chance images explain."""

from pathlib import Path

import pytest

from striate.demo import DemoSettings, run_demo
from striate.errors import InputError
from tests.fixtures.command import run_in_process

SMALL = DemoSettings(neurons=12, train=60, validation=20, test_images=5, repeats=4, bootstrap=20)


@pytest.mark.slow
def test_the_better_models_are_better(tmp_path: Path) -> None:
    messages: list[str] = []
    result = run_demo(tmp_path, log=messages.append)
    assert [c.name for c in result.models] == ["constant", "LN", "CNN"]
    assert {d.tier for d in result.differences} == {"test", "final_test"}
    for difference in result.differences:
        for metric in ("single_trial_correlation", "correlation_to_average"):
            resampled = difference.metrics[metric]
            assert resampled.interval is not None
            assert resampled.interval.low > 0, (difference.better, difference.worse, difference.tier, metric)
    for tier in result.truth.tiers:
        oracle = result.reference.scorecard.tiers[tier].single_trial_correlation.mean
        cnn = result.models[-1].scorecard.tiers[tier].single_trial_correlation.mean
        assert oracle is not None
        assert cnn is not None
        assert oracle > cnn
    assert result.report.stat().st_size > 100_000
    assert sorted(p.name for p in (tmp_path / "submissions").iterdir()) == [
        "cnn.parquet",
        "constant.parquet",
        "ln.parquet",
    ]
    assert len(messages) >= 6


@pytest.mark.slow
def test_an_earlier_one_is_replaced_only_if_asked(tmp_path: Path) -> None:
    run_demo(tmp_path, SMALL)
    before = (tmp_path / "report.html").read_text()
    with pytest.raises(InputError, match="exists already"):
        run_demo(tmp_path, SMALL)
    assert run_in_process("demo", "--out", tmp_path).status == 1
    assert (tmp_path / "report.html").read_text() == before
    run_demo(tmp_path, SMALL, overwrite=True)
