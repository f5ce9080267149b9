"""The encoder: a core that all recordings share, and a readout and an optional shifter for each recording."""

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from striate._internal.torch_defaults import torch_defaults
from striate.errors import InputError, describe_type, nearest, option
from striate.models.config import ModelSettings
from striate.models.cores import ConvolutionalCore
from striate.models.kernels import current_backend
from striate.models.readouts import GaussianReadout, cortical_positions
from striate.models.shifters.mlp import Shifter

if TYPE_CHECKING:
    from striate.data import Batch

PREFIX = "session_"  # prevents clashes of session names with methods of nn.ModuleDict, such as "keys"
_MAX_STANDARDISED = 50.0  # limit of standardised grey values if the recording's range is unknown
_MAX_RANGE_FACTOR = 4  # limit, as a multiple of the standardised grey value of black or white
_CACHE_BYTES = 13 * 2**20  # size of one layer's feature maps that stays in the cache of a CPU


class Encoder(nn.Module):
    """Predicts the responses of the neurons of one or several recordings from images.

    Made by `build_encoder`, `striate.models.load` or `striate.models.published.load`.

    Parameters
    ----------
    settings
        Settings of the core, the readouts and the shifters.
    core
        Core that all recordings share.
    positions : session → (N, 2)
        Cortical positions of the neurons of each recording, from `cortical_positions`.

    Attributes
    ----------
    image_ranges : session → (black, white)
        Standardised grey values of black and white of each recording, if known. Images far outside this range are refused,
        because they are probably not standardised.

    Examples
    --------
    >>> neurons = {"mouse": [[0, 0], [10, 0], [0, 10]]}  # cortical coordinates
    >>> encoder = build_encoder(ModelSettings(), neurons, (1, 36, 64)).eval()
    >>> encoder(torch.zeros(2, 1, 36, 64)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self, settings: ModelSettings, core: ConvolutionalCore, positions: Mapping[str, NDArray[np.float32]]
    ) -> None:
        super().__init__()
        self.settings = settings
        self.core = core
        self.image_ranges: dict[str, tuple[float, float]] = {}
        self.readouts = nn.ModuleDict()
        self.shifters = nn.ModuleDict()
        for session, session_positions in positions.items():
            self.readouts[PREFIX + session] = GaussianReadout(settings.readout, session_positions, core.channels)
            if settings.shifter is not None:
                self.shifters[PREFIX + session] = Shifter(settings.shifter)

    @property
    def sessions(self) -> tuple[str, ...]:
        """Sessions of the recordings that have a readout."""
        return tuple(key.removeprefix(PREFIX) for key in self.readouts)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the input."""
        return self.core.input_shape

    @property
    def uses_pupil_center(self) -> bool:
        """Whether the encoder has shifters, which need the eye position."""
        return self.settings.shifter is not None

    def neurons(self, session: str) -> int:
        """Return the number of neurons of a recording."""
        return len(self.readout(session).bias)

    def readout(self, session: str) -> GaussianReadout:
        """Return the readout of a recording.

        Raises
        ------
        InputError
            If the encoder has no readout for the recording.
        """
        key = PREFIX + session
        if key not in self.readouts:
            raise InputError(
                f"The encoder has no readout for recording {session!r}: {nearest(session, self.sessions)}. "
                f"Train one for it on this encoder's core ({option('--core', 'core=…')})."
            )
        module = self.readouts[key]
        assert isinstance(module, GaussianReadout)
        return module

    def forward(self, batch: "Batch | Tensor") -> Tensor:
        """Predict the responses to a batch.

        Parameters
        ----------
        batch
            A batch from `striate.loaders`. If the encoder has one recording, standardised images, (B, C, height, width), are
            allowed too.

        Returns
        -------
        Tensor, (B, N)
            Predicted rates ≥ 0, in standardised units.

        Raises
        ------
        InputError
            See `rates`.
        """
        if isinstance(batch, Tensor):
            if len(self.sessions) != 1:
                raise InputError(
                    f"This encoder is for {len(self.sessions)} recordings: give a batch, or say whose neurons respond: "
                    f"encoder.rates(images, {self.sessions[0]!r})."
                )
            return self.rates(batch, self.sessions[0])
        if not hasattr(batch, "images"):
            raise InputError(f"Expected a batch, or standardised images as a tensor; got {describe_type(batch)}.")
        return self.rates(batch.images, batch.session, batch.pupil_center if self.uses_pupil_center else None)

    def rates(self, images: Tensor, session: str, pupil_center: Tensor | None = None) -> Tensor:
        """Predict the responses of the neurons of a recording.

        Parameters
        ----------
        images : (B, C, height, width)
            Standardised images and further input channels. They are converted to the data type of the weights.
        session
            Session of the recording.
        pupil_center : (B, 2), optional
            Standardised eye position. Required by encoders with shifters, ignored by others.

        Returns
        -------
        Tensor, (B, N)
            Predicted rates ≥ 0, in standardised units.

        Raises
        ------
        InputError
            If the images have another shape or are not standardised, the recording is unknown, or a needed
            `pupil_center` is missing.
        """
        readout = self.readout(session)
        _require_tensor("images", images)
        if images.ndim != 4 or tuple(images.shape[1:]) != self.input_shape:
            raise InputError(
                f"Images have shape {tuple(images.shape)}; this encoder needs (batch, {_shape(self.input_shape)})."
            )
        if not len(images):
            return images.new_zeros((0, self.neurons(session)))
        if not self.training:
            self._check_standardised(images, session)
        images = _to_dtype(images, readout.features.dtype)
        shift = None
        if self.uses_pupil_center:
            if pupil_center is None:
                raise InputError(
                    "This encoder shifts its receptive fields with the eye: it needs pupil_center, (batch, 2), standardised."
                )
            _require_tensor("pupil_center", pupil_center)
            if tuple(pupil_center.shape) != (len(images), 2):
                raise InputError(f"pupil_center has shape {tuple(pupil_center.shape)}; expected ({len(images)}, 2).")
            shift = self.shifters[PREFIX + session](_to_dtype(pupil_center, readout.features.dtype))
        positions = readout.positions(len(images), shift)
        number = self._micro_batch_size(images)
        parts = torch.split(images, number)
        position_parts = torch.split(positions, number) if positions.ndim == 3 else [positions] * len(parts)
        rates = [F.elu(readout.read(self.core(part), at)) + 1 for part, at in zip(parts, position_parts, strict=True)]
        return rates[0] if len(rates) == 1 else torch.cat(rates)

    def _check_standardised(self, images: Tensor, session: str) -> None:
        """Raise `InputError` if the grey values of images are too large to be standardised.

        The limit is far outside the range of the screen, because optimised images may leave that range.
        """
        if torch.compiler.is_compiling() or images.device.type == "meta" or not len(images):
            return
        known = self.image_ranges.get(session)
        limit = _MAX_STANDARDISED if known is None else _MAX_RANGE_FACTOR * max(1.0, *map(abs, known))
        try:
            largest = float(images.detach()[:, 0].abs().max())
        except RuntimeError:  # transformations such as vmap do not allow access to values
            return
        if largest > limit:
            between = "" if known is None else f" (black is {known[0]:.2f} and white {known[1]:.2f})"
            raise InputError(
                f"The images have values up to ±{largest:.4g}, which cannot be standardised grey values{between}: "
                "run.respond(images) takes raw images; or standardise them as striate.data.Standardisation does."
            )

    def _micro_batch_size(self, images: Tensor) -> int:
        """Return the micro-batch size. For CPU inference, one layer's maps of a micro-batch fit into the cache."""
        whole = max(1, len(images))
        if self.training or torch.is_grad_enabled() or images.device.type != "cpu" or current_backend() == "reference":
            return whole
        height, width = self.core.map_shape
        return min(whole, max(1, _CACHE_BYTES // (self.core.channels * height * width * images.element_size())))

    def regulariser(self, session: str) -> Tensor:
        """Return the sum of the penalties of the core and of the readout of a recording, a scalar."""
        return self.core.regulariser() + self.readout(session).regulariser()

    def transfer(self, neurons: Mapping[str, ArrayLike], settings: ModelSettings | None = None) -> "Encoder":
        """Return an encoder for other recordings with a frozen copy of this encoder's core.

        Parameters
        ----------
        neurons : session → (N, 2 or 3)
            Cortical coordinates of the neurons of each recording. All readouts and shifters are new.
        settings
            Settings of the new readouts and shifters; by default those of this encoder. The settings of the core are ignored.

        Returns
        -------
        Encoder
            The new encoder. Neither the weights nor the batch statistics of its core change in training.
        """
        core = copy.deepcopy(self.core)
        core.freeze()
        new = (settings or self.settings).model_copy(update={"core": self.settings.core})
        return Encoder(new, core, {s: cortical_positions(c) for s, c in neurons.items()})

    @torch.no_grad()
    @torch_defaults()
    def receptive_field_positions(self, session: str) -> NDArray[np.float64]:
        """Return the mean position of each neuron's receptive field in the feature maps, shape (N, 2).

        Columns: horizontal and vertical position. −1 is the centre of the first column (row) of the map, 1 that of the last.
        The shift is zero.
        """
        return self.readout(session).mean_positions().cpu().numpy().astype(np.float64)

    def receptive_field_pixels(self, session: str, screen: tuple[int, int] = (144, 256)) -> NDArray[np.float64]:
        """Return the centre of each neuron's receptive field on the screen, shape (N, 2): column and row, in pixels.

        Parameters
        ----------
        session
            Session of the recording.
        screen
            Height and width of the recorded images in pixels. Centres of pixels are whole numbers.
        """
        positions = self.receptive_field_positions(session)
        margin = (self.core.settings.input_kernel_size - 1) / 2  # the first layer has no padding
        pixels = np.empty_like(positions)
        for axis in (0, 1):
            size, seen, shown = self.core.map_shape[1 - axis], self.input_shape[2 - axis], screen[1 - axis]
            seen_at = (positions[:, axis] + 1) / 2 * (size - 1) + margin
            pixels[:, axis] = (seen_at + 0.5) * shown / seen - 0.5
        return pixels


@torch_defaults()
def build_encoder(settings: ModelSettings, neurons: Mapping[str, ArrayLike], input_shape: Sequence[int]) -> Encoder:
    """Make an untrained encoder. Initial weights are drawn from PyTorch's global random number generator.

    Parameters
    ----------
    settings
        Settings of the core, the readouts and the shifters.
    neurons : session → (N, 2 or 3)
        Cortical coordinates of the neurons of each recording, in any unit.
    input_shape : (C, height, width)
        Channels, height and width of the input.

    Returns
    -------
    Encoder
        The untrained encoder.

    Raises
    ------
    InputError
        If there is no recording, a coordinate is not finite, or the images are smaller than the kernels of the first layer.

    Examples
    --------
    >>> neurons = {"mouse": [[0, 0], [10, 0], [0, 10]]}  # cortical coordinates
    >>> encoder = build_encoder(ModelSettings(), neurons, (1, 36, 64))
    >>> encoder.neurons("mouse"), encoder.core.map_shape
    (3, (28, 56))
    """
    if not neurons:
        raise InputError("An encoder needs the neurons of at least one recording.")
    planes, height, width = (int(n) for n in input_shape)
    positions = {session: cortical_positions(values) for session, values in neurons.items()}
    return Encoder(settings, ConvolutionalCore(settings.core, (planes, height, width)), positions)


def _require_tensor(name: str, given: object) -> None:
    if not isinstance(given, Tensor):
        raise InputError(
            f"{name} is of type {type(given).__name__}; expected a tensor: torch.as_tensor({name}) makes one."
        )
    if not given.is_floating_point():
        hint = "run.respond(images) takes raw images" if name == "images" else f"{name}.float() makes one"
        raise InputError(f"{name} has type {given.dtype}; expected standardised floats ({hint}).")


def _to_dtype(given: Tensor, dtype: torch.dtype) -> Tensor:
    """Convert floats to the data type of the weights, unless autocast is enabled."""
    if given.dtype == dtype or torch.is_autocast_enabled(given.device.type):
        return given
    return given.to(dtype)


def _shape(shape: Sequence[int]) -> str:
    return ", ".join(str(n) for n in shape)
