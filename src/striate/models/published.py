"""The weights that were published with SENSORIUM 2022 (``.pth``), as encoders.

They hold tensors alone: neither unit ids nor the statistics for standardisation, and nothing that says whether
the core has nonlinearities or how large its images are.
"""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from striate.errors import InputError, listed
from striate.models.encoder import PREFIX, Encoder
from striate.models.settings import CoreSettings, ModelSettings, ReadoutSettings, ShifterSettings
from striate.models.weights import fill, skeleton

# Names of the published tensors -> ours. They name the layers, channels and recordings that there are.
_FIRST = "core.features.layer0.conv.weight"
_NAMES = (
    (r"core\.features\.layer0\.conv\.weight", "core.layers.0.convolution.weight"),
    (r"core\.features\.layer([1-9]\d*)\.conv\.weight", r"core.layers.\1.convolution.weight"),
    (r"core\.features\.layer([1-9]\d*)\.ds_conv\.in_depth_conv\.weight", r"core.layers.\1.convolution.0.weight"),
    (r"core\.features\.layer([1-9]\d*)\.ds_conv\.spatial_conv\.weight", r"core.layers.\1.convolution.1.weight"),
    (r"core\.features\.layer([1-9]\d*)\.ds_conv\.out_depth_conv\.weight", r"core.layers.\1.convolution.2.weight"),
    (
        r"core\.features\.layer(\d+)\.norm\.(weight|bias|running_mean|running_var|num_batches_tracked)",
        r"core.layers.\1.norm.\2",
    ),
    (r"readout\.([^.]+)\.sigma", rf"readouts.{PREFIX}\1.spread"),
    (r"readout\.([^.]+)\._features", rf"readouts.{PREFIX}\1.features"),
    (r"readout\.([^.]+)\.bias", rf"readouts.{PREFIX}\1.bias"),
    (r"readout\.([^.]+)\.source_grid", rf"readouts.{PREFIX}\1.cortical_positions"),
    (r"readout\.([^.]+)\.mu_transform\.([02])\.(weight|bias)", rf"readouts.{PREFIX}\1.position_network.\2.\3"),
)
_SHIFTER = re.compile(r"shifter\.([^.]+)\.mlp\.(\d*[02468])\.(weight|bias)")
_NOT_NEEDED = re.compile(r"core\._input_weights_regularizer\.laplace\.filter")


def load(path: Path | str, *, nonlinear: bool = True, image_shape: tuple[int, int] = (36, 64)) -> Encoder:
    """Read published weights; no code in the file is executed.

    Parameters
    ----------
    path
        The ``.pth`` file.
    nonlinear
        Whether the core has ELUs: the file does not say. True for the CNN, False for the LN baseline.
    image_shape
        Height and width of the images that the model was trained on.

    Returns
    -------
    Encoder
        In evaluation mode, on the CPU. Its inputs are to be standardised as in `striate.loading`.

    Raises
    ------
    InputError
        If the file is missing, damaged, holds anything but tensors, or its tensors are not those of a 2022
        baseline.
    """
    state = _tensors(path)
    renamed, settings, neurons = _understood(state, nonlinear, path)
    planes = state[_FIRST].shape[1]
    encoder = skeleton(settings, (planes, *image_shape), neurons)
    fill(encoder, renamed, path)
    return encoder.eval()


def _tensors(path: Path | str) -> dict[str, Tensor]:
    if not Path(path).is_file():
        raise InputError(f"{path}: there is no such file.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} is no file of weights, or holds more than weights: only tensors are loaded, because anything else "
            "could run code."
        ) from error
    except Exception as error:  # bytes of unknown origin make the reader fail in every possible way
        raise InputError(
            f"{path} is damaged or not a file of PyTorch weights ({type(error).__name__}); fetch it anew."
        ) from error
    if not isinstance(state, Mapping) or not state:
        raise InputError(f"{path} holds a {type(state).__name__}; expected named tensors (a state dict).")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise InputError(
                f"{path}: {name!r} is a {type(value).__name__}; expected named tensors only (a state dict)."
            )
    return dict(state)


def _understood(
    state: Mapping[str, Tensor], nonlinear: bool, path: Path | str
) -> tuple[dict[str, Tensor], ModelSettings, dict[str, int]]:
    """Tensors by our names, the settings that their names and shapes imply, and the neurons of each recording."""
    renamed = {}
    shifter_layers: dict[str, int] = {}
    unknown = []
    for name, tensor in state.items():
        if _NOT_NEEDED.fullmatch(name):
            continue
        if match := _SHIFTER.fullmatch(name):
            session, layer = match[1], int(match[2]) // 2
            shifter_layers[session] = max(shifter_layers.get(session, 0), layer + 1)
            renamed[f"shifters.{PREFIX}{session}.layers.{layer}.{match[3]}"] = tensor
            continue
        ours = _renamed(name)
        if ours is None:
            unknown.append(name)
            continue
        renamed[ours] = _ours(tensor, name, path)
    if unknown:
        raise InputError(
            f"{path} holds {listed(unknown)}, which a 2022 baseline does not have; its tensors are not loaded."
        )
    neurons = _neurons(state, path)
    _shifters_of_all(shifter_layers, neurons, path)
    return renamed, _settings(state, nonlinear, neurons, shifter_layers, path), neurons


def _renamed(name: str) -> str | None:
    for pattern, ours in _NAMES:
        if match := re.fullmatch(pattern, name):
            return match.expand(ours)
    return None


def _ours(tensor: Tensor, name: str, path: Path | str) -> Tensor:
    """Bring a readout's tensors to our axes: features (1, C, 1, N) → (N, C), Σ (1, N, 2, 2) → (N, 2, 2)."""
    axes = {"._features": 4, ".sigma": 4}
    for ending, count in axes.items():
        if name.endswith(ending) and (tensor.ndim != count or tensor.shape[0] != 1):
            expected = "(1, channels, 1, neurons)" if ending == "._features" else "(1, neurons, 2, 2)"
            raise InputError(f"{path}: {name} has shape {tuple(tensor.shape)}; expected {expected}.")
    if name.endswith("._features"):
        return tensor.flatten(0, 2).T if tensor.shape[2] == 1 else tensor
    return tensor[0] if name.endswith(".sigma") else tensor


def _neurons(state: Mapping[str, Tensor], path: Path | str) -> dict[str, int]:
    grids = {m[1]: v for k, v in state.items() if (m := re.fullmatch(r"readout\.([^.]+)\.source_grid", k))}
    named = {m[1] for k in state if (m := re.match(r"readout\.([^.]+)\.", k))}
    if not named:
        raise InputError(f"{path} has no readout of any recording; it is not a 2022 baseline.")
    if without := sorted(named - set(grids)):
        raise InputError(f"{path} lacks readout.{without[0]}.source_grid; it is not whole, so fetch it anew.")
    for session, grid in grids.items():
        if grid.ndim != 2 or grid.shape[1] != 2 or len(grid) == 0:
            raise InputError(
                f"{path}: readout.{session}.source_grid has shape {tuple(grid.shape)}; expected (neurons, 2)."
            )
    return {session: len(grid) for session, grid in grids.items()}


def _shifters_of_all(layers: Mapping[str, int], neurons: Mapping[str, int], path: Path | str) -> None:
    if not layers:
        return
    if set(layers) != set(neurons):
        odd = sorted(set(layers) ^ set(neurons))
        raise InputError(
            f"{path}: {listed(odd)} has a readout or a shifter, but not both; it is not whole, so fetch it anew."
        )


def _settings(
    state: Mapping[str, Tensor],
    nonlinear: bool,
    neurons: Mapping[str, int],
    shifter_layers: Mapping[str, int],
    path: Path | str,
) -> ModelSettings:
    def shape(name: str, axes: int) -> tuple[int, ...]:
        if name not in state:
            raise InputError(f"{path} lacks {name}; it is not whole, or not a 2022 baseline.")
        if state[name].ndim != axes or 0 in state[name].shape:
            raise InputError(f"{path}: {name} has shape {tuple(state[name].shape)}; expected {axes} axes, none empty.")
        return tuple(state[name].shape)

    channels, _, kernel, _ = shape(_FIRST, 4)
    indices = {int(m[1]) for k in state if (m := re.match(r"core\.features\.layer(\d+)\.", k))}
    separable = "core.features.layer1.conv.weight" not in state
    hidden = 1
    if len(indices) > 1:
        kind = "ds_conv.spatial_conv" if separable else "conv"
        hidden = shape(f"core.features.layer1.{kind}.weight", 4)[-1]
    session = next(iter(neurons))
    width = shape(f"readout.{session}.mu_transform.0.weight", 2)[0]
    shifter = None
    if shifter_layers:
        depth = shifter_layers[session]
        units = shape(f"shifter.{session}.mlp.0.weight", 2)[0] if depth > 1 else 1
        shifter = ShifterSettings(layers=depth, hidden=units)
    try:
        core = CoreSettings(
            layers=max(indices) + 1,
            channels=channels,
            input_kernel=kernel,
            hidden_kernel=hidden,
            nonlinear=nonlinear,
            depth_separable=separable,
        )
        return ModelSettings(core=core, readout=ReadoutSettings(position_hidden=width), shifter=shifter)
    except ValueError as error:
        raise InputError(f"{path} is not a 2022 baseline: {str(error).splitlines()[2].strip()}.") from error
