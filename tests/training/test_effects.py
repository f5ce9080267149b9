"""Every key of a recipe changes something: what is learnt, how often it is saved, or what is listed."""

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from tests.fixtures.recordings import small_recording
from tests.training.small import small_recipe
from tests.training.test_recipe import keys

from striate.training import checkpoints, load_recipe, train

RECORDING = small_recording(neurons=8, training=32)
IDS = RECORDING.trials.loc[RECORDING.trials["tier"] == "train", "image_id"].tolist()

# key -> (its value, other settings that both sides need)
CHANGES: dict[str, tuple[Any, dict[str, Any]]] = {
    "description": ("Mine.", {}),
    "data.behavior": (True, {}),
    "data.behavior_planes": (False, {"data.behavior": True, "model.modulators": [{"type": "gain"}]}),
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
    "data.folds": (3, {}),
    "data.fold": (1, {"data.folds": 3}),
    "data.fold_seed": (1, {"data.folds": 3}),
    "data.batch_size": (8, {}),
    "model.core.layers": (3, {}),
    "model.core.channels": (3, {}),
    "model.core.input_kernel_size": (3, {}),
    "model.core.hidden_kernel_size": (5, {}),
    "model.core.nonlinear": (False, {}),
    "model.core.depth_separable": (False, {}),
    "model.core.batch_norm_momentum": (0.1, {}),
    "model.core.laplace_weight": (0.0, {}),
    "model.core.last_layer_scale": (False, {}),
    "model.readout.position_hidden_units": (5, {}),
    "model.readout.init_sigma": (0.3, {}),
    "model.readout.l1_weight": (1.0, {}),
    "model.readout.offset_width": (0.5, {}),
    "model.readout.initial_features": (0.0, {}),
    "model.readout.adaptive_l1_width": (0.5, {}),
    "model.shifter.layers": (2, {"model.shifter": True, "data.pupil_center": True}),
    "model.shifter.zero_start": (True, {"model.shifter": True, "data.pupil_center": True}),
    "model.shifter.hidden_units": (3, {"model.shifter": True, "data.pupil_center": True}),
    "model.nonlinearity.type": ("softplus", {}),
    "model.modulators": ([{"type": "gain"}], {"data.behavior": True}),
    "loss.type": ("squared_error", {}),
    "loss.neuron_weights": ("weights.csv", {}),
    "initialisation.positions": ("retinotopy", {}),
    "initialisation.biases": ("mean", {}),
    "optimiser.type": ("adamw", {}),
    "optimiser.clip_norm": (0.01, {}),
    "optimiser.accumulate_steps": (2, {}),
    "optimiser.betas": ([0.5, 0.9], {}),
    "optimiser.core.learning_rate_factor": (0.1, {}),
    "optimiser.readout.learning_rate_factor": (0.1, {}),
    "optimiser.shifter.learning_rate_factor": (0.1, {"model.shifter": True, "data.pupil_center": True}),
    "optimiser.groups": ([{"parameters": ["core.*"], "learning_rate_factor": 0.1}], {}),
    "optimiser.core.weight_decay": (0.9, {"optimiser.type": "adamw"}),
    "optimiser.readout.weight_decay": (0.9, {"optimiser.type": "adamw"}),
    "optimiser.shifter.weight_decay": (
        0.9,
        {"optimiser.type": "adamw", "model.shifter": True, "data.pupil_center": True},
    ),
    "schedule.type": ("constant", {"schedule.min_delta": 0.9, "schedule.patience": 1}),
    "schedule.learning_rate": (0.001, {}),
    "schedule.patience": (1, {"schedule.min_delta": 0.9}),
    "schedule.max_plateaus": (1, {"schedule.min_delta": 0.9, "schedule.patience": 1}),
    "schedule.lr_patience": (1, {"schedule.min_delta": 0.9}),
    "schedule.lr_decay_factor": (0.9, {"schedule.min_delta": 0.9, "schedule.lr_patience": 1}),
    "schedule.min_delta": (0.9, {"schedule.patience": 1}),
    "schedule.max_epochs": (1, {}),
    "schedule.ema_decay": (0.9, {}),
    "schedule.swa_start": (1, {"schedule.max_epochs": 4}),
    "compute.precision": ("bfloat16", {}),
    "compute.checkpoint_minutes": (1e-9, {}),
    "compute.neurons_per_step": (3, {}),
}
TOGETHER = {"data.pupil_center": {"model.shifter": True}}  # neither is allowed without the other
ELSEWHERE = {
    "data.cache_gib",  # where the data wait: see tests/data
    "data.context",  # see tests/data/test_context.py
    "data.augmentations",  # see tests/data/test_augmentations.py
    "distillation",  # see test_distillation
    "plugins",  # see test_plugins
    "optimiser.modulators.learning_rate_factor",  # a part that the default encoder does not have: see test_optimisers
    "optimiser.modulators.weight_decay",
    *("model.type", "model.core.type", "model.readout.type", "model.shifter.type"),  # see tests/models
}


def test_every_key_is_tested() -> None:
    assert set(CHANGES) | ELSEWHERE == keys(load_recipe("cnn-behavior"))


@pytest.mark.slow
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
    monkeypatch.chdir(tmp_path)
    table = RECORDING.neurons[["unit_id"]].assign(session=RECORDING.session, weight=range(len(RECORDING.neurons)))
    table.to_csv("weights.csv", index=False)

    def outcome(name: str, settings: dict[str, Any]) -> list[Any]:
        nonlocal saved
        saved = 0
        settings = {"schedule.max_epochs": 2} | needed | settings
        run = train(small_recipe(**{k.replace(".", "__"): v for k, v in settings.items()}), RECORDING, tmp_path / name)
        weights = {n: t.tolist() for n, t in load_file(tmp_path / name / "weights.safetensors").items()}
        history = run.history.drop(columns="seconds").fillna(0).to_dict("list")
        return [weights, history, saved, run.recipe.description]

    assert outcome("changed", {key: value} | TOGETHER.get(key, {})) != outcome("as it was", {})
