"""Preprocessing of a recording: neurons are selected, values standardised, images rescaled and cached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from striate._internal.progress_bars import progress_bar
from striate.benchmarks.image_sizes import distorts, same_proportions
from striate.data.config import DataSettings
from striate.data.context import Context, ContextReader
from striate.data.memory_budget import Budget, MappedArray
from striate.data.raw_images import model_images
from striate.data.standardisation import Standardisation, finite_statistics
from striate.data.subsets import select_neurons
from striate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from striate.recordings import Recording

Rows = NDArray[np.int64]

_BLOCK = 32 * 2**20  # bytes of float32 values that are prepared at a time


@dataclass(frozen=True)
class _CachedValues:
    """Cached values, and the row of each trial among them (−1 if it is not cached)."""

    values: Tensor
    slots: NDArray[np.int64]

    def holds(self, rows: Rows) -> bool:
        """Return whether the values of all given trials are cached."""
        return bool((self.slots[rows] >= 0).all())

    def take(self, rows: Rows) -> Tensor | None:
        """Return the values of the given trials; None if any of them is not cached."""
        return _gather(self.values, self.slots[rows]) if self.holds(rows) else None


class PreparedRecording:
    """Preprocessed inputs and responses of a recording, by trial.

    Parameters
    ----------
    recording
        The recording.
    settings
        Settings of the data.
    device
        Device of the tensors.

    Raises
    ------
    InputError
        If requested behaviour or eye position is withheld, neurons cannot be selected, or the rescaled images would be
        distorted.
    """

    def __init__(self, recording: Recording, settings: DataSettings, device: torch.device) -> None:
        _check_withheld_inputs(recording, settings)
        self.session = recording.session
        self.columns = select_neurons(recording, settings)
        self.image_size = _image_size(recording, settings)
        self.device = device
        self._append_behavior = settings.behavior_planes
        self._standardisation = standardisation = Standardisation.from_recording(recording)
        self._selected_standardisation = standardisation.for_neurons(self.columns)
        self._every_neuron = np.array_equal(self.columns, np.arange(len(recording.neurons)))
        self._raw_images = MappedArray(recording.images)
        self._raw_responses = MappedArray(recording.responses)
        self._images: _CachedValues | None = None
        self._responses: _CachedValues | None = None
        # small enough to be cached for all trials
        self.image_channels = int(recording.images.shape[1])
        self._behavior = self._pupil_center = None
        if settings.behavior:
            self._behavior = self._on_device(standardisation.behavior(recording.behavior))
        if settings.pupil_center:
            self._pupil_center = self._on_device(standardisation.pupil_center(recording.pupil_center))
        self._context: ContextReader | None = None
        self.measured_trials = 0
        if settings.context is not None:
            measured = _measured_rows(recording)
            self.measured_trials = measured.size
            self._mean_response = self.standardise(_mean_of(recording, "responses")).astype(np.float64)
            self._context = ContextReader(
                recording,
                settings.context,
                self._centred_states(recording),
                neurons=self.columns.size,
                measured=measured,
                responses=self._centred_responses,
            )

    @property
    def standardisation(self) -> Standardisation:
        """Standardisation of the recording, for the selected neurons."""
        return self._selected_standardisation

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the input."""
        return self.image_channels + self.behavior_planes, *self.image_size

    @property
    def behavior_size(self) -> int:
        """Number of behaviour variables in a batch; 0 if behaviour is not an input."""
        return 0 if self._behavior is None else int(self._behavior.shape[1])

    @property
    def behavior_planes(self) -> int:
        """Number of constant channels of behaviour, which follow the channels of the image."""
        return self.behavior_size if self._append_behavior else 0

    @property
    def context_size(self) -> int:
        """Number of variables of the context of a trial; 0 if there is none."""
        return 0 if self._context is None else self._context.size

    def cache_images(self, image_ids: pd.Series[Any], rows: Rows, budget: Budget) -> None:
        """Prepare and cache the images of the given trials, if the memory limit allows it.

        Parameters
        ----------
        image_ids
            Image id of every trial of the recording.
        rows
            Row numbers of the trials. Repeated images are prepared and cached once.
        budget
            Memory limit.
        """
        shown_first = _first_trials(self._raw_images.array, image_ids, rows)
        distinct, places = np.unique(shown_first, return_inverse=True)
        shape = (distinct.size, self.image_channels, *self.image_size)
        if not budget.take(4 * int(np.prod(shape))):
            return
        values = torch.empty(shape, device=self.device)
        with progress_bar(f"Preparing the images of {self.session}", distinct.size) as advance:
            self._prepare_images(distinct, values, advance)
        self._images = _CachedValues(values, _slots(len(image_ids), rows, places))

    def cache_responses(self, rows: Rows, budget: Budget) -> None:
        """Standardise and cache the responses of the given trials, if the memory limit allows it."""
        if not budget.take(4 * rows.size * self.columns.size):
            return
        values = torch.empty((rows.size, self.columns.size), device=self.device)
        for block in _blocks(np.arange(rows.size), self._raw_responses.array):
            values[block[0] : block[-1] + 1] = torch.from_numpy(self.standardised_responses(rows[block]))
        places = np.arange(rows.size)
        self._responses = _CachedValues(values, _slots(len(self._raw_responses.array), rows, places))

    def uncached_bytes(self, rows: Rows, *, with_responses: bool) -> int:
        """Return the bytes per trial, as float32, of inputs and responses that are not cached."""
        images = 0 if self._images and self._images.holds(rows) else int(np.prod(self.input_shape))
        responses = 0 if self._responses and self._responses.holds(rows) else self.columns.size
        return 4 * (images + responses * with_responses)

    def inputs(self, rows: Rows) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return the inputs of the given trials.

        Returns
        -------
        images : (B, C, h, w)
            Images, with behaviour as constant channels if it is appended.
        behavior : (B, K) or None
        pupil_center : (B, 2) or None
        """
        images = None if self._images is None else self._images.take(rows)
        if images is None:
            images = torch.empty((rows.size, self.image_channels, *self.image_size), device=self.device)
            self._prepare_images(rows, images)
        return self.other_inputs(images, rows)

    def other_inputs(self, images: Tensor, rows: Rows) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return inputs as `inputs`, with standardised images (B, C, h, w) instead of those of the given trials."""
        behavior, pupil_center = (
            None if values is None else _gather(values, rows) for values in (self._behavior, self._pupil_center)
        )
        if behavior is not None and self._append_behavior:
            images = _append_channels(images, behavior[:, :, None, None].expand(-1, -1, *self.image_size))
        return images, behavior, pupil_center

    def context(self, rows: Rows) -> Context | None:
        """Return the context of the given trials; None if the settings do not ask for it."""
        return None if self._context is None else self._context.read(rows)

    def _centred_states(self, recording: Recording) -> Tensor:
        """Return behaviour and eye position of every trial, (T, K), without the mean of the session."""
        method = self._standardisation
        behavior = method.behavior(recording.behavior) - method.behavior(_mean_of(recording, "behavior"))
        states = [self._on_device(behavior)]  # the eye position is centred as it is standardised, if it is
        if self._pupil_center is not None:
            eye = method.pupil_center(_mean_of(recording, "pupil_center"))
            states.append(self._pupil_center - self._on_device(eye))
        return torch.cat(states, dim=1)

    def _centred_responses(self, rows: Rows) -> NDArray[np.float64]:
        """Return the standardised responses of the given trials, (B, N), without the mean of the session."""
        return self.standardised_responses(rows) - self._mean_response

    def responses(self, rows: Rows) -> Tensor:
        """Return the standardised responses of the selected neurons, shape (B, N)."""
        kept = None if self._responses is None else self._responses.take(rows)
        return self._on_device(self.standardised_responses(rows)) if kept is None else kept

    def standardised_responses(self, rows: Rows) -> NDArray[np.float32]:
        """Read and standardise the responses of the given trials, shape (B, N)."""
        return self.standardise(self._raw_responses.array[rows])

    def standardise(self, raw: NDArray[Any]) -> NDArray[np.float32]:
        """Select neurons from raw responses, shape (B, all neurons), and standardise their responses."""
        return self._selected_standardisation.responses(raw if self._every_neuron else raw[:, self.columns])

    def _prepare_images(self, rows: Rows, out: Tensor, advance: Callable[[int], None] = lambda _: None) -> None:
        """Write the rescaled and standardised images of the given trials to `out`, (B, C, h, w), in blocks."""
        for block in _blocks(np.arange(rows.size), self._raw_images.array):
            out[block[0] : block[-1] + 1] = self._prepared_images(rows[block])
            advance(block.size)

    def _prepared_images(self, rows: Rows) -> Tensor:
        """Return the rescaled and standardised images of the given trials, shape (B, C, h, w)."""
        return model_images(self._raw_images.array[rows], self.image_size, self._standardisation)

    def _on_device(self, values: Tensor | NDArray[Any]) -> Tensor:
        return torch.as_tensor(values).to(self.device)


# On a CPU the next two functions use NumPy: small copies gain nothing from PyTorch's threads, and synchronising the threads
# takes up to 50 times as long as the copy when other processes use the cores.


def _gather(values: Tensor, index: Rows) -> Tensor:
    """Copy some rows of a tensor."""
    if values.device.type == "cpu":
        gathered = torch.empty(
            (index.size, *values.shape[1:]), dtype=values.dtype
        )  # PyTorch aligns memory; NumPy may not
        np.take(values.numpy(), index, axis=0, out=gathered.numpy(), mode="clip")
        return gathered
    return values.index_select(0, torch.from_numpy(index).to(values.device))


def _append_channels(images: Tensor, planes: Tensor) -> Tensor:
    """Append channels to images."""
    if images.device.type == "cpu":
        joined = torch.empty((len(images), images.shape[1] + planes.shape[1], *images.shape[2:]), dtype=images.dtype)
        np.concatenate([images.numpy(), planes.numpy()], axis=1, out=joined.numpy())
        return joined
    return torch.cat([images, planes], dim=1)


def _mean_of(recording: Recording, variable: str) -> NDArray[np.float64]:
    """Return the mean of a variable, in raw units, as one row."""
    return finite_statistics(f"{recording.session}: {variable}", recording.statistics[variable].mean)[None]


def _measured_rows(recording: Recording) -> Rows:
    """Return the rows of all training and validation trials, whose responses later trials may know; never those of a test tier."""
    return np.flatnonzero(recording.trials["tier"].isin(recording.benchmark.training_tiers).to_numpy())


def _check_withheld_inputs(recording: Recording, settings: DataSettings) -> None:
    for key, name in (("behavior", "behaviour"), ("pupil_center", "eye position")):
        if getattr(settings, key) and key not in recording.benchmark.variables:
            raise InputError(
                f"The {name} cannot be an input for {recording.session}, because benchmark {recording.benchmark.name} has none: set "
                f"data.{key} = false."
            )
        if getattr(settings, key) and getattr(recording, f"{key}_withheld"):
            raise InputError(
                f"The {name} of {recording.session} is withheld (all zero in the archive), so it cannot be an input: "
                f"set data.{key} = false, or leave this recording out."
            )


def _image_size(recording: Recording, settings: DataSettings) -> tuple[int, int]:
    height, width = recording.image_shape
    size = settings.input_size(recording.benchmark.stimulus, (height, width))
    if isinstance(settings.image_size, tuple) and distorts(size, height, width):
        raise InputError(
            f"data.image_size = {list(size)} would distort the images of {recording.session}, which have "
            f"{height}×{width} pixels: choose a size of the same proportions, such as "
            f'{list(same_proportions(size[0], height, width))}, or leave it to the benchmark ("benchmark").'
        )
    return size


def _first_trials(images: NDArray[Any], image_ids: pd.Series[Any], rows: Rows) -> Rows:
    """Return, for each trial, the first trial with the same image: the same id and identical pixels."""
    codes, _ = pd.factorize(image_ids.to_numpy()[rows], use_na_sentinel=False)
    _, first = np.unique(codes, return_index=True)
    shown_first = rows[first[codes]]
    repeats = np.flatnonzero(shown_first != rows)
    for block in _blocks(repeats, images):
        differs = (images[rows[block]] != images[shown_first[block]]).any(axis=(1, 2, 3))
        shown_first[block[differs]] = rows[block[differs]]
    return shown_first


def _blocks(items: Rows, array: NDArray[Any]) -> Iterator[Rows]:
    """Split items into blocks of bounded memory: one row of `array`, as float32, for each item."""
    step = max(1, _BLOCK // (4 * max(1, int(np.prod(array.shape[1:])))))
    return (items[start : start + step] for start in range(0, items.size, step))


def _slots(trials: int, rows: Rows, places: Rows) -> Rows:
    slots = np.full(trials, -1, dtype=np.int64)
    slots[rows] = places
    return slots
