"""The context of trials: behaviour of the trials before and after each, and responses to earlier ones, in the order of the session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from striate.data.context_settings import ContextSettings
from striate.errors import InputError

if TYPE_CHECKING:
    from striate.recordings import Recording

Rows = NDArray[np.int64]

UNKNOWN = -1  # position of a trial whose place in the session is not known


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Context:
    """What is known of trials from their neighbours in the session.

    Attributes
    ----------
    behavior : (B, W, K) float32
        Behaviour, followed by the eye position where that is an input, of the trials of a window around each trial: `past` earlier
        trials (the earliest first), the trial itself, and `future` later ones. Standardised and centred, so that 0 is the mean of
        the session.
    exists : (B, W) bool
        Whether the session has such a trial, and the order of its trials is known. Elsewhere `behavior` is 0.
    positions : (B,) int64
        Number of trials that were shown before each trial; −1 if it is not known.
    past_responses : (B, H, N) float32, or None
        Mean responses of all neurons to the latest earlier training and validation trials, standardised and centred: a mean for each number
        of trials in ``ContextSettings.past_responses``. 0 where there was no such trial. None if the settings do not ask for it.
    measured_before : (B,) int64, or None
        Number of training and validation trials that were shown before each trial; −1 if it is not known.

    Examples
    --------
    >>> context = Context.average(2, ContextSettings(past=3, future=1), size=5)
    >>> context
    <Context of 2 trials: behavior (2, 5, 5)>
    """

    behavior: Tensor
    exists: Tensor
    positions: Tensor
    past_responses: Tensor | None = None
    measured_before: Tensor | None = None

    @classmethod
    def average(cls, count: int, settings: ContextSettings, size: int, neurons: int = 0) -> Context:
        """Return the average context of a session for trials that belong to none.

        Parameters
        ----------
        count
            Number of trials, B.
        settings
            Settings of the context.
        size
            Number of variables, K.
        neurons
            Number of neurons, N; used only if the settings ask for past responses.
        """
        window, history = settings.window, len(settings.past_responses)
        return cls(
            torch.zeros(count, window, size),
            torch.zeros(count, window, dtype=torch.bool),
            torch.full((count,), UNKNOWN),
            torch.zeros(count, history, neurons) if history else None,
            torch.full((count,), UNKNOWN) if history else None,
        )

    def __len__(self) -> int:
        return int(self.positions.shape[0])

    def __repr__(self) -> str:
        history = "" if self.past_responses is None else f", past_responses {tuple(self.past_responses.shape)}"
        return f"<Context of {len(self)} trials: behavior {tuple(self.behavior.shape)}{history}>"

    def map(self, function: Callable[[Tensor], Tensor]) -> Context:
        """Return the context with a function of each tensor, whose first axis are the trials."""
        past, before = (
            None if tensor is None else function(tensor) for tensor in (self.past_responses, self.measured_before)
        )
        return Context(function(self.behavior), function(self.exists), function(self.positions), past, before)

    def split(self, size: int) -> Iterator[Context]:
        """Yield the contexts of consecutive trials, `size` at a time."""
        for start in range(0, len(self), size):
            yield self.map(lambda tensor, start=start: tensor[start : start + size])  # type: ignore[misc]


class ContextReader:
    """Reads the context of trials of one recording.

    Parameters
    ----------
    recording
        The recording.
    settings
        Settings of the context.
    values : (T, K)
        Centred behaviour (and eye position) of every trial of the recording.
    neurons
        Number of neurons, N.
    measured : (M,)
        Row numbers of the trials whose responses may be known: training and validation trials. No other response is read.
    responses
        Function that returns the centred, standardised responses of given rows, (B, N); called only if the settings ask for past
        responses.

    Attributes
    ----------
    size
        Number of variables, K.

    Raises
    ------
    InputError
        If the order of the trials is withheld, and the settings do not say what to do then.
    """

    def __init__(
        self,
        recording: Recording,
        settings: ContextSettings,
        values: Tensor,
        *,
        neurons: int,
        measured: Rows,
        responses: Callable[[Rows], NDArray[np.float64]],
    ) -> None:
        self.settings = settings
        self.size = int(values.shape[1])
        self._values = values
        check_trial_order(recording, settings)
        self._positions = trial_positions(recording)
        self._rows = None if self._positions is None else np.argsort(self._positions)
        self._offsets = np.arange(-settings.past, settings.future + 1)
        self._neurons = neurons
        self._history: _History | None = None
        if settings.past_responses and self._positions is not None:
            self._history = _History(self._positions, settings.past_responses, measured, responses)

    def read(self, rows: Rows) -> Context:
        """Return the context of the given trials."""
        device = self._values.device
        if self._positions is None or self._rows is None:
            average = Context.average(rows.size, self.settings, self.size, self._neurons)
            return average.map(lambda tensor: tensor.to(device))
        positions = self._positions[rows]
        places = positions[:, None] + self._offsets
        exists = torch.from_numpy((places >= 0) & (places < self._rows.size)).to(device)
        neighbours = torch.from_numpy(self._rows[places.clip(0, self._rows.size - 1)]).to(device)
        behavior = self._values[neighbours] * exists[:, :, None]
        past, before = (None, None) if self._history is None else self._history.read(positions)
        return Context(
            behavior,
            exists,
            torch.from_numpy(positions).to(device),
            None if past is None else past.to(device),
            None if before is None else before.to(device),
        )


class _History:
    """Mean responses to the latest measured trials before a position of the session.

    Sums over all earlier trials are kept, whose differences are sums over any number of them.
    """

    def __init__(
        self,
        positions: NDArray[np.int64],
        windows: tuple[int, ...],
        measured: Rows,
        responses: Callable[[Rows], NDArray[np.float64]],
    ) -> None:
        in_order = measured[np.argsort(positions[measured])]
        self._positions = positions[in_order]
        self._windows = windows
        values = responses(in_order)
        self._sums = np.zeros((len(values) + 1, values.shape[1]))
        np.cumsum(values, axis=0, dtype=np.float64, out=self._sums[1:])

    def read(self, positions: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return the means, (B, H, N), and the number of measured trials, (B,), before each position."""
        before = np.searchsorted(self._positions, positions, side="left")  # strictly earlier
        means = np.empty((len(positions), len(self._windows), self._sums.shape[1]), dtype=np.float32)
        for place, window in enumerate(self._windows):
            start = np.maximum(before - window, 0)
            count = np.maximum(before - start, 1)[:, None]
            means[:, place] = (self._sums[before] - self._sums[start]) / count
        return torch.from_numpy(means), torch.from_numpy(before)


def check_trial_order(recording: Recording, settings: ContextSettings) -> None:
    """Raise `InputError` if the order of the trials of a recording is withheld, and the settings do not say what to do then."""
    if settings.unknown_order == "refuse" and trial_positions(recording) is None:
        raise InputError(
            f"The order of the trials of {recording.session} is withheld (their trial_idx are hashes), so that no trial has a context: "
            'leave the table [data.context] out, or set data.context.unknown_order = "average".'
        )


def trial_positions(recording: Recording) -> NDArray[np.int64] | None:
    """Return how many trials were shown before each trial of a recording, shape (T,); None if their order is withheld.

    Trials are ordered by their index, ``trial_idx``. An archive of a competition replaces the indices by hashes, which are texts.

    Examples
    --------
    >>> import striate
    >>> settings = {"neurons": 5, "train": 20, "validation": 5, "test_images": 4, "repeats": 1, "image_shape": (18, 32)}
    >>> sorted(trial_positions(striate.simulate(**settings, seed=1).recording))[:3]
    [np.int64(0), np.int64(1), np.int64(2)]
    """
    indices: Any = recording.trials["trial_idx"].to_numpy()
    if indices.dtype.kind not in "iu":
        return None
    positions = np.empty(len(indices), dtype=np.int64)
    positions[np.argsort(indices, kind="stable")] = np.arange(len(indices))
    return positions
