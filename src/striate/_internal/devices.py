"""Resolve the name of a device to an available PyTorch device."""

import torch

from striate.errors import InputError


def resolve_device(name: str) -> torch.device:
    """Resolve a device name. ``"auto"`` is the first CUDA GPU, or the CPU if there is none.

    Raises
    ------
    InputError
        If the device does not exist on this machine.
    """
    if name == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"There is no device {name!r}: use auto, cpu, cuda, cuda:0 or mps.") from error
    if device.type == "cpu":
        return torch.device("cpu")
    if device.type == "cuda":
        index, count = device.index or 0, torch.cuda.device_count()
        if index < count:
            return torch.device("cuda", index)
        have = f"it has {count}, counted from 0" if count else "PyTorch finds no GPU here"
        raise InputError(f"There is no device {name!r}: {have}. Use cpu or auto.")
    if device.type == "mps" and torch.backends.mps.is_available():
        return torch.device("mps")
    raise InputError(f"There is no device {name!r} on this machine: use auto, cpu, cuda, cuda:0 or mps.")
