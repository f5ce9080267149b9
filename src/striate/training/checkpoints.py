"""Checkpoints: all that a killed training needs to go on as if it had never been killed.

One safetensors file, replaced as a whole: the weights, their running average if there is one, the best weights, the state
of Adam, and in its header the counters. The random numbers need no state: each step draws from a seed of its own (see `Trainer`).
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
class Progress:
    """Where a training stands.

    Attributes
    ----------
    schedule
        State of the `Schedule`; empty before the untrained model was validated.
    round
        Rounds of the current epoch that are done.
    loss
        Sum of their losses.
    seconds
        Time spent on the current epoch.
    history
        One row for each epoch that is complete.
    """

    schedule: dict[str, Any] = field(default_factory=dict)
    round: int = 0
    loss: float = 0.0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


def write(
    path: Path, encoder: nn.Module, average: nn.Module | None, best: Tensors, optimiser: Adam, progress: Progress
) -> None:
    """Write a checkpoint, in the place of an earlier one."""
    tensors = {f"encoder/{name}": value for name, value in encoder.state_dict().items()}
    if average is not None:
        tensors |= {f"average/{name}": value for name, value in average.state_dict().items()}
    tensors |= {f"best/{name}": value for name, value in best.items()}
    for index, values in optimiser.state_dict()["state"].items():
        tensors |= {f"adam/{index}/{name}": value for name, value in values.items()}
    header = {"format": _FORMAT, "progress": asdict(progress)}
    write_tensors(path, tensors, header, overwrite=True)


def read(path: Path, encoder: nn.Module, average: nn.Module | None, optimiser: Adam) -> tuple[Tensors, Progress]:
    """Put a checkpoint back.

    Returns
    -------
    best
        The best weights.
    progress
        Where the training stood.

    Raises
    ------
    InputError
        If the file is damaged, or is that of another encoder.
    """
    tensors, header = read_tensors(path)
    try:
        if header["format"] != _FORMAT:
            raise ValueError("another format")
        progress = Progress(**header["progress"])
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
            f"{path} is no checkpoint of this run ({reason}): start it anew ({option('--overwrite', 'overwrite=True')})."
        ) from error
    device = next(encoder.parameters()).device
    return {name: value.to(device) for name, value in parts["best"].items()}, progress


def _restore_adam(optimiser: Adam, tensors: Tensors) -> None:
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    state: dict[int, Tensors] = {}
    for name, value in tensors.items():
        index, _, kind = name.partition("/")
        if value.ndim:  # in the memory layout of its parameter: another may round differently
            value = torch.empty_like(parameters[int(index)], requires_grad=False).copy_(value)
        state.setdefault(int(index), {})[kind] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
