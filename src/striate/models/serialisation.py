"""Save and load models as one safetensors file with the settings in its header; loading never executes code."""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, Field, FiniteFloat, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from striate._internal.atomic_write import atomic_write, utf8_path
from striate._internal.hugging_face import local_folder
from striate._internal.paths import expand_path
from striate._internal.safe_parsing import describe_first_error, parse_json_object
from striate._internal.torch_defaults import torch_defaults
from striate.component_errors import component_errors
from striate.data.context_settings import ContextSettings
from striate.errors import ComponentError, InputError, describe_type, listed, shortened
from striate.models.config import ImportedModelSettings, ModelPart
from striate.models.encoder import Encoder
from striate.models.inputs import ModelInputs
from striate.registry import Settings, import_object, installed_plugins_only, models

_Count = Annotated[int, Field(strict=True, ge=1, le=10**8)]


class _Inputs(BaseModel):
    """Shapes of the inputs in the header of the file."""

    image_shape: tuple[_Count, _Count, _Count]
    neurons: dict[str, _Count]
    behavior_size: Annotated[int, Field(strict=True, ge=0, le=10**4)] = 0
    behavior_planes: Annotated[int, Field(strict=True, ge=0, le=10**4)] = 0
    context: ContextSettings | None = None
    context_size: Annotated[int, Field(strict=True, ge=0, le=10**4)] = 0
    trials: dict[str, _Count] = {}
    measured_trials: dict[str, _Count] = {}

    def model_inputs(self) -> ModelInputs:
        """Return the inputs; the coordinates, which are part of the weights, are 0."""
        coordinates = zero_coordinates(self.neurons)
        return ModelInputs(
            self.image_shape,
            coordinates,
            self.behavior_size,
            self.behavior_planes,
            self.context,
            self.context_size,
            self.trials,
            self.measured_trials,
        )


class _Description(BaseModel):
    """Description of the model in the header of the file."""

    settings: Annotated[Settings, ModelPart()]
    inputs: _Inputs
    image_ranges: dict[str, tuple[FiniteFloat, FiniteFloat]] = {}


_FORMAT = "striate-model-2"
_MODULE_FORMAT = "striate-module-1"  # weights of a module that the file does not describe
WEIGHTS = "weights.safetensors"  # name of the file in the folder of a run
_HEADER = "striate"  # key of the header in the metadata of the file


def save(
    model: nn.Module,
    path: Path | str,
    *,
    settings: Settings | None = None,
    inputs: ModelInputs | None = None,
    overwrite: bool = False,
) -> None:
    """Write a model and its settings to a ``.safetensors`` file.

    Parameters
    ----------
    model
        The model to save.
    path
        Path of the file.
    settings, inputs
        What the model was built from; by default its attributes `settings` and `inputs`. A module of one's own that was not
        built from settings is saved without them, and only `load` with such a module can load it.
    overwrite
        Whether to replace an existing file.

    Raises
    ------
    InputError
        If the file exists and `overwrite` is false.

    Examples
    --------
    >>> import tempfile
    >>> from striate.models import EncoderSettings, build_encoder
    >>> encoder = build_encoder(EncoderSettings(), {"mouse": [[0, 0], [1, 0], [0, 1]]}, (1, 36, 64))
    >>> path = Path(tempfile.mkdtemp()) / "encoder.safetensors"
    >>> save(encoder, path)
    >>> load(path).sessions
    ('mouse',)
    """
    if isinstance(model, Encoder):
        settings, inputs = model.settings, model.inputs
    if settings is None or inputs is None:
        header: dict[str, Any] = {"format": _MODULE_FORMAT, "class": _class_name(model)}
    else:
        ranges = {s: list(r) for s, r in getattr(model, "image_ranges", {}).items()}
        description = {
            "settings": settings.model_dump(mode="json"),
            "inputs": {
                "image_shape": list(inputs.image_shape),
                "neurons": inputs.neurons,
                "behavior_size": inputs.behavior_size,
                "behavior_planes": inputs.behavior_planes,
                **_context_description(inputs),
            },
            "image_ranges": ranges,
        }
        header = {"format": _FORMAT, "model": description}
    write_tensors(path, model.state_dict(), header, overwrite=overwrite)


def _context_description(inputs: ModelInputs) -> dict[str, Any]:
    """Return the part of the header about the context of trials; empty if the model has none."""
    if inputs.context is None:
        return {}
    return {
        "context": inputs.context.model_dump(mode="json"),
        "context_size": inputs.context_size,
        "trials": dict(inputs.trials),
        "measured_trials": dict(inputs.measured_trials),
    }


@torch_defaults()
def load_model(path: Path | str, module: nn.Module | None = None) -> nn.Module:
    """Load a model that was written by `save`: an encoder, or a module of one's own.

    Parameters
    ----------
    path
        Path of the file or of the folder of a run, or ``"hf:USER/NAME"``.
    module
        Module that the weights are loaded into, if the file does not describe it.

    Returns
    -------
    torch.nn.Module
        The model, in evaluation mode.

    Raises
    ------
    InputError
        If the file is missing or damaged, holds something else, needs a plugin that is not installed or a module that is not
        given, or if its tensors do not match the model.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "net.safetensors"
    >>> save(nn.Linear(2, 3), path)
    >>> load_model(path, nn.Linear(2, 3))
    Linear(in_features=2, out_features=3, bias=True)
    """
    path = _weights_file(path)
    tensors, header = read_tensors(path)
    if header.get("format") == _MODULE_FORMAT and module is None:
        name = shortened(str(header.get("class")))
        raise InputError(
            f"{path} holds the weights of a module of one's own ({name}), which it does not describe: make such a module, and give "
            "it as well."
        )
    if module is not None and header.get("format") in (_MODULE_FORMAT, _FORMAT):
        _check_tensors(module.state_dict(), tensors, path)
        module.load_state_dict(dict(tensors))
        return module.eval()
    if header.get("format") != _FORMAT:
        raise InputError(f"{path} holds no model of striate: give the weights.safetensors of a finished run.")
    try:
        with installed_plugins_only():
            description = _Description.model_validate(header.get("model"))
            inputs = description.inputs.model_inputs()
            shapes = meta_state_dict(description.settings, inputs)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "value_error" and isinstance(first.get("ctx", {}).get("error"), InputError):
            raise InputError(f"{path} cannot be loaded: {first['ctx']['error']}") from error
        raise InputError(
            f"{path}: the description of the model is damaged ({describe_first_error(error)}); copy or train the run anew."
        ) from error
    except (InputError, ComponentError) as error:
        raise InputError(f"{path} cannot be loaded: {error}") from error
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path}: the description of the model is damaged ({shortened(reason)}); copy or train the run anew."
        ) from error
    _check_tensors(shapes, tensors, path)
    model = empty_model(description.settings, inputs)
    model.load_state_dict(dict(tensors))
    if isinstance(model, Encoder):
        model.image_ranges = description.image_ranges
    return model.eval()


def load(path: Path | str) -> Encoder:
    """Load an encoder: the file that `save` wrote, or the folder of a run that was trained or shared.

    Neither recordings nor plugins' files are needed, and nothing in the folder is executed.

    Parameters
    ----------
    path
        Path of the file or of the folder, or ``"hf:USER/NAME"`` for a model on the Hugging Face Hub.

    Returns
    -------
    Encoder
        The encoder, in evaluation mode, on the CPU.

    Raises
    ------
    InputError
        If the file is missing or damaged, holds something else, needs a plugin that is not installed, or its tensors do not
        match the settings in its header.
    """
    model = load_model(path)
    if not isinstance(model, Encoder):
        raise InputError(
            f"{path} holds a {type(model).__name__}, which is no encoder: load it with striate.models.load_model."
        )
    return model


def _weights_file(given: Path | str) -> Path:
    """Return the file of the weights: the path itself, or that in the folder of a run, which may be on the hub."""
    path = local_folder(given, "path")
    if not path.is_dir():
        return path
    if (path / "ensemble.json").is_file():
        raise InputError(f"{given} is an ensemble of several models: open it by striate.open_run(…).encoder().")
    if not (path / WEIGHTS).is_file():
        raise InputError(f"{given} holds no model (it has no {WEIGHTS}): give the folder of a finished run.")
    return path / WEIGHTS


def _check_tensors(own: Mapping[str, Tensor], tensors: Mapping[str, Tensor], path: Path | str) -> None:
    if missing := [name for name in own if name not in tensors]:
        raise InputError(f"{path} lacks {listed(missing)}; it is not whole, so copy or train it anew.")
    if extra := [name for name in tensors if name not in own]:
        raise InputError(f"{path} holds {listed(extra)}, which this kind of model does not have.")
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
    plain = _separate_memory({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    with atomic_write(path, overwrite=overwrite) as temporary:
        # one key only: safetensors writes several in random order
        save_file(plain, temporary, metadata={_HEADER: json.dumps(header)})
        temporary.chmod(0o666 & ~_umask())  # safetensors makes the file readable by its owner only


def _separate_memory(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy tensors that share memory, as tied weights do, because safetensors refuses them."""
    seen: set[int] = set()
    separate = {}
    for name, tensor in tensors.items():
        memory = tensor.untyped_storage().data_ptr()
        separate[name] = tensor.clone() if memory in seen else tensor
        seen.add(memory)
    return separate


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


@component_errors()
def build_model(settings: Settings, inputs: ModelInputs) -> nn.Module:
    """Make an untrained model from its settings.

    Parameters
    ----------
    settings
        Settings of a registered model, such as `EncoderSettings`, or of a class of one's own (`ImportedModelSettings`), which is
        called with the inputs and its own settings as keyword arguments.
    inputs
        Shapes of the inputs, and the neurons of each recording.

    Returns
    -------
    torch.nn.Module
        The model: maps a `striate.data.Batch` to rates, (B, N).

    Raises
    ------
    InputError
        If the class cannot be imported, is no module of PyTorch, or does not take the settings.

    Examples
    --------
    >>> from striate.models import EncoderSettings
    >>> inputs = ModelInputs((1, 36, 64), {"mouse": np.zeros((5, 3))})
    >>> build_model(EncoderSettings(), inputs).sessions
    ('mouse',)
    """
    if not isinstance(settings, ImportedModelSettings):
        model: nn.Module = models.build(settings, inputs)
        return model
    made = import_object(settings.type)
    if not (isinstance(made, type) and issubclass(made, nn.Module)):
        raise InputError(f"{settings.type} is {describe_type(made)}; expected a class derived from torch.nn.Module.")
    try:
        return made(inputs, **settings.arguments)
    except TypeError as error:
        raise InputError(
            f"{settings.type} cannot be made from the inputs and the settings {listed(settings.arguments, 6) or '(none)'} "
            f"({shortened(error, 200)}): correct [model] or the class."
        ) from error


def meta_state_dict(settings: Settings, inputs: ModelInputs) -> dict[str, Tensor]:
    """Return the state dict of a model with these settings on the device ``meta``, which allocates no memory.

    A file can claim any size in its header. The shapes are compared with the stored tensors before memory is allocated. Even
    the coordinates of the claimed neurons could be too large, so that the shapes are derived from models of two or three
    neurons a recording: the length of each axis is a linear function of the numbers of neurons.

    Parameters
    ----------
    settings
        Settings of the model.
    inputs
        Shapes of its inputs. Only the numbers of neurons are used, not their coordinates.
    """
    neurons = inputs.neurons
    base = _meta_state(settings, inputs, dict.fromkeys(neurons, 2))
    shapes = {name: list(value.shape) for name, value in base.items()}
    for session, count in neurons.items():
        larger = _meta_state(settings, inputs, dict.fromkeys(neurons, 2) | {session: 3})
        if larger.keys() != base.keys():
            raise InputError(
                "the tensors of the model depend on the number of its neurons, so that it cannot be loaded"
            )
        for name, value in larger.items():
            for axis, (two, three) in enumerate(zip(base[name].shape, value.shape, strict=True)):
                shapes[name][axis] += (three - two) * (count - 2)
    return {name: value.new_empty(shapes[name], device="meta") for name, value in base.items()}


def _meta_state(settings: Settings, inputs: ModelInputs, neurons: Mapping[str, int]) -> dict[str, Tensor]:
    with torch.device("meta"), _WithoutInitialisation():
        return dict(empty_model(settings, replace(inputs, coordinates=zero_coordinates(neurons))).state_dict())


class _WithoutInitialisation(TorchFunctionMode):
    """Leave out the random initialisation of tensors on the device ``meta``, which have no values to set.

    PyTorch would import its compiler for normally distributed values on this device, which takes two seconds.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func.__name__.endswith(("normal_", "uniform_")):  # also those of torch.nn.init
            tensor: Tensor = args[0] if args else kwargs["tensor"]
            if tensor.is_meta:
                return tensor
        return func(*args, **kwargs)


def zero_coordinates(neurons: Mapping[str, int]) -> dict[str, NDArray[np.float64]]:
    """Return coordinates that are all 0, for models whose weights are to be loaded; they take no memory."""
    return {session: np.broadcast_to(np.zeros((1, 2)), (count, 2)) for session, count in neurons.items()}


def empty_model(settings: Settings, inputs: ModelInputs) -> nn.Module:
    """Make a model whose weights are to be loaded, without changing the global random number generator."""
    with torch.random.fork_rng(devices=()):
        return build_model(settings, inputs)


def _class_name(module: nn.Module) -> str:
    return f"{type(module).__module__}:{type(module).__qualname__}"
