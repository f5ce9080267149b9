"""Load the weights that were published with SENSORIUM 2022 (``.pth``) as encoders.

The files contain tensors only. They contain neither unit ids nor the statistics of the standardisation, and do not record
whether the core is nonlinear or the size of its images.
"""

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import Tensor

from striate._internal.paths import expand_path
from striate._internal.zip_files import open_zip
from striate.errors import InputError, listed, quoted, shortened
from striate.models.config import EncoderSettings
from striate.models.cores.convolutional import ConvolutionalSettings
from striate.models.encoder import PREFIX, Encoder
from striate.models.inputs import ModelInputs
from striate.models.readouts.gaussian import GaussianSettings
from striate.models.serialisation import check_tensor, empty_model, meta_state_dict, zero_coordinates
from striate.models.shifters.mlp import MLPShifterSettings

State = Mapping[str, Tensor]

# Names of tensors in striate → names in the published files.
_NAMES = (
    (r"core\.layers\.(\d+)\.convolution\.weight", r"core.features.layer\1.conv.weight"),
    (r"core\.layers\.(\d+)\.convolution\.0\.weight", r"core.features.layer\1.ds_conv.in_depth_conv.weight"),
    (r"core\.layers\.(\d+)\.convolution\.1\.weight", r"core.features.layer\1.ds_conv.spatial_conv.weight"),
    (r"core\.layers\.(\d+)\.convolution\.2\.weight", r"core.features.layer\1.ds_conv.out_depth_conv.weight"),
    (r"core\.layers\.(\d+)\.norm\.(\w+)", r"core.features.layer\1.norm.\2"),
    (rf"readouts\.{PREFIX}([^.]+)\.spread", r"readout.\1.sigma"),
    (rf"readouts\.{PREFIX}([^.]+)\.features", r"readout.\1._features"),
    (rf"readouts\.{PREFIX}([^.]+)\.bias", r"readout.\1.bias"),
    (rf"readouts\.{PREFIX}([^.]+)\.cortical_positions", r"readout.\1.source_grid"),
    (rf"readouts\.{PREFIX}([^.]+)\.position_network\.(\d+)\.(\w+)", r"readout.\1.mu_transform.\2.\3"),
)
_SHIFTER = rf"shifters\.{PREFIX}([^.]+)\.layers\.(\d+)\.(\w+)"
_FIRST = "core.features.layer0.conv.weight"
_IGNORED = "core._input_weights_regularizer.laplace.filter"


def load(path: Path | str, *, nonlinear: bool = True, image_shape: tuple[int, int] = (36, 64)) -> Encoder:
    """Load published weights. Code in the file is never executed.

    Parameters
    ----------
    path
        Path of the ``.pth`` file.
    nonlinear
        Whether the core has ELUs, which the file does not record: True for the CNN baseline, False for the LN baseline.
    image_shape
        Height and width of the images that the model was trained on.

    Returns
    -------
    Encoder
        The encoder, in evaluation mode, on the CPU. Its inputs must be standardised as `striate.loaders` does.

    Raises
    ------
    InputError
        If the file is missing or damaged, holds anything but tensors, or does not hold a 2022 baseline.

    Examples
    --------
    >>> encoder = load("sensorium_sota_model.pth")  # doctest: +SKIP
    """
    state = read_state_dict(path)
    neurons = _neurons(state, path)
    settings = _settings(state, nonlinear, next(iter(neurons)), path)
    planes = state[_FIRST].shape[1]
    behavior = planes - 1  # the images of 2022 are grey; further channels are planes of behaviour
    inputs = ModelInputs((planes, *image_shape), zero_coordinates(neurons), behavior, behavior)
    try:
        own = meta_state_dict(settings, inputs)
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{path} is not a 2022 baseline ({shortened(str(error).splitlines()[0], 100)}).") from error
    published = {ours: _published_name(ours) for ours in own}
    if extra := [name for name in state if name not in {*published.values(), _IGNORED}]:
        raise InputError(f"{path} holds {listed(extra)}, which such a 2022 baseline does not have; nothing was loaded.")
    if missing := [name for name in published.values() if name not in state]:
        raise InputError(f"{path} lacks {listed(missing)}; it is not whole, or not a 2022 baseline.")
    tensors = {n: _convert_axes(state[published[n]], v, f"{path}: {published[n]}") for n, v in own.items()}
    encoder = empty_model(settings, inputs)
    assert isinstance(encoder, Encoder)
    encoder.load_state_dict(tensors)
    return encoder.eval()


def read_state_dict(path: Path | str) -> dict[str, Tensor]:
    """Read the tensors of a file that ``torch.save`` wrote. Code in the file is never executed.

    Raises
    ------
    InputError
        If the file is missing or damaged, or holds anything but named tensors.

    Examples
    --------
    >>> read_state_dict("resnet18.pth")  # doctest: +SKIP
    """
    path = expand_path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file.")
    _check_zip(path)
    try:
        with warnings.catch_warnings(action="ignore"):  # about content that is refused below
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} is no file of weights, or holds more than weights: only tensors are loaded, because anything else "
            "could run code."
        ) from error
    except Exception as error:  # torch.load raises many types of exceptions for damaged files
        raise InputError(
            f"{path} is damaged or not a file of PyTorch weights ({type(error).__name__}); fetch it anew."
        ) from error
    if not isinstance(state, Mapping) or not state:
        raise InputError(f"{path} holds a {type(state).__name__}; expected named tensors (a state dict).")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise InputError(
                f"{path}: {quoted(name)} is a {type(value).__name__}; expected named tensors only (a state dict)."
            )
        if value.layout != torch.strided or value.device.type != "cpu" or value.is_quantized:
            raise InputError(
                f"{path}: {shortened(name)} has layout {value.layout} on {value.device}; expected plain values, each stored."
            )
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():  # strides repeat values
            raise InputError(
                f"{path}: {shortened(name)} has shape {tuple(value.shape)}, and fewer values are stored; fetch it anew."
            )
    return dict(state)


def _check_zip(path: Path | str) -> None:
    """Raise `InputError` if the members of the zip are compressed or overlap, which PyTorch's own files never are.

    Files in the format of PyTorch before 1.6 are refused too, because they can claim sizes that they do not store.
    """
    try:
        size = Path(path).stat().st_size
        with open_zip(Path(path)) as archive:
            members = archive.infolist()
            sound = all(m.compress_type == zipfile.ZIP_STORED and m.file_size == m.compress_size for m in members)
            if not sound or sum(m.file_size for m in members) > size:
                raise InputError(
                    f"{path} has packed or overlapping members, unlike PyTorch's own files: fetch it anew."
                )
    except (zipfile.BadZipFile, ValueError, OSError, LookupError, NotImplementedError) as error:
        if isinstance(error, InputError):
            raise
        with Path(path).open("rb") as file:
            if file.read(1) == b"\x80":  # a pickle by itself
                raise InputError(
                    f"{path} is a pickle and not the zip that torch.save writes since PyTorch 1.6: only tensors are loaded, "
                    "because anything else could run code."
                ) from error
        raise InputError(
            f"{path} is damaged or not a file of PyTorch weights (not the zip that torch.save writes since PyTorch 1.6); "
            "fetch it anew, or save it again."
        ) from error


def _published_name(ours: str) -> str:
    if match := re.fullmatch(_SHIFTER, ours):  # their indices count the nonlinearities between the layers too
        return f"shifter.{match[1]}.mlp.{2 * int(match[2])}.{match[3]}"
    for pattern, theirs in _NAMES:
        if match := re.fullmatch(pattern, ours):
            return match.expand(theirs)
    return ours


def _convert_axes(tensor: Tensor, own: Tensor, name: str) -> Tensor:
    """Check a tensor and convert its axes: features from (1, C, 1, N) to (N, C), Σ from (1, N, 2, 2) to (N, 2, 2)."""
    if name.endswith("._features"):
        neurons, channels = own.shape
        check_tensor(tensor, (1, channels, 1, neurons), own.dtype, name)
        return tensor[0, :, 0].T
    if name.endswith(".sigma"):
        check_tensor(tensor, (1, *own.shape), own.dtype, name)
        return tensor[0]
    check_tensor(tensor, tuple(own.shape), own.dtype, name)
    return tensor


def _neurons(state: State, path: Path | str) -> dict[str, int]:
    """Return the number of neurons of each recording that has a readout."""
    sessions = dict.fromkeys(m[1] for name in state if (m := re.match(r"readout\.([A-Za-z0-9_-]+)\.", name)))
    if not sessions:
        raise InputError(f"{path} has no readout of any recording; it is not a 2022 baseline.")
    return {session: _shape(state, f"readout.{session}.source_grid", 2, path)[0] for session in sessions}


def _settings(state: State, nonlinear: bool, session: str, path: Path | str) -> EncoderSettings:
    """Infer the settings from the names and shapes of the tensors."""
    channels, _, kernel, _ = _shape(state, _FIRST, 4, path)
    layers = 1 + max(int(m[1]) for name in state if (m := re.match(r"core\.features\.layer(\d{1,3})\.", name)))
    separable = "core.features.layer1.conv.weight" not in state
    hidden = 1
    if layers > 1:
        kind = "ds_conv.spatial_conv" if separable else "conv"
        hidden = _shape(state, f"core.features.layer1.{kind}.weight", 4, path)[3]
    position_hidden_units = _shape(state, f"readout.{session}.mu_transform.0.weight", 2, path)[0]
    shifter = None
    prefix = rf"shifter\.{re.escape(session)}\.mlp\.(\d{{1,3}})\."
    if indices := [int(m[1]) for name in state if (m := re.match(prefix, name))]:
        units = _shape(state, f"shifter.{session}.mlp.0.weight", 2, path)[0]
        shifter = {"layers": max(indices) // 2 + 1, "hidden_units": units}
    try:
        core = ConvolutionalSettings(
            layers=layers,
            channels=channels,
            input_kernel_size=kernel,
            hidden_kernel_size=hidden,
            nonlinear=nonlinear,
            depth_separable=separable,
        )
        readout = GaussianSettings(position_hidden_units=position_hidden_units)
        return EncoderSettings(
            core=core, readout=readout, shifter=MLPShifterSettings.model_validate(shifter) if shifter else None
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{path} is not a 2022 baseline ({first['msg'].removeprefix('Value error, ')}).") from error


def _shape(state: State, name: str, axes: int, path: Path | str) -> tuple[int, ...]:
    if name not in state:
        raise InputError(f"{path} lacks {name}; it is not whole, or not a 2022 baseline.")
    shape = tuple(state[name].shape)
    if len(shape) != axes or 0 in shape:
        raise InputError(f"{path}: {name} has shape {shape}; expected {axes} axes, none empty.")
    return shape
