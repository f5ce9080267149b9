"""Every key of a recipe changes something: what is learnt, how often it is saved, or what is listed."""

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from tests.fixtures.recordings import small_recording
from tests.training.small import small_recipe
from tests.training.test_recipe import keys

from striate.training import Recipe, checkpoints, train

RECORDING = small_recording(neurons=8, training=32)
IDS = RECORDING.trials.loc[RECORDING.trials["tier"] == "train", "image_id"].tolist()

# key -> (its value, other settings that both sides need)
CHANGES: dict[str, tuple[Any, dict[str, Any]]] = {
    "description": ("Mine.", {}),
    "data.behavior": (True, {}),
    "data.pupil_center": (True, {}),
    "data.image_size": ([36, 64], {}),
    "data.areas": (["LM"], {}),
    "data.layers": (["L4"], {}),
    "data.unit_ids": (RECORDING.unit_ids[:3].tolist(), {}),
    "data.neurons": (3, {}),
    "data.neuron_seed": (1, {"data.neurons": 3}),
    "data.image_ids": (IDS[:20], {}),
    "data.training_images": (20, {}),
    "data.image_seed": (1, {"data.training_images": 20}),
    "data.batch_size": (8, {}),
    "model.core.layers": (3, {}),
    "model.core.channels": (3, {}),
    "model.core.input_kernel": (3, {}),
    "model.core.hidden_kernel": (5, {}),
    "model.core.nonlinear": (False, {}),
    "model.core.depth_separable": (False, {}),
    "model.core.norm_momentum": (0.1, {}),
    "model.core.smoothness": (0.0, {}),
    "model.readout.position_hidden": (5, {}),
    "model.readout.position_spread": (0.3, {}),
    "model.readout.sparsity": (1.0, {}),
    "model.shifter.layers": (2, {"model.shifter": True, "data.pupil_center": True}),
    "model.shifter.hidden": (3, {"model.shifter": True, "data.pupil_center": True}),
    "objective.loss": ("squared", {}),
    "start.positions": ("estimated", {}),
    "start.biases": ("mean", {}),
    "schedule.learning_rate": (0.001, {}),
    "schedule.patience": (1, {"schedule.tolerance": 0.9}),
    "schedule.stalls": (1, {"schedule.tolerance": 0.9, "schedule.patience": 1}),
    "schedule.rate_patience": (1, {"schedule.tolerance": 0.9}),
    "schedule.reduction_factor": (0.9, {"schedule.tolerance": 0.9, "schedule.rate_patience": 1}),
    "schedule.tolerance": (0.9, {"schedule.patience": 1}),
    "schedule.max_epochs": (1, {}),
    "schedule.averaging": (0.9, {}),
    "compute.precision": ("bfloat16", {}),
    "compute.checkpoint_minutes": (1e-9, {}),
}
TOGETHER = {"data.pupil_center": {"model.shifter": True}}  # neither is allowed without the other
ELSEWHERE = {"data.resident_gib"}  # changes where the data wait, nothing that is learnt: see tests/loading


def test_every_key_is_tested() -> None:
    assert set(CHANGES) | ELSEWHERE == keys(Recipe)


@pytest.mark.parametrize("key", CHANGES)
def test_every_key_has_an_effect(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    value, needed = CHANGES[key]
    saved = 0
    write = checkpoints.write

    def counted(*arguments: Any) -> None:
        nonlocal saved
        saved += 1
        write(*arguments)

    monkeypatch.setattr(checkpoints, "write", counted)

    def outcome(name: str, settings: dict[str, Any]) -> list[Any]:
        nonlocal saved
        saved = 0
        settings = {"schedule.max_epochs": 2} | needed | settings
        run = train(small_recipe(**{k.replace(".", "__"): v for k, v in settings.items()}), RECORDING, tmp_path / name)
        weights = {n: t.tolist() for n, t in load_file(tmp_path / name / "weights.safetensors").items()}
        history = run.history.drop(columns="seconds").fillna(0).to_dict("list")
        return [weights, history, saved, run.recipe.description]

    assert outcome("changed", {key: value} | TOGETHER.get(key, {})) != outcome("as it was", {})
