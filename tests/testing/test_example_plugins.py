"""The package of example components installs with pip, is found by its entry points, and trains."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from striate.errors import InputError
from striate.models import load_model
from striate.recordings import write
from tests.fixtures.recordings import small_recording

EXAMPLES = Path(__file__).parents[2] / "examples" / "plugins"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment of a process that finds the installed package."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(EXAMPLES)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    path = os.pathsep.join(filter(None, [str(target), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "STRIATE_QUIET": "1"}


def run(installed: dict[str, str], *command: str, status: int = 0) -> str:
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, env=installed)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_components_pass_the_suites(installed: dict[str, str]) -> None:
    assert " passed" in run(installed, "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLES / "tests"))


def test_a_recipe_of_plugins_trains_and_says_what_it_needs(installed: dict[str, str], tmp_path: Path) -> None:
    archive, out = tmp_path / "mouse.zip", tmp_path / "run"
    write(small_recording(), archive)
    settings = ["model.core.type=pooled", "model.readout.type=free_mask", "loss.type=huber", "schedule.max_epochs=1"]
    settings += ["model.core.channels=4", "model.core.kernel_size=5", "initialisation.positions=random"]
    options = [part for setting in settings for part in ("--set", setting)]
    (tmp_path / "own.toml").write_text('[model]\ntype = "encoder"\n[model.core]\ntype = "pooled"\n')
    run(installed, "striate", "train", str(tmp_path / "own.toml"), str(archive), "--out", str(out), *options)
    run(
        installed,
        "striate",
        "predict",
        str(out),
        str(archive),
        "--out",
        str(tmp_path / "p.parquet"),
        "--tier",
        "validation",
    )
    provenance = json.loads((out / "provenance.json").read_text())
    assert {(plugin["package"], plugin["version"]) for plugin in provenance["plugins"]} == {("striate-examples", "1.0")}


def test_a_benchmark_goes_from_its_description_to_scores(installed: dict[str, str], tmp_path: Path) -> None:
    mice, run_folder, predicted = tmp_path / "mice", tmp_path / "run", tmp_path / "p.parquet"
    counts = ["--neurons", "8", "--train", "40", "--validation", "8", "--test-images", "5", "--repeats", "4"]
    simulate = ["simulate", str(mice), "--benchmark", "colour-mice", "--pretraining", "1", *counts]
    run(installed, "striate", *simulate)
    archive = str(mice / "mouse_a.zip")
    run(installed, "striate", "check", archive)
    (tmp_path / "recipe.toml").write_text(
        "[data]\naugmentations = [{type = 'contrast'}]\n[model.core]\ntype = 'pooled'\n[schedule]\nmax_epochs = 1\n"
    )
    run(installed, "striate", "train", str(tmp_path / "recipe.toml"), archive, "--out", str(run_folder))
    provenance = json.loads((run_folder / "provenance.json").read_text())
    assert {(plugin["kind"], plugin["name"]) for plugin in provenance["plugins"]} == {
        ("augmentations", "contrast"),
        ("cores", "pooled"),
    }
    tiers = [part for tier in ("seen", "gratings") for part in ("--tier", tier)]
    run(installed, "striate", "predict", str(run_folder), archive, "--out", str(predicted), *tiers)
    assert "rank correlation" in run(installed, "striate", "score", str(predicted), archive)
    assert "colour-mice" in run(installed, "striate", "benchmarks", "list")


def test_a_model_of_ones_own_trains_by_its_name(installed: dict[str, str], tmp_path: Path) -> None:
    archive, out = tmp_path / "mouse.zip", tmp_path / "run"
    write(small_recording(), archive)
    (tmp_path / "own.toml").write_text(
        '[model]\ntype = "striate_examples.model:Net"\nwidth = 4\n[schedule]\nmax_epochs = 1\n'
    )
    run(installed, "striate", "train", str(tmp_path / "own.toml"), str(archive), "--out", str(out))
    run(
        installed,
        "striate",
        "predict",
        str(out),
        str(archive),
        "--out",
        str(tmp_path / "p.parquet"),
        "--tier",
        "validation",
    )
    with pytest.raises(InputError, match="striate_examples"):
        load_model(out / "weights.safetensors")
