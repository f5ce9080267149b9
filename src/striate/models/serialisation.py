"""Save and load encoders as one safetensors file with the settings in its header; loading never executes code."""

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
    """Description of the encoder in the header of the file."""

    settings: ModelSettings
    input_shape: tuple[_Count, _Count, _Count]
    neurons: dict[str, _Count]
    image_ranges: dict[str, tuple[FiniteFloat, FiniteFloat]] = {}


_FORMAT = "striate-encoder-1"
_HEADER = "striate"  # key of the header in the metadata of the file


def save(encoder: Encoder, path: Path | str, *, overwrite: bool = False) -> None:
    """Write an encoder and its settings to a ``.safetensors`` file.

    Parameters
    ----------
    encoder
        The encoder to save.
    path
        Path of the file.
    overwrite
        Whether to replace an existing file.

    Raises
    ------
    InputError
        If the file exists and `overwrite` is false.

    Examples
    --------
    >>> import tempfile
    >>> from striate.models import ModelSettings, build_encoder
    >>> encoder = build_encoder(ModelSettings(), {"mouse": [[0, 0], [1, 0], [0, 1]]}, (1, 36, 64))
    >>> path = Path(tempfile.mkdtemp()) / "encoder.safetensors"
    >>> save(encoder, path)
    >>> load(path).sessions
    ('mouse',)
    """
    description = {
        "settings": encoder.settings.model_dump(mode="json"),
        "input_shape": list(encoder.input_shape),
        "neurons": {s: encoder.neurons(s) for s in encoder.sessions},
        "image_ranges": {s: list(r) for s, r in encoder.image_ranges.items()},
    }
    write_tensors(path, encoder.state_dict(), {"format": _FORMAT, "encoder": description}, overwrite=overwrite)


@torch_defaults()
def load(path: Path | str) -> Encoder:
    """Load an encoder that was written by `save`, such as ``weights.safetensors`` of a finished run.

    Parameters
    ----------
    path
        Path of the file.

    Returns
    -------
    Encoder
        The encoder, in evaluation mode, on the CPU.

    Raises
    ------
    InputError
        If the file is missing or damaged, holds something else, or its tensors do not match the settings in its header.
    """
    tensors, header = read_tensors(path)
    if header.get("format") != _FORMAT:
        raise InputError(f"{path} holds no encoder of striate: give the weights.safetensors of a finished run.")
    try:
        description = _Description.model_validate(header.get("encoder"))
        shapes = meta_state_dict(description.settings, description.input_shape, description.neurons)
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
    encoder = empty_encoder(description.settings, description.input_shape, description.neurons)
    encoder.load_state_dict(dict(tensors))
    encoder.image_ranges = description.image_ranges
    return encoder.eval()


def _check_tensors(own: Mapping[str, Tensor], tensors: Mapping[str, Tensor], path: Path | str) -> None:
    if missing := [name for name in own if name not in tensors]:
        raise InputError(f"{path} lacks {listed(missing)}; it is not whole, so copy or train it anew.")
    if extra := [name for name in tensors if name not in own]:
        raise InputError(f"{path} holds {listed(extra)}, which this kind of encoder does not have.")
    for name, value in own.items():
        check_tensor(tensors[name], tuple(value.shape), value.dtype, f"{path}: {name}")


def check_tensor(tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype, name: str) -> None:
    """Raise `InputError` unless a tensor has the given shape, a data type of the same kind as `dtype`, and finite values."""
    if tuple(tensor.shape) != shape:
        raise InputError(f"{name} has shape {tuple(tensor.shape)}; expected {shape}.")
    if tensor.is_floating_point() != dtype.is_floating_point or tensor.is_complex() or tensor.layout != torch.strided:
        raise InputError(f"{name} has type {tensor.dtype}; expected {dtype}.")
    if not torch.isfinite(tensor).all():
        raise InputError(f"{name} holds NaN or infinity; such weights predict nothing.")


def write_tensors(
    path: Path | str, tensors: Mapping[str, Tensor], header: Mapping[str, Any], *, overwrite: bool
) -> None:
    """Write tensors and a header of JSON values to a safetensors file, atomically and deterministically."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_write(path, overwrite=overwrite) as temporary:
        # one key only: safetensors writes several in random order
        save_file(plain, temporary, metadata={_HEADER: json.dumps(header)})
        temporary.chmod(0o666 & ~_umask())  # safetensors makes the file readable by its owner only


def _umask() -> int:
    """Return the umask of the process."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def read_tensors(path: Path | str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and the header of a safetensors file.

    Raises
    ------
    InputError
        If the file does not exist, or is not a complete safetensors file.
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


def meta_state_dict(
    settings: ModelSettings, input_shape: tuple[int, int, int], neurons: Mapping[str, int]
) -> dict[str, Tensor]:
    """Return the state dict of an encoder with these settings on the device ``meta``, which allocates no memory.

    A file can claim any size in its header. The shapes are compared with the stored tensors before memory is allocated.
    """
    with torch.device("meta"):
        shapes = dict(empty_encoder(settings, input_shape, dict.fromkeys(neurons, 1)).state_dict())
    for session, count in neurons.items():
        for name in ("cortical_positions", "spread", "features", "bias"):
            key = f"readouts.{PREFIX}{session}.{name}"
            shapes[key] = shapes[key].new_empty((count, *shapes[key].shape[1:]), device="meta")
    return shapes


def empty_encoder(settings: ModelSettings, input_shape: tuple[int, int, int], neurons: Mapping[str, int]) -> Encoder:
    """Make an encoder whose weights are to be loaded, without changing the global random number generator."""
    with torch.random.fork_rng(devices=()):
        positions = {session: np.zeros((count, 2), np.float32) for session, count in neurons.items()}
        return Encoder(settings, ConvolutionalCore(settings.core, input_shape), positions)
