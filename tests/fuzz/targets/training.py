"""Recipes, and what a run consists of."""

from pathlib import Path

import pandas as pd

from tests.fuzz.targets.models import encoder
from tests.fuzz.targets.recordings import recording
from tests.fuzz.targets.target import Target, bytes_of, of_text


def _checkpoint(path: Path) -> None:
    import torch

    from striate.training import checkpoints

    made = encoder()
    checkpoints.read(path, made, None, torch.optim.Adam(made.parameters()))  # type: ignore[attr-defined, arg-type]


def _checkpoint_seed() -> list[bytes]:
    import torch

    from striate.training import checkpoints

    made = encoder()
    adam = torch.optim.Adam(made.parameters())  # type: ignore[attr-defined]
    write = lambda path: checkpoints.write(path, made, None, {}, adam, checkpoints.TrainingState())  # type: ignore[arg-type] # noqa: E731
    return [bytes_of(write, "checkpoint.safetensors")]


def _run(path: Path) -> None:
    from striate.training import Run

    (path.parent / "recipe.toml").write_text("")
    run = Run.open(path.parent)
    repr(run)
    assert all(isinstance(session, str) for session in run.sessions)


def _recipe(path: Path) -> None:
    from striate.training.recipe import load_recipe

    load_recipe(path)


def _recipes() -> list[bytes]:
    from striate.training.recipe import recipe_text

    return [recipe_text(name).encode() for name in ("cnn", "ln-small-behavior")]


def _override(text: str) -> None:
    from striate.training.recipe import load_recipe

    load_recipe("cnn", [text])


def _run_inputs(path: Path) -> None:
    from striate.training.input_statistics import RunInputs

    RunInputs.read(path)


def _run_inputs_seed() -> list[bytes]:
    from striate.training.input_statistics import RunInputs, SessionInputs

    one = SessionInputs.from_recording(recording(), behavior=True, pupil_center=True)  # type: ignore[arg-type]
    return [bytes_of(RunInputs(recordings={"7-1-1": one}).write, "inputs.json")]


def _session_scores(path: Path) -> None:
    from striate.training.session_scores import SessionScores

    SessionScores.read(path)


def _session_scores_seed() -> list[bytes]:
    from striate.training.session_scores import MetricSummary, SessionScores, TierSummary

    tier = TierSummary(trials=9, images=3, metrics={"feve": MetricSummary(mean=0.3, low=0.2, high=0.4)})
    return [bytes_of(SessionScores(sessions={"7-1-1": {"test": tier}}).write, "scores.json")]


def _zoo_results(path: Path) -> None:
    from striate.zoo import ZooResults, zoo_markdown

    zoo_markdown([ZooResults.read(path)])


def _zoo_results_seed() -> list[bytes]:
    return [(Path(__file__).parents[3] / "docs" / "zoo" / "simulated.json").read_bytes()]


def _recipe_of_a_run(path: Path) -> None:
    from striate.training import Run

    (path.parent / "provenance.json").write_text('{"status": "finished", "recordings": [], "seed": 1}')
    assert Run.open(path.parent).recipe is not None


def _history(path: Path) -> None:
    """The tables of a run."""
    from striate.training import Run

    (path.parent / "recipe.toml").write_text("")
    (path.parent / "provenance.json").write_text('{"status": "finished", "recordings": [], "seed": 1}')
    run = Run.open(path.parent)
    assert run.history is not None


def _histories() -> list[bytes]:
    table = pd.DataFrame({"epoch": [1, 2], "loss": [0.5, 0.25], "validation_correlation": [0.1, 0.2]})
    return [bytes_of(table.to_parquet, "history.parquet")]


TARGETS: dict[str, Target] = {
    "recipe": Target(_recipe, "recipe.toml", _recipes),
    "override": Target(
        of_text(_override), "a.txt", lambda: [b"data.batch_size=64", b"model.core={layers=2}", b"description=x"]
    ),
    "checkpoint": Target(_checkpoint, "checkpoint.safetensors", _checkpoint_seed),
    "provenance": Target(
        _run,
        "provenance.json",
        lambda: [b'{"status": "finished", "recordings": [{"session": "7-1-1", "fingerprint": "ab"}], "seed": 1}'],
    ),
    "run-inputs": Target(_run_inputs, "inputs.json", _run_inputs_seed),
    "session-scores": Target(_session_scores, "scores.json", _session_scores_seed),
    "zoo-results": Target(_zoo_results, "results.json", _zoo_results_seed),
    "history": Target(_history, "history.parquet", _histories),
    "recipe-of-a-run": Target(_recipe_of_a_run, "recipe.toml", _recipes),
}
