"""What a run records besides its recipe: everything that its result depends on, and each start of the training."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

import striate
from striate.catalog import collect_citations
from striate.data import Loaders, SessionLoaders
from striate.data.config import OF_BENCHMARK
from striate.data.subsets import select_training_rows
from striate.errors import InputError, option
from striate.recordings import Recording
from striate.registry import Settings
from striate.training import run_folder as files
from striate.training.distillation import Distillation
from striate.training.environment import folder_name, shareable_command, shareable_platform
from striate.training.neuron_weights import NeuronWeights, hash_of
from striate.training.own_module import module_facts
from striate.training.plugin_provenance import plugins_of
from striate.training.recipe import Recipe
from striate.training.recipe_difference import recipe_difference
from striate.training.run import Run
from striate.training.transfer import FrozenCore


def without_folders(recipe: Recipe) -> Recipe:
    """Return the recipe with the names of files instead of their paths, which belong to this machine."""
    plugins = tuple(Path(plugin).name if plugin.endswith(".py") else plugin for plugin in recipe.plugins)
    path = recipe.loss.neuron_weights
    loss = recipe.loss.model_copy(update={"neuron_weights": None if path is None else Path(path).name})
    distillation = recipe.distillation
    if distillation is not None:
        names = {key: getattr(distillation, key) for key in ("teacher", "images")}
        names = {key: None if path is None else folder_name(Path(path)) for key, path in names.items()}
        distillation = distillation.model_copy(update=names)
    model = model_without_folders(recipe.model)
    return recipe.model_copy(update={"plugins": plugins, "loss": loss, "distillation": distillation, "model": model})


def model_without_folders(settings: Settings) -> Settings:
    """Return the settings of a model with the name of the file that its core starts from instead of its path."""
    core = getattr(settings, "core", None)
    weights = getattr(core, "weights", None)
    if not isinstance(core, Settings) or not isinstance(weights, str) or not weights:
        return settings
    return settings.model_copy(update={"core": core.model_copy(update={"weights": Path(weights).name})})


def with_image_size(recipe: Recipe, size: tuple[int, int]) -> Recipe:
    """Return the recipe with the size that its images have been given, if it is that of the benchmark."""
    if recipe.data.image_size != OF_BENCHMARK:
        return recipe
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"image_size": size})})


def collect_provenance(
    recipe: Recipe,
    opened: list[Recording],
    seed: int,
    *,
    core: FrozenCore | None,
    module: torch.nn.Module | None,
    weights: NeuronWeights | None,
    distillation: Distillation | None = None,
) -> dict[str, Any]:
    """Collect what determines the result of a training in addition to the recipe."""
    return {
        "protocol": opened[0].benchmark.protocol_for(recipe.data.extra_inputs).name,
        "seed": seed,
        "recordings": [
            {
                "session": recording.session,
                "fingerprint": recording.fingerprint,
                "trials": len(recording.trials),
                "training_trials": len(select_training_rows(recording, recipe.data)),
                "neurons": len(recording.neurons),
            }
            for recording in opened
        ],
        "data": collect_citations(opened),
        "core": core.provenance if core else None,
        "module": module_facts(module) if module is not None else None,
        "neuron_weights": hash_of(weights),
        "distillation": distillation.facts if distillation else None,
        "plugins": plugins_of(recipe),
    }


def check_same_run(folder: Path, recipe: Recipe, provenance: Mapping[str, Any]) -> None:
    """Raise `InputError` if the folder holds an unfinished run with another recipe, seed, core, module or other recordings."""
    if not (folder / files.PROVENANCE).exists():
        return
    existing = Run.open(folder)
    reason = recipe_difference(existing.recipe, recipe) or _difference(existing.provenance, provenance)
    if reason is not None:
        raise InputError(
            f"{folder} holds an unfinished run of something else: {reason}. Go on with what it began with, choose another "
            f"folder, or allow it to be replaced ({option('--overwrite', 'overwrite=True')})."
        )


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
    if old.get("seed") != new["seed"]:
        return f"the seed is {old.get('seed')} there and {new['seed']} now"
    recordings = [[(entry["session"], entry["fingerprint"]) for entry in each["recordings"]] for each in (old, new)]
    if recordings[0] != recordings[1]:
        sessions = ", ".join(session for session, _ in recordings[0])
        return f"it was trained on other recordings ({sessions}), in another order, or with other content"
    cores = [each.get("core") or {} for each in (old, new)]
    if cores[0].get("sha256") != cores[1].get("sha256"):
        return "it has another core"
    rates = [core.get("finetune") for core in cores]
    if rates[0] != rates[1]:
        return f"the core is fine-tuned at the rate {rates[0]} there and {rates[1]} now"
    classes = [(each.get("module") or {}).get("class") for each in (old, new)]
    if classes[0] != classes[1]:
        return f"its module is {classes[0] or 'built from the recipe'} there and {classes[1] or 'built from the recipe'} now"
    if old.get("neuron_weights") != new["neuron_weights"]:
        return "the weights of its neurons in the loss differ"
    taught = [each.get("distillation") or {} for each in (old, new)]
    for key, what in (("teacher", "teacher"), ("images", "images without responses")):
        if taught[0].get(key) != taught[1].get(key):
            return f"it has another {what} or other contents of it" if key == "teacher" else f"the {what} differ"
    return None


def record_attempt(
    folder: Path,
    recipe: Recipe,
    provenance: dict[str, Any],
    data: SessionLoaders,
    weights: NeuronWeights | None,
    device: torch.device,
) -> dict[str, Any]:
    """Write the provenance of the run; a run that resumes appends another attempt."""
    attempt = {
        "started": now(),
        "command": shareable_command(sys.argv),
        "device": str(device),
        "threads": torch.get_num_threads(),
        "striate": striate.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "platform": shareable_platform(),
    }
    attempts: list[Any] = []
    if (folder / files.PROVENANCE).exists():
        existing = Run.open(folder).provenance
        attempts = list(existing.get("attempts", []))
        provenance = {"start": existing.get("start", {}), **provenance}
    else:
        files.write_text(folder / files.RECIPE, recipe.to_toml())
        tables = [_neuron_table(session, loaders, (weights or {}).get(session)) for session, loaders in data.items()]
        files.write_table(folder / files.NEURONS, pd.concat(tables, ignore_index=True))
    provenance = {"format": 1, "status": files.TRAINING, **provenance, "attempts": [*attempts, attempt]}
    files.write_json(folder / files.PROVENANCE, provenance)
    return provenance


def _neuron_table(session: str, loaders: Loaders, weights: NDArray[np.float32] | None) -> pd.DataFrame:
    x, y, z = loaders.coordinates.T
    scale = loaders.standardisation.response_scale
    table = {"recording": session, "unit_id": loaders.unit_ids, "x": x, "y": y, "z": z, "response_scale": scale}
    if weights is not None:
        table["loss_weight"] = weights
    return pd.DataFrame(table)


def now() -> str:
    """Return the date and time in UTC, in seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")
