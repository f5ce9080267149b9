"""What the responses of a recording tell: only those that are public, each in standard deviations of its neuron."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.data.standardisation import Standardisation
from striate.metrics import Repeats, jackknife_oracle, split_half
from striate.recordings import Recording

Floats = NDArray[np.float32]

_BLOCK = 256  # trials that are looked at together
EDGES = np.concatenate([np.arange(0, 10.01, 0.25), [np.inf]])  # standard deviations, of the distribution of responses


@dataclass(frozen=True, eq=False)
class Shown:
    """The responses that may be shown.

    Attributes
    ----------
    recording
        Whose.
    known : (T,)
        Trials whose responses are public.
    scale : (N,)
        What a response is divided by.
    """

    recording: Recording
    known: NDArray[np.bool_]
    scale: Floats

    @classmethod
    def of(cls, recording: Recording, *, tests_withheld: bool) -> "Shown":
        """Find out what may be shown.

        Parameters
        ----------
        recording
            A public one.
        tests_withheld
            Show no response of the tiers that decide a board, whatever the recording holds. Other test trials that are
            zero throughout count as withheld.
        """
        tier, spec = recording.trials["tier"], recording.benchmark
        test = tier.isin(spec.test_tiers).to_numpy()
        hidden = tier.isin(spec.board_tiers).to_numpy() & tests_withheld
        known = ~test
        for row in np.flatnonzero(test & ~hidden):
            values = recording.responses[row]
            known[row] = bool(np.any(np.isfinite(values) & (values != 0)))
        scale = Standardisation.from_recording(recording).response_scale.astype(np.float32)
        return cls(recording, known, scale)

    def rows(self, index: NDArray[np.intp]) -> Floats:
        """Standardised responses of some trials, shape (trials, N); NaN where there are none to show."""
        values = np.full((len(index), len(self.scale)), np.nan, dtype=np.float32)
        there = self.known[index]
        values[there] = self.recording.responses[index[there]] / self.scale
        return values

    def blocks(self) -> Iterator[tuple[NDArray[np.intp], Floats]]:
        """All trials that may be shown, in parts."""
        rows = np.flatnonzero(self.known)
        for start in range(0, len(rows), _BLOCK):
            part = rows[start : start + _BLOCK]
            yield part, self.rows(part)


@dataclass(frozen=True, eq=False)
class Overview:
    """Means and distribution of the responses that may be shown.

    Attributes
    ----------
    of_neuron : (N,)
        Mean over trials.
    of_trial : (T,)
        Mean over neurons; NaN where withheld.
    counts
        How many responses lie between one of `EDGES` and the next.
    zeros
        Share of responses that are exactly zero.
    """

    of_neuron: Floats
    of_trial: Floats
    counts: NDArray[np.int64]
    zeros: float


def overview(shown: Shown) -> Overview:
    """Go once through all responses."""
    of_trial = np.full(len(shown.known), np.nan, dtype=np.float32)
    sums, numbers = np.zeros(len(shown.scale)), np.zeros(len(shown.scale))
    counts, zeros = np.zeros(len(EDGES) - 1, dtype=np.int64), 0
    fine = EDGES[1] - EDGES[0]
    for rows, values in shown.blocks():
        finite = np.isfinite(values)
        own = np.where(finite, values, 0)
        sums += own.sum(axis=0, dtype=np.float64)
        numbers += finite.sum(axis=0)
        with np.errstate(invalid="ignore"):
            of_trial[rows] = own.sum(axis=1, dtype=np.float64) / finite.sum(axis=1)
        place = np.clip(own[finite] / fine, 0, len(counts) - 1).astype(np.int64)
        counts += np.bincount(place, minlength=len(counts))
        zeros += int((own[finite] == 0).sum())
    with np.errstate(invalid="ignore"):
        of_neuron = (sums / numbers).astype(np.float32)
    return Overview(of_neuron, of_trial, counts, zeros / max(1, int(counts.sum())))


@dataclass(frozen=True, eq=False)
class Reliability:
    """How reliably each neuron answers to the same image.

    Attributes
    ----------
    jackknife, halves : (N,)
        Jackknife oracle, and split-half reliability of the average response; NaN where not defined.
    images, trials
        How many images were repeated, in how many trials.
    reason
        Why it is not defined; empty where it is.
    """

    jackknife: Floats
    halves: Floats
    images: int
    trials: int
    reason: str


def reliability(shown: Shown) -> Reliability:
    """Reliabilities from images that were shown more than once, as far as the responses to them are public."""
    rows = np.flatnonzero(shown.known)
    trials = shown.recording.trials.iloc[rows]
    repeated = trials.duplicated(["tier", "image_id"], keep=False).to_numpy()
    rows, trials = rows[repeated], trials[repeated]
    neurons = len(shown.scale)
    if not len(rows):
        none = np.full(neurons, np.nan, dtype=np.float32)
        return Reliability(none, none, 0, 0, "no image was shown more than once with public responses")
    image = (trials["tier"] + " " + trials["image_id"].astype(str)).to_numpy()
    repeats, values = Repeats(image), shown.rows(rows)
    oracle, halves = jackknife_oracle(values, repeats), split_half(values, repeats)
    return Reliability(
        oracle.values.astype(np.float32), halves.values.astype(np.float32), len(repeats.images), len(rows), ""
    )
