"""A sweep: chosen on validation trials, within protocols, with paired differences; the same call goes on with what there is."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.sweeps.in_process import InProcess
from tests.training.small import TABLES

import striate
from striate.errors import InputError
from striate.metrics import estimate_difference
from striate.metrics.bootstrap import BootstrapEstimate
from striate.recordings import Recording
from striate.submissions import Truth
from striate.sweeps.comparison import mean_over_seeds
from striate.training import Run, load_recipe, predict

RECIPE = {**TABLES, "schedule": {"max_epochs": 1}}
GRID = {"data.behavior": [False, True], "schedule.learning_rate": [0.02, 0.002]}
METRIC = "validation.single_trial_correlation"


@pytest.fixture(scope="session")
def finished(mouse: Recording, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("sweep") / "grid"
    return folder, sweep(mouse, folder)


def sweep(mouse: Recording, folder: Path, executor: Any = None, **changes: Any) -> pd.DataFrame:
    what = {"grid": GRID, "seeds": 2, "progress": False, **changes}
    return striate.sweep(what.pop("recipe", RECIPE), mouse, folder, executor=executor or InProcess(), **what)


def test_the_table_ranks_within_protocols(finished: tuple[Path, pd.DataFrame]) -> None:
    folder, table = finished
    assert sorted(table["trial"]) == ["1", "2", "3", "4"]
    for _, group in table.groupby("protocol"):
        assert group["rank"].tolist() == [1, 2]
        assert group[METRIC].is_monotonic_decreasing
        best, other = group.iloc[0], group.iloc[1]
        assert np.isnan(best[f"{METRIC}.difference"])
        assert other[f"{METRIC}.difference"] == pytest.approx(other[METRIC] - best[METRIC], abs=1e-12)
        assert other[f"{METRIC}.difference.low"] <= other[f"{METRIC}.difference"] <= other[f"{METRIC}.difference.high"]
    assert set(table["protocol"]) == {"image", "image + behaviour"}
    assert not [column for column in table if column.startswith("test.")], "test trials are scored on demand only"
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "results.parquet"), table, check_dtype=False)


def test_means_over_seeds_are_those_of_the_runs(finished: tuple[Path, pd.DataFrame]) -> None:
    folder, table = finished
    runs = pd.read_parquet(folder / "runs.parquet")
    assert len(runs) == 8
    means = runs.groupby("trial")[METRIC].agg(["mean", "std"])
    by_trial = table.set_index("trial").loc[means.index]
    np.testing.assert_allclose(by_trial[METRIC].astype(float), means["mean"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(by_trial[f"{METRIC}.sd"].astype(float), means["std"], rtol=0, atol=1e-12)


def test_the_best_recipe_trains_what_was_best(finished: tuple[Path, pd.DataFrame]) -> None:
    folder, table = finished
    for protocol, name in (("image", "best-image.toml"), ("image + behaviour", "best-image-behaviour.toml")):
        best = table[table["protocol"] == protocol].iloc[0]
        recipe = load_recipe(folder / name)
        assert recipe.schedule.learning_rate == best["schedule.learning_rate"]
        run = Run.open(folder / "runs" / f"{best['trial']}-seed0")
        assert run.protocol == protocol == recipe.protocol


def test_the_page_is_whole(finished: tuple[Path, pd.DataFrame], mouse: Recording) -> None:
    page = (finished[0] / "index.html").read_text(encoding="utf-8")
    for text in ("Ranking, protocol image", "Ranking, protocol image + behaviour", "learning_rate", mouse.fingerprint):
        assert text in page
    assert page.count("data:image/png") == 4
    assert "test)" not in page


def test_the_same_call_trains_nothing_and_more_seeds_train_those(
    finished: tuple[Path, pd.DataFrame], mouse: Recording, tmp_path: Path
) -> None:
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(finished[0], folder)
    executor = InProcess()
    again = sweep(mouse, folder, executor)
    assert executor.started == []
    pd.testing.assert_frame_equal(again, finished[1])
    executor = InProcess()
    table = sweep(mouse, folder, executor, seeds=3, test=True, baseline=2)
    assert [name for name in executor.started if name.endswith("seed2")] == [f"{n}-seed2" for n in (1, 2, 3, 4)]
    assert table["rank"].tolist() == [1, 2, 1, 2]
    assert "test.correlation_to_average" in table
    assert table.loc[table["trial"] == "2", f"{METRIC}.difference"].isna().all(), "the baseline"
    compared = table[f"{METRIC}.difference"].notna()
    assert table["protocol"][compared].tolist() == ["image"], "protocols are not compared"


@pytest.mark.parametrize(
    ("change", "mentions"),
    [
        ({"grid": {**GRID, "data.batch_size": [8]}}, "varies something else now"),
        ({"grid": None, "random": {"data.batch_size": {"low": 8, "high": 16}}, "trials": 2}, "search is grid there"),
        ({"recipe": {**RECIPE, "loss": {"type": "squared_error"}}}, "in its recipe, loss.type is poisson there"),
        ({"overrides": {"data.neurons": 5}}, "in its recipe, data.neurons is not set there and 5 now"),
    ],
)
def test_another_sweep_is_refused(
    change: dict[str, Any], mentions: str, finished: tuple[Path, pd.DataFrame], mouse: Recording
) -> None:
    with pytest.raises(InputError, match=re.escape(mentions)):
        sweep(mouse, finished[0], **change)


def test_other_recordings_are_refused(finished: tuple[Path, pd.DataFrame]) -> None:
    from tests.fixtures.recordings import small_recording

    with pytest.raises(InputError, match=re.escape("begun with other recordings (7-1-1)")):
        sweep(small_recording(seed=3), finished[0])


def test_wrong_calls(mouse: Recording, tmp_path: Path, finished: tuple[Path, pd.DataFrame]) -> None:
    for change, mentions in (
        ({"executor": "slurm"}, "executor is 'slurm'; expected 'local' or 'ray'"),
        ({"jobs": 0}, "number of jobs must be at least 1"),
        ({"metric": "fevee"}, "did you mean 'feve'"),
    ):
        with pytest.raises(InputError, match=re.escape(mentions)):
            sweep(mouse, tmp_path / "new", **change)  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()
    with pytest.raises(InputError, match="no recordings"):
        sweep([], tmp_path / "new")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no trial '9' has a score"):
        sweep(mouse, finished[0], baseline="9")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else than a sweep"):
        sweep(mouse, tmp_path / "other")


def test_failed_trials_are_in_the_table(tmp_path: Path) -> None:
    from tests.fixtures.recordings import small_recording

    grid = {"data.image_ids": [list(range(100, 140)), [5]]}
    table = sweep(small_recording(), tmp_path / "sweep", grid=grid, seeds=1)  # a recording in memory, too
    assert table["rank"].tolist()[0] == 1
    assert table["rank"].isna().tolist() == [False, True]
    assert "1 of 1 runs failed" in table["note"][1]
    assert "5" in table["note"][1].partition("failed:")[2]
    assert "Trials without a score" in (tmp_path / "sweep" / "index.html").read_text()
    assert (tmp_path / "sweep" / "best.toml").exists()


def test_differences_are_those_on_the_same_images(finished: tuple[Path, pd.DataFrame], mouse: Recording) -> None:
    """With one seed each, the interval is that of the bootstrap over images alone."""
    folder, _ = finished
    truth = Truth.from_recording(mouse, "validation")
    first, second = (
        predict(Run.open(folder / "runs" / name), mouse, "validation").values for name in ("1-seed0", "2-seed0")
    )
    name = "single_trial_correlation"
    expected = estimate_difference(name, truth.responses, first, second, truth.image_id)
    from striate.sweeps import RunScores
    from striate.sweeps.comparison import difference

    a, b = (RunScores.read(folder / "jobs" / each).estimate("validation", name) for each in ("1-seed0", "2-seed0"))
    found = difference(mean_over_seeds([a], "1"), mean_over_seeds([b], "2"))
    assert found.interval is not None
    assert expected.interval is not None
    assert found.interval.low == pytest.approx(expected.interval.low, abs=1e-12)
    assert found.interval.high == pytest.approx(expected.interval.high, abs=1e-12)


def test_the_interval_of_a_mean_has_the_spread_of_its_seeds() -> None:
    """Without variation over images, the samples have the standard error of a mean of n seeds."""
    values = [0.30, 0.33, 0.31, 0.36]
    runs = [BootstrapEstimate(value, np.full(20_000, value), 0.95) for value in values]
    samples = mean_over_seeds(runs, "1").samples
    expected = np.std(values, ddof=1) / np.sqrt(len(values))
    error = expected / np.sqrt(2 * len(samples))  # standard error of a standard deviation
    assert samples.std() == pytest.approx(expected, abs=5 * error)
