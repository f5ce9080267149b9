"""Checkpoints, from which an interrupted training resumes as if it had never been interrupted.

A checkpoint is one safetensors file that is replaced atomically. It holds the weights, their moving average (if there is
one), the best weights and the state of Adam; its header holds the counters. Random number generators need no state, because
each step uses its own seed (see `Trainer`).
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam

from striate.errors import InputError, option
from striate.models.serialisation import read_tensors, write_tensors

_FORMAT = "striate-checkpoint-1"
Tensors = dict[str, Tensor]


@dataclass
class TrainingState:
    """Counters and history of a training.

    Attributes
    ----------
    early_stopping
        State of `EarlyStopping`; empty until the untrained model has been validated.
    step
        Number of completed steps in the current epoch.
    loss
        Sum of the losses of these steps.
    seconds
        Time spent on the current epoch, in seconds.
    history
        One row for each completed epoch.
    """

    early_stopping: dict[str, Any] = field(default_factory=dict)
    step: int = 0
    loss: float = 0.0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


def write(
    path: Path, encoder: nn.Module, average: nn.Module | None, best: Tensors, optimiser: Adam, training: TrainingState
) -> None:
    """Write a checkpoint and replace an earlier one."""
    tensors = {f"encoder/{name}": value for name, value in encoder.state_dict().items()}
    if average is not None:
        tensors |= {f"average/{name}": value for name, value in average.state_dict().items()}
    tensors |= {f"best/{name}": value for name, value in best.items()}
    for index, values in optimiser.state_dict()["state"].items():
        tensors |= {f"adam/{index}/{name}": value for name, value in values.items()}
    header = {"format": _FORMAT, "training": asdict(training)}
    write_tensors(path, tensors, header, overwrite=True)


def read(path: Path, encoder: nn.Module, average: nn.Module | None, optimiser: Adam) -> tuple[Tensors, TrainingState]:
    """Load a checkpoint into an encoder, its moving average and its optimiser.

    Returns
    -------
    best
        The best weights.
    training
        Counters and history.

    Raises
    ------
    InputError
        If the file is damaged, or belongs to another encoder.
    """
    tensors, header = read_tensors(path)
    try:
        if header["format"] != _FORMAT:
            raise ValueError("another format")
        training = TrainingState(**header["training"])
        parts: dict[str, Tensors] = {"encoder": {}, "average": {}, "best": {}, "adam": {}}
        for name, value in tensors.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = value
        encoder.load_state_dict(parts["encoder"])
        if average is not None:
            average.load_state_dict(parts["average"])
        _restore_adam(optimiser, parts["adam"])
    except (KeyError, ValueError, TypeError, RuntimeError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{path} is not a checkpoint of this run ({reason}): start the run again ({option('--overwrite', 'overwrite=True')})."
        ) from error
    device = next(encoder.parameters()).device
    return {name: value.to(device) for name, value in parts["best"].items()}, training


def _restore_adam(optimiser: Adam, tensors: Tensors) -> None:
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    state: dict[int, Tensors] = {}
    for name, value in tensors.items():
        index, _, kind = name.partition("/")
        if value.ndim:  # copied into the memory layout of the parameter, because another layout may round differently
            value = torch.empty_like(parameters[int(index)], requires_grad=False).copy_(value)
        state.setdefault(int(index), {})[kind] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
