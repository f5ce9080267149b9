"""Encoders on disk: one safetensors file that says in its header what it holds; nothing in it is ever executed."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import BaseModel, Field, FiniteFloat, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from striate._internal.atomic_write import atomic_write, utf8_path
from striate._internal.paths import expand_path
from striate._internal.safe_parsing import describe_first_error, parse_json_object
from striate._internal.torch_defaults import torch_defaults
from striate.errors import InputError, listed, shortened
from striate.models.config import ModelSettings
from striate.models.cores import ConvolutionalCore
from striate.models.encoder import PREFIX, Encoder

_Count = Annotated[int, Field(strict=True, ge=1, le=10**8)]


class _Description(BaseModel):
    """What the header says of the encoder."""

    settings: ModelSettings
    input_shape: tuple[_Count, _Count, _Count]
    neurons: dict[str, _Count]
    image_ranges: dict[str, tuple[FiniteFloat, FiniteFloat]] = {}


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


@torch_defaults()
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
        described = _Description.model_validate(header.get("encoder"))
        shapes = shapes_of(described.settings, described.input_shape, described.neurons)
    except ValidationError as error:
        raise InputError(
            f"{path}: the description of the encoder is damaged ({describe_first_error(error)}); copy or train the run anew."
        ) from error
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path}: the description of the encoder is damaged ({shortened(reason)}); copy or train the run anew."
        ) from error
    _check_tensors(shapes, tensors, path)
    encoder = skeleton(described.settings, described.input_shape, described.neurons)
    encoder.load_state_dict(dict(tensors))
    encoder.image_ranges = described.image_ranges
    return encoder.eval()


def fill(encoder: Encoder, tensors: Mapping[str, Tensor], path: Path | str) -> None:
    """Put tensors, by the names of the encoder's own, into an encoder.

    Raises
    ------
    InputError
        If one is missing, one too many, of another shape or kind, or not finite.
    """
    _check_tensors(encoder.state_dict(), tensors, path)
    encoder.load_state_dict(dict(tensors))


def _check_tensors(own: Mapping[str, Tensor], tensors: Mapping[str, Tensor], path: Path | str) -> None:
    if missing := [name for name in own if name not in tensors]:
        raise InputError(f"{path} lacks {listed(missing)}; it is not whole, so copy or train it anew.")
    if extra := [name for name in tensors if name not in own]:
        raise InputError(f"{path} holds {listed(extra)}, which this kind of encoder does not have.")
    for name, value in own.items():
        check_tensor(tensors[name], tuple(value.shape), value.dtype, f"{path}: {name}")


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
    with atomic_write(path, overwrite=overwrite) as aside:
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
    path = expand_path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file.")
    try:
        with utf8_path(path) as readable, safe_open(readable, framework="pt") as file:
            names = file.keys()
            header = parse_json_object((file.metadata() or {}).get(_HEADER, "{}"), "its header")
            return {name: file.get_tensor(name) for name in names}, header
    except (SafetensorError, OSError, ValueError, RuntimeError, TypeError, LookupError, AttributeError) as error:
        reason = shortened(str(error).rstrip("."), 100)
        raise InputError(f"{path} is not a whole safetensors file ({reason}); copy or train it anew.") from error


def shapes_of(
    settings: ModelSettings, input_shape: tuple[int, int, int], neurons: Mapping[str, int]
) -> dict[str, Tensor]:
    """Return the tensors that an encoder of these settings has, as shapes without memory (on the device ``meta``).

    A small file can claim any size: with these shapes its claims are compared with what is stored, before anything of that
    size is made.
    """
    with torch.device("meta"):
        shapes = dict(skeleton(settings, input_shape, dict.fromkeys(neurons, 1)).state_dict())
    for session, count in neurons.items():
        for name in ("cortical_positions", "spread", "features", "bias"):
            key = f"readouts.{PREFIX}{session}.{name}"
            shapes[key] = shapes[key].new_empty((count, *shapes[key].shape[1:]), device="meta")
    return shapes


def skeleton(settings: ModelSettings, input_shape: tuple[int, int, int], neurons: Mapping[str, int]) -> Encoder:
    """Make an encoder of the right shapes, whose values are still to be filled in; the global generator is left alone."""
    with torch.random.fork_rng(devices=()):
        positions = {session: np.zeros((count, 2), np.float32) for session, count in neurons.items()}
        return Encoder(settings, ConvolutionalCore(settings.core, input_shape), positions)
