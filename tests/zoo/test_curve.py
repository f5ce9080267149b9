"""The low-data curve: which images, which cores, and gains that are paired."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.fixtures.command import assert_one_sentence, run_in_process
from tests.sweeps.in_process import InProcess
from tests.zoo.conftest import ONE_EPOCH

from striate.errors import InputError
from striate.metrics.bootstrap import BootstrapEstimate
from striate.recordings import Recording
from striate.training import Run
from striate.zoo import ZooResults, run_curve
from striate.zoo.curve import _gain


@pytest.mark.slow
def test_points_are_sizes_and_starts(curve: ZooResults) -> None:
    (found,) = curve.curves
    assert [(point.images, point.start) for point in found.points] == [
        (images, start) for images in (10, 40) for start in ("scratch", "frozen", "fine-tuned")
    ]
    assert found.core_sessions == ("8-1-1",)
    assert (found.tier, found.metric, found.finetune) == ("validation", curve.ranking_metric, 0.1)
    assert all((point.gain is None) == (point.start == "scratch") for point in found.points)


@pytest.mark.slow
def test_seeds_draw_images_of_their_own(curve: ZooResults, place: Path) -> None:
    runs = [Run.open(place / "curve" / "runs" / f"tiny-scratch-10-seed{seed}") for seed in range(2)]
    assert [run.recipe.data.training_images for run in runs] == [10, 10]
    assert [run.recipe.data.image_seed for run in runs] == [0, 1]
    assert [run.provenance["recordings"][0]["training_trials"] for run in runs] == [10, 10]
    assert Run.open(place / "curve" / "runs" / "tiny-scratch-all-seed0").recipe.data.training_images is None


@pytest.mark.slow
def test_cores_are_those_of_other_recordings(curve: ZooResults, place: Path) -> None:
    runs = place / "curve" / "runs"
    assert Run.open(runs / "tiny-core-seed0").sessions == ("8-1-1",)
    frozen = Run.open(runs / "tiny-frozen-10-seed1").provenance["core"]
    tuned = Run.open(runs / "tiny-fine-tuned-10-seed1").provenance["core"]
    assert frozen["run"] == tuned["run"] == "tiny-core-seed1"
    assert "finetune" not in frozen
    assert tuned["finetune"] == 0.1


@pytest.mark.slow
def test_it_is_written_with_figure_and_table(curve: ZooResults, place: Path) -> None:
    table = pd.read_parquet(place / "curve" / "curves.parquet")
    assert table["images"].tolist() == [10, 10, 10, 40, 40, 40]
    assert table["gain_mean"].isna().tolist() == [True, False, False] * 2
    page = (place / "curve" / "zoo.html").read_text()
    assert "Low-data curve: tiny" in page
    assert "data:image/png" in page
    assert "| images | from scratch | frozen core | fine-tuned core |" in (place / "curve" / "zoo.md").read_text()
    assert ZooResults.read(place / "curve") == curve


def test_gains_are_paired() -> None:
    images = np.random.default_rng(0).normal(0, 0.05, 1000)
    base = [BootstrapEstimate(value, value * (1 + images), 0.95) for value in (0.2, 0.3)]
    better = [BootstrapEstimate(value, value * (1 + images), 0.95) for value in (0.24, 0.36)]
    gain = _gain(better, base)
    assert gain is not None
    assert gain.mean == pytest.approx(0.2)
    assert (gain.low, gain.high) == (pytest.approx(0.2), pytest.approx(0.2))  # what images and seeds do to both cancels


@pytest.mark.slow
def test_a_core_of_the_same_recording_is_refused(
    place: Path, mouse: Recording, other: Recording, curve: ZooResults
) -> None:
    recipe, options = str(place / "tiny.toml"), {"overrides": ONE_EPOCH, "executor": InProcess(), "progress": False}
    with pytest.raises(InputError, match="The core has seen 7-1-1"):
        run_curve(recipe, [mouse], place / "x", core_recordings=[mouse], **options)
    with pytest.raises(InputError, match="leave one out"):
        run_curve(
            recipe,
            [mouse],
            place / "x",
            core_recordings=[other],
            core=place / "curve" / "runs" / "tiny-core-seed0",
            **options,
        )
    with pytest.raises(InputError, match="finetune is 2"):
        run_curve(recipe, [mouse], place / "x", core_recordings=[other], finetune=2, **options)
    assert not (place / "x").exists()


@pytest.mark.slow
def test_the_command(
    place: Path,
    mouse: Recording,
    other: Recording,
    curve: ZooResults,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("striate.sweeps.jobs.LocalExecutor", lambda parallel: InProcess())
    archive, out = mouse.source, tmp_path / "out"
    options = ["--out", out, "--seeds", "1", "--set", "schedule.max_epochs=2", "--set", "schedule.patience=1"]
    done = run_in_process("zoo", archive, "--recipes", place / "tiny.toml", *options)
    assert done.status == 0, done.err
    assert "Protocol image" in done.out
    core = place / "curve" / "runs" / "tiny-core-seed0"
    done = run_in_process("zoo", archive, "--curve", place / "tiny.toml", "--images", "10", "--core", core, *options)
    assert done.status == 0, done.err
    assert "Low-data curve: tiny" in done.out
    both = ZooResults.read(out)
    assert [model.recipe for model in both.models] == ["tiny"]
    assert len(both.curves) == 1
    assert_one_sentence(run_in_process("zoo", archive, "--recipes", "cnnn", *options), "There is no recipe 'cnnn'")
    assert_one_sentence(run_in_process("zoo", archive, "--core", core, *options), "--curve")
    assert_one_sentence(run_in_process("zoo", archive, "--images", "10", *options), "--curve")
    assert_one_sentence(run_in_process("zoo", archive, "--curve", "cnn", "--images", "a", *options), "--images is")
    assert_one_sentence(run_in_process("zoo", archive, "--curve", "cnn", "--recipes", "ln", *options), "leave them out")
    assert_one_sentence(run_in_process("zoo", other.source, *options), "holds results of 7-1-1")
