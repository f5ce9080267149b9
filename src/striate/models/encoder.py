"""The encoder: a core that all recordings share; a readout, and optional modulators and a shifter, for each recording."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import repeat
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from striate._internal.torch_defaults import torch_defaults
from striate.errors import InputError, describe_type, nearest, option
from striate.models.config import EncoderSettings
from striate.models.cores.base import Core
from striate.models.geometry import FeatureMaps
from striate.models.inputs import ModelInputs
from striate.models.kernels import current_backend
from striate.models.modulators.base import Modulator, ModulatorSettings
from striate.models.penalties import valid_penalty
from striate.models.readouts.base import Readout, valid_coordinates
from striate.models.shifters.base import Shifter
from striate.registry import cores, models, modulators, nonlinearities, readouts, shifters

if TYPE_CHECKING:
    from striate.data import Batch
    from striate.data.context import Context

PREFIX = "session_"  # prevents clashes of session names with methods of nn.ModuleDict, such as "keys"
_MAX_STANDARDISED = 50.0  # limit of standardised grey values if the recording's range is unknown
_MAX_RANGE_FACTOR = 4  # limit, as a multiple of the standardised grey value of black or white
_CACHE_BYTES = 13 * 2**20  # size of one layer's feature maps that stays in the cache of a CPU


@models.register("encoder", settings=EncoderSettings)
class Encoder(nn.Module):
    """Predicts the responses of the neurons of one or several recordings from images and behaviour.

    Core → readout → modulators and output nonlinearity; a shifter moves the receptive fields with the eye. Made by
    `build_encoder`, `striate.models.load` or `striate.models.published.load`.

    Parameters
    ----------
    settings
        Settings of the components.
    inputs
        Shapes of the inputs, and the neurons of each recording.
    core
        Core to use instead of a new one.

    Attributes
    ----------
    image_ranges : session → (black, white)
        Standardised grey values of black and white of each recording, if known. Images far outside this range are refused,
        because they are probably not standardised.

    Examples
    --------
    >>> neurons = {"mouse": [[0, 0], [10, 0], [0, 10]]}  # cortical coordinates
    >>> encoder = build_encoder(EncoderSettings(), neurons, (1, 36, 64)).eval()
    >>> encoder(torch.zeros(2, 1, 36, 64)).shape
    torch.Size([2, 3])
    """

    def __init__(self, settings: EncoderSettings, inputs: ModelInputs, core: Core | None = None) -> None:
        super().__init__()
        self.settings = settings
        self.inputs = inputs
        self.core: Core = cores.build(settings.core, inputs) if core is None else core
        self.image_ranges: dict[str, tuple[float, float]] = {}
        self.readouts = nn.ModuleDict()
        self.shifters = nn.ModuleDict()
        self.modulators = nn.ModuleDict()
        self.nonlinearity = nonlinearities.build(settings.nonlinearity)
        maps = FeatureMaps(self.core.channels, self.core.geometry, self.core.depths)
        for session, coordinates in inputs.coordinates.items():
            readout: Readout = readouts.build(settings.readout, coordinates, maps)
            self.readouts[PREFIX + session] = readout
            if settings.shifter is not None:
                if not readout.uses_shift:
                    raise InputError(
                        f"The readout {settings.readout.type!r} cannot be shifted with the eye: set model.shifter = false."
                    )
                self.shifters[PREFIX + session] = shifters.build(settings.shifter)
            if settings.modulators:
                self.modulators[PREFIX + session] = nn.ModuleList(
                    modulators.build(each, inputs.of_session(session), readout.neurons) for each in settings.modulators
                )

    @property
    def sessions(self) -> tuple[str, ...]:
        """Sessions of the recordings that have a readout."""
        return tuple(key.removeprefix(PREFIX) for key in self.readouts)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the input."""
        return self.inputs.image_shape

    @property
    def uses_pupil_center(self) -> bool:
        """Whether the encoder needs the eye position, for its core or its shifters."""
        return self.settings.uses_pupil_center

    @property
    def uses_behavior(self) -> bool:
        """Whether the core or a modulator needs behaviour. Constant planes of behaviour are part of the images."""
        return self.settings.uses_behavior

    @property
    def uses_context(self) -> bool:
        """Whether a modulator needs the context of trials."""
        return self.settings.uses_context

    def neurons(self, session: str) -> int:
        """Return the number of neurons of a recording."""
        return self.readout(session).neurons

    def readout(self, session: str) -> Readout:
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
        return cast("Readout", self.readouts[key])

    def shifter(self, session: str) -> Shifter | None:
        """Return the shifter of a recording; None if the encoder has none."""
        return cast("Shifter", self.shifters[PREFIX + session]) if self.settings.shifter is not None else None

    def modulators_of(self, session: str) -> tuple[Modulator, ...]:
        """Return the modulators of a recording."""
        chain = cast("nn.ModuleList", self.modulators[PREFIX + session]) if self.settings.modulators else ()
        return tuple(cast("Modulator", each) for each in chain)

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
            Predicted rates ≥ 0, in standardised units; of the neurons ``batch.neurons`` if the batch selects neurons.

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
        return self.rates(
            batch.images,
            batch.session,
            batch.pupil_center if self.uses_pupil_center else None,
            behavior=batch.behavior if self.uses_behavior else None,
            neurons=batch.neurons,
            context=batch.context if self.uses_context else None,
            image_shift=batch.image_shift,
        )

    def rates(
        self,
        images: Tensor,
        session: str,
        pupil_center: Tensor | None = None,
        *,
        behavior: Tensor | None = None,
        neurons: Tensor | None = None,
        context: "Context | None" = None,
        image_shift: Tensor | None = None,
    ) -> Tensor:
        """Predict the responses of the neurons of a recording.

        Parameters
        ----------
        images : (B, C, height, width)
            Standardised images and constant planes of behaviour. They are converted to the data type of the weights.
        session
            Session of the recording.
        pupil_center : (B, 2), optional
            Standardised eye position. Required by encoders that use it, ignored by others.
        behavior : (B, K), optional
            Standardised behaviour. Required by encoders that use it beside the images, ignored by others.
        neurons : (M,), optional
            Indices of the neurons to predict; all by default.
        context : Context, optional
            Context of the trials. Required by encoders with modulators that use it, ignored by others.
        image_shift : (B, 2), optional
            How far each image was moved to the right and downwards, in its pixels: receptive fields are moved along.

        Returns
        -------
        Tensor, (B, M)
            Predicted rates ≥ 0, in standardised units.

        Raises
        ------
        InputError
            If the images have another shape or are not standardised, the recording is unknown, a needed
            `pupil_center`, `behavior` or `context` is missing, or the readout cannot be shifted along with images.
        """
        drive = self._drive(images, session, pupil_center, behavior, neurons, context, image_shift)
        return self._activated(drive, session, behavior, neurons, context)

    def drive(self, batch: "Batch") -> Tensor:
        """Predict the drive of neurons: what the output nonlinearity turns into rates.

        Parameters
        ----------
        batch
            A batch from `striate.loaders`.

        Returns
        -------
        Tensor, (B, N)
            Drives, changed by the modulators of drives, if there are any. They may be negative.

        Examples
        --------
        >>> from striate.data import Batch
        >>> encoder = build_encoder(EncoderSettings(), {"mouse": [[0, 0], [10, 0]]}, (1, 36, 64)).eval()
        >>> batch = Batch("mouse", "test", torch.arange(3), torch.zeros(3, 1, 36, 64))
        >>> bool((encoder.activate(encoder.drive(batch), batch) == encoder(batch)).all())
        True
        """
        return self._drive(
            batch.images,
            batch.session,
            batch.pupil_center if self.uses_pupil_center else None,
            batch.behavior if self.uses_behavior else None,
            batch.neurons,
            batch.context if self.uses_context else None,
            batch.image_shift,
        )

    def activate(self, drive: Tensor, batch: "Batch") -> Tensor:
        """Return the rates that follow from drives, (B, N): apply the output nonlinearity and the modulators of rates."""
        behavior = batch.behavior if self.uses_behavior else None
        context = batch.context if self.uses_context else None
        return self._activated(drive, batch.session, behavior, batch.neurons, context)

    def _drive(
        self,
        images: Tensor,
        session: str,
        pupil_center: Tensor | None,
        behavior: Tensor | None,
        neurons: Tensor | None,
        context: "Context | None",
        image_shift: Tensor | None,
    ) -> Tensor:
        readout = self.readout(session)
        _require_tensor("images", images)
        if images.ndim != 4 or tuple(images.shape[1:]) != self.input_shape:
            raise InputError(
                f"Images have shape {tuple(images.shape)}; this encoder needs (batch, {_shape(self.input_shape)})."
            )
        if not len(images):
            return images.new_zeros((0, readout.neurons if neurons is None else len(neurons)))
        if not self.training:
            self._check_standardised(images, session)
        images = self._to_dtype(images)
        eye = None
        if self.uses_pupil_center:
            eye = self._state("pupil_center", pupil_center, len(images), 2, "uses the eye position")
        shift = self._shift(session, eye, image_shift, len(images))
        state, around = self._behavior(behavior, len(images)), self._context(context, len(images))
        size = self._micro_batch_size(images)
        parts = [
            self._modulated_drive(
                readout(self._maps(part, seen, looked, readout), moved, neurons), session, seen, neurons, near
            )
            for part, seen, looked, moved, near in _micro_batches(images, state, eye, shift, around, size=size)
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _shift(self, session: str, eye: Tensor | None, image_shift: Tensor | None, images: int) -> Tensor | None:
        """Return the shift of receptive fields that follows from the eye position and from shifts of the images, (B, 2)."""
        shift: Tensor | None = None if self.settings.shifter is None else self.shifters[PREFIX + session](eye)
        if image_shift is None:
            return shift
        if not self.readout(session).uses_shift:
            raise InputError(
                f"The readout {self.settings.readout.type!r} cannot be shifted along with images: set shift_readout = false in "
                "data.augmentations."
            )
        moved = self._state("image_shift", image_shift, images, 2, "shifts its readout")
        moved = moved * torch.tensor(self.core.geometry.units_per_pixel(), dtype=moved.dtype, device=moved.device)
        return moved if shift is None else shift + moved

    def _maps(
        self, images: Tensor, behavior: Tensor | None, eye: Tensor | None, readout: Readout
    ) -> Tensor | list[Tensor]:
        """Return the feature maps that a readout takes: those of the last depth, or those of all depths."""
        compute = self.core.depth_maps if readout.uses_depths else self.core
        maps: Tensor | list[Tensor] = compute(images, **self.core.used_inputs(behavior, eye))
        return maps

    def _modulated_drive(
        self,
        drive: Tensor,
        session: str,
        behavior: Tensor | None,
        neurons: Tensor | None,
        context: "Context | None",
    ) -> Tensor:
        """Apply the modulators of drives, (B, M)."""
        state = drive.new_empty(len(drive), 0) if behavior is None else behavior
        for modulator, uses_context in self._chain(session):
            drive = modulator.modulate_drive(drive, state, neurons, *((context,) if uses_context else ()))
        return drive

    def _activated(
        self,
        drive: Tensor,
        session: str,
        behavior: Tensor | None,
        neurons: Tensor | None,
        context: "Context | None",
    ) -> Tensor:
        """Apply the output nonlinearity and the modulators of rates to drives, (B, M)."""
        rates: Tensor = self.nonlinearity(drive)
        if not self.settings.modulators or not len(drive):
            return rates
        behavior, context = self._behavior(behavior, len(drive)), self._context(context, len(drive))
        state = drive.new_empty(len(drive), 0) if behavior is None else behavior
        for modulator, uses_context in self._chain(session):
            rates = modulator.modulate_rates(rates, state, neurons, *((context,) if uses_context else ()))
        return rates

    def _chain(self, session: str) -> list[tuple[Modulator, bool]]:
        """Return the modulators of a recording, in order, and whether each uses the context of trials."""
        return [(each, cast("ModulatorSettings", each.settings).uses_context) for each in self.modulators_of(session)]

    def _behavior(self, values: Tensor | None, images: int) -> Tensor | None:
        """Return the behaviour in the data type of the weights; None if it is not used beside the images."""
        if not self.uses_behavior:
            return None
        return self._state("behavior", values, images, self.inputs.behavior_size, "uses behaviour")

    def _context(self, context: "Context | None", images: int) -> "Context | None":
        """Return the context in the data type of the weights; None if it is not used."""
        if not self.uses_context:
            return None
        expected = (images, 1 if self.inputs.context is None else self.inputs.context.window, self.inputs.context_size)
        if context is None:
            raise InputError(
                "This encoder uses the trials around each trial: it needs their context, which batches of striate.loaders have with the "
                "table [data.context] of its recipe; Context.average makes that of no session."
            )
        if tuple(context.behavior.shape) != expected:
            raise InputError(
                f"The behaviour of the context has shape {tuple(context.behavior.shape)}; expected {expected}."
            )
        past = context.past_responses
        if self.inputs.context is not None and self.inputs.context.past_responses and past is None:
            raise InputError(
                "This encoder uses the responses to earlier trials, which the context does not have: use loaders with "
                "data.context.past_responses as in its recipe."
            )
        if past is None:
            return replace(context, behavior=self._to_dtype(context.behavior))
        return replace(context, behavior=self._to_dtype(context.behavior), past_responses=self._to_dtype(past))

    def _state(self, name: str, values: Tensor | None, images: int, size: int, reason: str) -> Tensor:
        """Return eye position or behaviour in the data type of the weights, or raise `InputError`."""
        if values is None:
            raise InputError(f"This encoder {reason}: it needs {name}, (batch, {size}), standardised.")
        _require_tensor(name, values)
        if tuple(values.shape) != (images, size):
            raise InputError(f"{name} has shape {tuple(values.shape)}; expected ({images}, {size}).")
        return self._to_dtype(values)

    def _to_dtype(self, values: Tensor) -> Tensor:
        """Convert floats to the data type of the weights, unless autocast is enabled."""
        weight = next((p for p in self.parameters() if p.is_floating_point()), None)
        if weight is None or values.dtype == weight.dtype or torch.is_autocast_enabled(values.device.type):
            return values
        return values.to(weight.dtype)

    def _check_standardised(self, images: Tensor, session: str) -> None:
        """Raise `InputError` if the grey values of images are too large to be standardised.

        The limit is far outside the range of the screen, because optimised images may leave that range.
        """
        if torch.compiler.is_compiling() or images.device.type == "meta" or not len(images):
            return
        known = self.image_ranges.get(session)
        limit = _MAX_STANDARDISED if known is None else _MAX_RANGE_FACTOR * max(1.0, *map(abs, known))
        try:
            largest = float(images.detach()[:, : self.inputs.channels].abs().max())
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
        height, width = self.core.geometry.shape
        return min(whole, max(1, _CACHE_BYTES // (self.core.channels * height * width * images.element_size())))

    def regulariser(self, session: str) -> Tensor:
        """Return the sum of the penalties of the core, and of the readout and modulators of a recording, a scalar."""
        penalty = _penalty(self.core, "core") + _penalty(self.readout(session), "readout")
        for modulator in self.modulators_of(session):
            penalty = penalty + _penalty(modulator, "modulator")
        return penalty

    def transfer(
        self,
        neurons: Mapping[str, ArrayLike],
        settings: EncoderSettings | None = None,
        inputs: ModelInputs | None = None,
    ) -> "Encoder":
        """Return an encoder for other recordings with a frozen copy of this encoder's core.

        Parameters
        ----------
        neurons : session → (N, 2 or 3)
            Cortical coordinates of the neurons of each recording. Everything but the core is new.
        settings
            Settings of the new components; by default those of this encoder. The settings of the core are ignored.
        inputs
            Shapes of the inputs of the new components; by default those of this encoder.

        Returns
        -------
        Encoder
            The new encoder. Neither the weights nor the batch statistics of its core change in training.
        """
        core = copy.deepcopy(self.core)
        core.freeze()
        new = (settings or self.settings).model_copy(update={"core": self.settings.core})
        return Encoder(new, replace(inputs or self.inputs, coordinates=_coordinates(neurons)), core)

    @torch.no_grad()
    @torch_defaults()
    def receptive_field_positions(self, session: str) -> NDArray[np.float64]:
        """Return the mean position of each neuron's receptive field in the feature maps, shape (N, 2).

        Columns: horizontal and vertical position. −1 is the centre of the first column (row) of the map, 1 that of the last.
        The shift is zero.

        Raises
        ------
        InputError
            If the neurons of the readout have no position.
        """
        positions = self.readout(session).mean_positions()
        if positions is None:
            raise InputError(
                f"The neurons of the readout {self.settings.readout.type!r} have no position in the image."
            )
        return positions.cpu().numpy().astype(np.float64)

    def receptive_field_pixels(self, session: str, screen: tuple[int, int] = (144, 256)) -> NDArray[np.float64]:
        """Return the centre of each neuron's receptive field on the screen, shape (N, 2): column and row, in pixels.

        Parameters
        ----------
        session
            Session of the recording.
        screen
            Height and width of the recorded images in pixels. Centres of pixels are whole numbers.

        Raises
        ------
        InputError
            If the neurons of the readout have no position.
        """
        pixels = self.core.geometry.to_pixels(self.receptive_field_positions(session))
        scale = np.array([screen[1] / self.input_shape[2], screen[0] / self.input_shape[1]])
        return np.asarray((pixels + 0.5) * scale - 0.5, dtype=np.float64)


@torch_defaults()
def build_encoder(
    settings: EncoderSettings, neurons: Mapping[str, ArrayLike], input_shape: Sequence[int], *, behavior_size: int = 0
) -> Encoder:
    """Make an untrained encoder. Initial weights are drawn from PyTorch's global random number generator.

    Parameters
    ----------
    settings
        Settings of the components.
    neurons : session → (N, 2 or 3)
        Cortical coordinates of the neurons of each recording, in any unit.
    input_shape : (C, height, width)
        Channels, height and width of the input, constant planes of behaviour included.
    behavior_size
        Number of behaviour variables, for cores and modulators that use behaviour.

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
    >>> encoder = build_encoder(EncoderSettings(), neurons, (1, 36, 64))
    >>> encoder.neurons("mouse"), encoder.core.geometry.shape
    (3, (28, 56))
    """
    channels, height, width = (int(n) for n in input_shape)
    return Encoder(settings, ModelInputs((channels, height, width), _coordinates(neurons), behavior_size))


def _coordinates(neurons: Mapping[str, ArrayLike]) -> dict[str, NDArray[np.float64]]:
    """Validate the cortical coordinates of each recording."""
    if not neurons:
        raise InputError("An encoder needs the neurons of at least one recording.")
    return {session: valid_coordinates(values) for session, values in neurons.items()}


def _penalty(component: Core | Readout | Modulator, kind: str) -> Tensor:
    return valid_penalty(component.regulariser(), f"regulariser() of the {kind} {component.settings.type!r}")


def _micro_batches(
    images: Tensor,
    behavior: Tensor | None,
    eye: Tensor | None,
    shift: Tensor | None,
    context: "Context | None",
    *,
    size: int,
) -> Iterator[tuple[Tensor, Tensor | None, Tensor | None, Tensor | None, "Context | None"]]:
    """Split images, behaviour, eye position, shift and context into micro-batches."""
    parts = torch.split(images, size)
    states = [repeat(None) if each is None else torch.split(each, size) for each in (behavior, eye, shift)]
    contexts = repeat(None) if context is None else context.split(size)
    return zip(parts, *states, contexts, strict=False)  # repeat has no end


def _require_tensor(name: str, given: object) -> None:
    if not isinstance(given, Tensor):
        raise InputError(
            f"{name} is of type {type(given).__name__}; expected a tensor: torch.as_tensor({name}) makes one."
        )
    if not given.is_floating_point():
        hint = "run.respond(images) takes raw images" if name == "images" else f"{name}.float() makes one"
        raise InputError(f"{name} has type {given.dtype}; expected standardised floats ({hint}).")


def _shape(shape: Sequence[int]) -> str:
    return ", ".join(str(n) for n in shape)
