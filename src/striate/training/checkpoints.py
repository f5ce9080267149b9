"""Checkpoints, from which an interrupted training resumes as if it had never been interrupted.

A checkpoint is one safetensors file that is replaced atomically. It holds the weights, their moving average (if there is
one), the best weights and the tensors of the optimiser; its header holds all numbers. Random number generators need no state,
because each batch has its own seed (see `Trainer`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from striate.errors import InputError, option
from striate.models.serialisation import read_tensors, write_tensors

_FORMAT = "striate-checkpoint-2"
Tensors = dict[str, Tensor]


@dataclass
class TrainingState:
    """Counters and history of a training.

    Attributes
    ----------
    epoch
        Number of completed epochs.
    step
        Number of completed steps in the current epoch.
    loss
        Sum of the losses of these steps.
    averaged_epochs
        Number of epochs that were completed when stochastic weight averaging last took weights in.
    seconds
        Time spent on the current epoch, in seconds.
    finished
        Whether training has ended.
    history
        One row for each completed epoch.
    callbacks
        State of each callback, early stopping and the schedule included, by name.
    """

    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    averaged_epochs: int = 0
    seconds: float = 0.0
    finished: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)
    callbacks: dict[str, Any] = field(default_factory=dict)


def write(
    path: Path, encoder: nn.Module, average: nn.Module | None, best: Tensors, optimiser: Optimizer, state: TrainingState
) -> None:
    """Write a checkpoint and replace an earlier one."""
    tensors = {f"encoder/{name}": value for name, value in encoder.state_dict().items()}
    if average is not None:
        tensors |= {f"average/{name}": value for name, value in average.state_dict().items()}
    tensors |= {f"best/{name}": value for name, value in best.items()}
    structure = _without_tensors(optimiser.state_dict(), "optimiser", tensors)
    header = {"format": _FORMAT, "training": asdict(state), "optimiser": structure}
    write_tensors(path, tensors, header, overwrite=True)


def read(
    path: Path, encoder: nn.Module, average: nn.Module | None, optimiser: Optimizer
) -> tuple[Tensors, TrainingState]:
    """Load a checkpoint into an encoder, its moving average and its optimiser.

    Returns
    -------
    best
        The best weights.
    state
        Counters and history.

    Raises
    ------
    InputError
        If the file is damaged, or belongs to another encoder or optimiser.
    """
    tensors, header = read_tensors(path)
    try:
        if header["format"] != _FORMAT:
            raise ValueError("another format")
        state = TrainingState(**header["training"])
        parts: dict[str, Tensors] = {"encoder": {}, "average": {}, "best": {}, "optimiser": {}}
        for name, value in tensors.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = value
        encoder.load_state_dict(parts["encoder"])
        if average is not None:
            average.load_state_dict(parts["average"])
        _load_optimiser(optimiser, _with_tensors(header["optimiser"], tensors))
    except (KeyError, ValueError, TypeError, RuntimeError, IndexError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path} is not a checkpoint of this run ({reason}): start the run again ({option('--overwrite', 'overwrite=True')})."
        ) from error
    device = next((each.device for each in encoder.parameters()), torch.device("cpu"))
    return {name: value.to(device) for name, value in parts["best"].items()}, state


def _without_tensors(value: Any, name: str, tensors: Tensors) -> Any:
    """Convert nested dicts, lists and tuples to JSON; tensors are put into `tensors` by name."""
    if isinstance(value, Tensor):
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, Mapping):
        return {"items": [[key, _without_tensors(item, f"{name}/{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        items = [_without_tensors(item, f"{name}/{index}", tensors) for index, item in enumerate(value)]
        return {"tuple": items} if isinstance(value, tuple) else items
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise InputError(
        f"The optimiser has a state ({name}) of type {type(value).__name__}, which checkpoints cannot hold: use numbers, tensors, and "
        "lists and dicts of these."
    )


def _with_tensors(value: Any, tensors: Tensors) -> Any:
    """Undo `_without_tensors`."""
    if isinstance(value, list):
        return [_with_tensors(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        return tensors[value["tensor"]]
    if "tuple" in value:
        return tuple(_with_tensors(item, tensors) for item in value["tuple"])
    return {key: _with_tensors(item, tensors) for key, item in value["items"]}


def _load_optimiser(optimiser: Optimizer, saved: dict[str, Any]) -> None:
    groups = [{k: v for k, v in group.items() if k != "params"} for group in saved["param_groups"]]
    if [set(group) for group in groups] != [set(group) - {"params"} for group in optimiser.param_groups]:
        raise ValueError("another optimiser")
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    for index, values in saved["state"].items():
        parameter = parameters[index]
        for name, value in values.items():
            # copied into the memory layout of the parameter, because another layout may round differently
            if isinstance(value, Tensor) and value.ndim and value.shape == parameter.shape:
                values[name] = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)
    optimiser.load_state_dict(saved)
