"""Encoders on disk: one safetensors file that says in its header what it holds; nothing in it is ever executed."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from striate.errors import InputError, listed
from striate.files import whole_file
from striate.models.cores import ConvolutionalCore
from striate.models.encoder import Encoder
from striate.models.settings import ModelSettings

_FORMAT = "striate-encoder-1"
_HEADER = "striate"  # its name among the metadata of the file


def save(encoder: Encoder, path: Path | str, *, overwrite: bool = False) -> None:
    """Write an encoder, with the settings that rebuild it, as one ``.safetensors`` file.

    Raises
    ------
    InputError
        If something stands at `path` and `overwrite` is false.
    """
    described = {
        "settings": encoder.settings.model_dump(mode="json"),
        "input_shape": list(encoder.input_shape),
        "neurons": {s: encoder.neurons(s) for s in encoder.sessions},
        "image_ranges": {s: list(r) for s, r in encoder.image_ranges.items()},
    }
    write_tensors(path, encoder.state_dict(), {"format": _FORMAT, "encoder": described}, overwrite=overwrite)


def load(path: Path | str) -> Encoder:
    """Read an encoder that `save` wrote; it is in evaluation mode, on the CPU.

    Raises
    ------
    InputError
        If the file is missing, damaged, of another kind, or its tensors do not fit its own description.
    """
    tensors, header = read_tensors(path)
    if header.get("format") != _FORMAT:
        raise InputError(f"{path} holds no encoder of striate: give the weights.safetensors of a finished run.")
    try:
        described = header["encoder"]
        settings = ModelSettings.model_validate(described["settings"])
        planes, height, width = (int(n) for n in described["input_shape"])
        neurons = {str(s): int(n) for s, n in described["neurons"].items()}
        if min(planes, height, width, *neurons.values()) < 1:
            raise ValueError("a size is not positive")
        ranges = {str(s): (float(r[0]), float(r[1])) for s, r in described.get("image_ranges", {}).items()}
        if not all(math.isfinite(value) for pair in ranges.values() for value in pair):
            raise ValueError("a grey value is not finite")
        encoder = skeleton(settings, (planes, height, width), neurons)
        encoder.image_ranges = ranges
    except (LookupError, TypeError, ValueError, AttributeError, ValidationError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path}: the description of the encoder is damaged ({reason}); copy or train the run anew."
        ) from error
    fill(encoder, tensors, path)
    return encoder.eval()


def fill(encoder: Encoder, tensors: Mapping[str, Tensor], path: Path | str) -> None:
    """Put tensors, by the names of the encoder's own, into an encoder.

    Raises
    ------
    InputError
        If one is missing, one too many, of another shape or kind, or not finite.
    """
    own = encoder.state_dict()
    if missing := [name for name in own if name not in tensors]:
        raise InputError(f"{path} lacks {listed(missing)}; it is not whole, so copy or train it anew.")
    if extra := [name for name in tensors if name not in own]:
        raise InputError(f"{path} holds {listed(extra)}, which this kind of encoder does not have.")
    for name, value in own.items():
        check_tensor(tensors[name], tuple(value.shape), value.dtype, f"{path}: {name}")
    encoder.load_state_dict(dict(tensors))


def check_tensor(tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype, name: str) -> None:
    """Raise `InputError` unless a tensor has this shape, a kind of number that fits `dtype`, and is finite."""
    if tuple(tensor.shape) != shape:
        raise InputError(f"{name} has shape {tuple(tensor.shape)}; expected {shape}.")
    if tensor.is_floating_point() != dtype.is_floating_point or tensor.is_complex() or tensor.layout != torch.strided:
        raise InputError(f"{name} has type {tensor.dtype}; expected {dtype}.")
    if not torch.isfinite(tensor).all():
        raise InputError(f"{name} holds NaN or infinity; such weights predict nothing.")


def write_tensors(
    path: Path | str, tensors: Mapping[str, Tensor], header: Mapping[str, Any], *, overwrite: bool
) -> None:
    """Write tensors and a header of JSON values as one safetensors file, whole or not at all; the same make the same file."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with whole_file(path, overwrite=overwrite) as aside:
        save_file(plain, aside, metadata={_HEADER: json.dumps(header)})  # the library would order several at random
        aside.chmod(0o666 & ~_umask())  # the library lets only its writer read


def _umask() -> int:
    """The rights that new files do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def read_tensors(path: Path | str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and header of a safetensors file.

    Raises
    ------
    InputError
        If there is no such file, or it is not a whole safetensors file.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: there is no such file.")
    try:
        with safe_open(str(path), framework="pt") as file:
            names = file.keys()
            header = json.loads((file.metadata() or {}).get(_HEADER, "{}"))
            if not isinstance(header, dict):
                raise ValueError("its header is no JSON object")
            return {name: file.get_tensor(name) for name in names}, header
    except (SafetensorError, OSError, ValueError, RuntimeError, TypeError) as error:
        raise InputError(f"{path} is not a whole safetensors file ({error}); copy or train it anew.") from error


def skeleton(settings: ModelSettings, input_shape: tuple[int, int, int], neurons: Mapping[str, int]) -> Encoder:
    """Make an encoder of the right shapes, whose values are still to be filled in; the global generator is left alone."""
    with torch.random.fork_rng(devices=()):
        positions = {session: torch.zeros(count, 2).numpy() for session, count in neurons.items()}
        return Encoder(settings, ConvolutionalCore(settings.core, input_shape), positions)
