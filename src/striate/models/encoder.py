"""The encoder: one core that all recordings share, a readout (and a shifter) for each."""

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

PREFIX = "session_"  # a module may not be called like a method ("keys", "pop"), but a session may
_RAW = 50.0  # standardised grey values stay below this unless a recording has hardly any contrast
_FAR_OUTSIDE = 4  # times the standardised grey value of black or white, whichever is larger
_PART_BYTES = 13 * 2**20  # that the feature maps of the images that are predicted together may take


class Encoder(nn.Module):
    """Predicts the responses of the neurons of one or several recordings from images.

    Made by `build_encoder`, `striate.models.load` or `striate.models.published.load`.

    Parameters
    ----------
    settings
        What core, readouts and shifters look like.
    core
        The shared core.
    positions : session → (N, 2)
        Cortical positions of each recording's neurons, from `cortical_positions`.

    Attributes
    ----------
    image_ranges : session → (black, white)
        Standardised grey values of black and white in each recording, where they are known. Images far outside are
        refused: they were not standardised.
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
        for session, place in positions.items():
            self.readouts[PREFIX + session] = GaussianReadout(settings.readout, place, core.channels)
            if settings.shifter is not None:
                self.shifters[PREFIX + session] = Shifter(settings.shifter)

    @property
    def sessions(self) -> tuple[str, ...]:
        """The recordings that the encoder has a readout for."""
        return tuple(key.removeprefix(PREFIX) for key in self.readouts)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Planes, height and width of one standardised input."""
        return self.core.input_shape

    @property
    def uses_pupil_center(self) -> bool:
        """Whether the encoder has shifters, and so needs the position of the pupil."""
        return self.settings.shifter is not None

    def neurons(self, session: str) -> int:
        """Number of neurons of one recording."""
        return len(self.readout(session).bias)

    def readout(self, session: str) -> GaussianReadout:
        """The readout of one recording.

        Raises
        ------
        InputError
            If the encoder has none for it.
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
        """Predict the responses to a batch of one recording.

        Parameters
        ----------
        batch
            A batch of `striate.loaders`; or, of an encoder for one recording, a tensor of standardised images,
            (B, C, height, width).

        Returns
        -------
        Tensor, (B, N)
            Rates ≥ 0, in standardised units.

        Raises
        ------
        InputError
            As `rates`.
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
        """Predict the responses of one recording's neurons.

        Parameters
        ----------
        images : (B, C, height, width)
            Standardised images with their planes; floats of another type than the weights are converted.
        session
            Whose neurons.
        pupil_center : (B, 2), optional
            Standardised position of the pupil; an encoder with shifters needs it, another has no use for it.

        Returns
        -------
        Tensor, (B, N)
            Rates ≥ 0, in the units of the standardised responses.

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
            self._refuse_raw(images, session)
        images = _of_type(images, readout.features.dtype)
        shift = None
        if self.uses_pupil_center:
            if pupil_center is None:
                raise InputError(
                    "This encoder shifts its receptive fields with the eye: it needs pupil_center, (batch, 2), standardised."
                )
            _require_tensor("pupil_center", pupil_center)
            if tuple(pupil_center.shape) != (len(images), 2):
                raise InputError(f"pupil_center has shape {tuple(pupil_center.shape)}; expected ({len(images)}, 2).")
            shift = self.shifters[PREFIX + session](_of_type(pupil_center, readout.features.dtype))
        positions = readout.positions(len(images), shift)
        number = self._images_at_a_time(images)
        parts = torch.split(images, number)
        places = torch.split(positions, number) if positions.ndim == 3 else [positions] * len(parts)
        rates = [F.elu(readout.read(self.core(part), at)) + 1 for part, at in zip(parts, places, strict=True)]
        return rates[0] if len(rates) == 1 else torch.cat(rates)

    def _refuse_raw(self, images: Tensor, session: str) -> None:
        """Refuse images whose grey values cannot be standardised ones.

        Optimised images may well leave the range of the screen, so only what is far outside is refused.
        """
        if torch.compiler.is_compiling() or images.device.type == "meta" or not len(images):
            return
        known = self.image_ranges.get(session)
        limit = _RAW if known is None else _FAR_OUTSIDE * max(1.0, *map(abs, known))
        try:
            largest = float(images.detach()[:, 0].abs().max())
        except RuntimeError:  # under a transformation such as vmap, values cannot be looked at
            return
        if largest > limit:
            between = "" if known is None else f" (black is {known[0]:.2f} and white {known[1]:.2f})"
            raise InputError(
                f"The images have values up to ±{largest:.4g}, which cannot be standardised grey values{between}: "
                "run.respond(images) takes raw images; or standardise them as striate.data.Standardisation does."
            )

    def _images_at_a_time(self, images: Tensor) -> int:
        """Few, where nothing is differentiated: each layer then finds the maps of the one before in the cache of a CPU."""
        whole = max(1, len(images))
        if self.training or torch.is_grad_enabled() or images.device.type != "cpu" or current_backend() == "reference":
            return whole
        height, width = self.core.map_shape
        return min(whole, max(1, _PART_BYTES // (self.core.channels * height * width * images.element_size())))

    def regulariser(self, session: str) -> Tensor:
        """Penalties that belong to the loss of one batch of one recording: the core's and its readout's; a scalar."""
        return self.core.regulariser() + self.readout(session).regulariser()

    def transfer(self, neurons: Mapping[str, ArrayLike], settings: ModelSettings | None = None) -> "Encoder":
        """Make an encoder for other recordings on a frozen copy of this one's core.

        Parameters
        ----------
        neurons : session → (N, 2 or 3)
            Cortical coordinates; the readouts (and shifters) are new, also of recordings that this one knows.
        settings
            What the new readouts and shifters look like; as this encoder's by default. The core stays as it is.

        Returns
        -------
        Encoder
            Whose core neither learns nor updates its batch normalisation.
        """
        core = copy.deepcopy(self.core)
        core.freeze()
        new = (settings or self.settings).model_copy(update={"core": self.settings.core})
        return Encoder(new, core, {s: cortical_positions(c) for s, c in neurons.items()})

    @torch.no_grad()
    @torch_defaults()
    def receptive_field_positions(self, session: str) -> NDArray[np.float64]:
        """Mean position of each neuron's receptive field in the core's map, shape (N, 2).

        Horizontal, vertical; −1 is the centre of the map's first column (row), 1 that of its last. The eye
        looks straight ahead (no shift).
        """
        return self.readout(session).mean_positions().cpu().numpy().astype(np.float64)

    def receptive_field_pixels(self, session: str, screen: tuple[int, int] = (144, 256)) -> NDArray[np.float64]:
        """Centre of each neuron's receptive field on the screen, shape (N, 2): column and row, in pixels.

        Parameters
        ----------
        session
            Whose neurons.
        screen
            Height and width of the screen's image in pixels; the encoder sees it rescaled whole. Pixel centres
            have whole numbers.
        """
        positions = self.receptive_field_positions(session)
        margin = (self.core.settings.input_kernel_size - 1) / 2  # a unit of the map looks at the middle of its kernel
        pixels = np.empty_like(positions)
        for axis in (0, 1):
            size, seen, shown = self.core.map_shape[1 - axis], self.input_shape[2 - axis], screen[1 - axis]
            seen_at = (positions[:, axis] + 1) / 2 * (size - 1) + margin
            pixels[:, axis] = (seen_at + 0.5) * shown / seen - 0.5
        return pixels


@torch_defaults()
def build_encoder(settings: ModelSettings, neurons: Mapping[str, ArrayLike], input_shape: Sequence[int]) -> Encoder:
    """Make an untrained encoder; weights are drawn from PyTorch's global generator.

    Parameters
    ----------
    settings
        What core, readouts and shifters look like.
    neurons : session → (N, 2 or 3)
        Cortical coordinates of each recording's neurons, in any unit.
    input_shape : (C, height, width)
        Planes, height and width of a standardised input.

    Returns
    -------
    Encoder

    Raises
    ------
    InputError
        If there is no recording, a coordinate is not finite, or an image is smaller than the first kernel.
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


def _of_type(given: Tensor, dtype: torch.dtype) -> Tensor:
    """Convert floats, such as the float64 of NumPy, to the type of the weights, unless autocast sees to that."""
    if given.dtype == dtype or torch.is_autocast_enabled(given.device.type):
        return given
    return given.to(dtype)


def _shape(shape: Sequence[int]) -> str:
    return ", ".join(str(n) for n in shape)
