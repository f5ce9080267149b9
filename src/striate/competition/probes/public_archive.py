"""One public archive as an outsider sees it: hashes of what it holds, and what of it changes slowly."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.competition.fingerprints import picture_hashes, response_hashes, row_hashes
from striate.competition.vault import Mapping
from striate.recordings import Recording

Floats = NDArray[np.float64]

_COMPONENTS = 5


@dataclass(eq=False)
class PublicArchive:
    """One public archive.

    Attributes
    ----------
    file
        Zip or folder.
    name
        Its path below the competition's folder, for findings.
    recording
        What is in it.
    is_track
        Whether it withholds test responses: by the rules, or where there are none, by what it holds.
    withhold
        Variables that it withholds in all trials.
    mapping
        From the vault: which trials its trials are; None without one.
    """

    file: Path
    name: str
    recording: Recording
    is_track: bool
    withhold: tuple[str, ...]
    mapping: Mapping | None

    @property
    def session(self) -> str:
        """Its session."""
        return self.recording.session

    @cached_property
    def tier(self) -> NDArray[Any]:
        """Tier of each trial, (T,)."""
        return self.recording.trials["tier"].to_numpy().astype(str)

    @property
    def image_id(self) -> NDArray[Any]:
        """Image id of each trial, (T,)."""
        return np.asarray(self.recording.trials["image_id"].to_numpy())

    @cached_property
    def tested(self) -> NDArray[np.bool_]:
        """Which trials are of a tier that decides a board, so that a track withholds their responses, (T,)."""
        return np.isin(self.tier, self.recording.benchmark.board_tiers)

    @cached_property
    def picture(self) -> NDArray[np.str_]:
        """Hash of each trial's image, (T,)."""
        return picture_hashes(self.recording.images)

    @cached_property
    def trial(self) -> NDArray[np.str_]:
        """Hash of each trial's responses, (T,)."""
        return response_hashes(self.recording.responses)

    @cached_property
    def slow(self) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """What of the public trials changes slowly; see `slow_features`."""
        return slow_features(self)

    @cached_property
    def moods(self) -> dict[str, NDArray[np.str_]]:
        """By variable: hash of each trial's behaviour and eye position, (T,)."""
        return {name: row_hashes(getattr(self.recording, name)) for name in state_variables(self.recording)}

    @cached_property
    def order(self) -> NDArray[np.int64] | None:
        """Place of each trial in time, as the vault knows it, or an integer `trial_idx` tells it; None otherwise."""
        if self.mapping is not None and self.mapping.order.size == len(self.tier):
            return self.mapping.order
        index = self.recording.trials["trial_idx"].to_numpy()
        return np.argsort(np.argsort(index, kind="stable")) if index.dtype.kind in "iu" else None


def state_variables(recording: Recording) -> tuple[str, ...]:
    """Names of the variables of a recording that tell of the animal's state: behaviour and eye position, as far as it has them."""
    return tuple(name for name in recording.benchmark.variables if name in recording.benchmark.components)


def slow_features(archive: PublicArchive) -> list[tuple[NDArray[np.int64], Floats]]:
    """What of the public trials changes slowly: trials and ranks of their features, of behaviour and of responses.

    Ranks, since a few outliers that come to stand side by side would correlate by themselves.
    """
    recording = archive.recording
    everything = np.arange(len(archive.tier))
    moods = [np.asarray(getattr(recording, v), dtype=np.float64) for v in state_variables(recording)]
    moods = [values for values in moods if values.any()]
    found = [(everything, _ranked(np.concatenate(moods, axis=1)))] if moods else []
    public = np.flatnonzero(~archive.tested) if archive.is_track else everything
    if (components := response_components(archive, public)) is not None:
        found.append((public, _ranked(components)))
    return found


def _ranked(features: Floats) -> Floats:
    """Ranks in each column; equal values share their mean rank."""
    ranks = np.empty_like(features)
    for column, values in enumerate(features.T):
        _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
        ranks[:, column] = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks


def response_components(archive: PublicArchive, rows: NDArray[np.int64], count: int = _COMPONENTS) -> Floats | None:
    """Mean and strongest principal components of responses, each neuron scaled to variance 1; None if they are all zero.

    Components by randomised subspace iteration: Halko, Martinsson & Tropp (2011), Finding structure with randomness, SIAM
    Review 53(2).
    """
    responses = np.asarray(archive.recording.responses[rows], dtype=np.float32)
    if not responses.any() or len(rows) < 3:
        return None
    responses = (responses - responses.mean(axis=0)) / np.maximum(responses.std(axis=0), 1e-9)
    width = min(count + 10, *responses.shape)
    basis = np.random.default_rng(0).standard_normal((responses.shape[1], width)).astype(np.float32)
    for _ in range(6):
        basis, _ = np.linalg.qr(responses.T @ (responses @ basis))
    left, sizes, _ = np.linalg.svd(responses @ basis, full_matrices=False)
    components = (left * sizes)[:, :count].astype(np.float64)
    return np.concatenate([responses.mean(axis=1, keepdims=True), components], axis=1)
