"""Selection of neurons and training trials of a recording."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError, listed, nearest

if TYPE_CHECKING:
    import pandas as pd

    from striate.data.config import DataSettings
    from striate.recordings import Recording


def select_neurons(recording: Recording, settings: DataSettings) -> NDArray[np.int64]:
    """Select neurons of a recording by area, layer, unit id and number.

    Parameters
    ----------
    recording
        The recording.
    settings
        Settings; the keys `areas`, `layers`, `unit_ids`, `neurons` and `neuron_seed` are used.

    Returns
    -------
    (N,) int64
        Columns of `Recording.responses` (rows of `Recording.neurons`), in ascending order, or in the order of `unit_ids`.

    Raises
    ------
    InputError
        If the recording has no such area, layer or unit, or fewer neurons than requested.

    Examples
    --------
    >>> select_neurons(recording, DataSettings(areas=["V1"], neurons=100)).size  # doctest: +SKIP
    100
    """
    if settings.unit_ids is not None:
        return _columns_of(recording, settings.unit_ids)
    kept = np.ones(len(recording.neurons), dtype=bool)
    for column, names in (("area", settings.areas), ("layer", settings.layers)):
        if names is not None:
            kept &= _has_label(recording, column, names)
    columns = np.flatnonzero(kept)
    if columns.size == 0:
        raise InputError(
            f"{recording.session} has no neurons in area {listed(settings.areas or ('any',))} and layer "
            f"{listed(settings.layers or ('any',))}: choose others."
        )
    if settings.neurons is not None:
        drawn = _draw(columns.size, settings.neurons, settings.neuron_seed, f"{recording.session}: neurons")
        columns = columns[drawn]
    return columns


def tier_rows(recording: Recording, settings: DataSettings, tier: str) -> NDArray[np.int64]:
    """Return the trials of a tier; those of training and validation as the settings split them.

    A new split (`DataSettings.folds`) is one of distinct images: all repeats of an image are in the same part. Recordings that
    show the same image ids are split alike.

    Parameters
    ----------
    recording
        The recording.
    settings
        Settings; the keys `folds`, `fold` and `fold_seed` are used.
    tier
        Name of the tier.

    Returns
    -------
    (B,) int64
        Row numbers of the trials, in ascending order.

    Raises
    ------
    InputError
        If the recording has too few images for the parts, or withholds the responses of validation trials.

    Examples
    --------
    >>> settings = DataSettings(folds=5, fold=2)  # doctest: +SKIP
    >>> tier_rows(recording, settings, "validation").size  # doctest: +SKIP
    1000
    """
    spec = recording.benchmark
    if settings.folds is None or tier not in (spec.training_tier, spec.validation_tier):
        return recording.rows(tier)
    for each in (spec.training_tier, spec.validation_tier):
        if each in recording.withheld_tiers:
            raise InputError(
                f"{recording.session} withholds the responses of tier {each!r}, so its trials cannot be split anew: leave data.folds out."
            )
    rows = np.sort(np.concatenate([recording.rows(each) for each in (spec.training_tier, spec.validation_tier)]))
    shown = recording.trials["image_id"].to_numpy()[rows]
    images = np.unique(shown)
    if images.size < 2 * settings.folds:  # a correlation needs two images
        raise InputError(
            f"{recording.session} has {images.size} images for training and validation, which is too few for {settings.folds} "
            f"folds of at least two: give data.folds of at most {max(2, images.size // 2)}."
        )
    order = np.random.default_rng(seed_sequence(settings.fold_seed, "folds")).permutation(images.size)
    held_out = np.isin(shown, images[order[settings.fold :: settings.folds]])
    return rows[held_out if tier == spec.validation_tier else ~held_out]


def select_training_rows(recording: Recording, settings: DataSettings) -> NDArray[np.int64]:
    """Select training trials of a recording by their images.

    Parameters
    ----------
    recording
        The recording.
    settings
        Settings; the keys `image_ids`, `training_images` and `image_seed` are used, and those of `tier_rows`.

    Returns
    -------
    (B,) int64
        Row numbers of all training trials of the selected images, in ascending order.

    Raises
    ------
    InputError
        If an image is not a training image, or there are fewer training images than requested.
    """
    rows = tier_rows(recording, settings, recording.benchmark.training_tier)
    shown = recording.trials["image_id"].to_numpy()[rows]
    kept = np.unique(shown)
    if settings.image_ids is not None:
        requested = np.asarray(settings.image_ids)
        absent = requested[~np.isin(requested, kept)]
        if absent.size:
            raise InputError(
                f"image_ids: {listed(absent)} are not among the training images of {recording.session}; "
                f"only images of tier {recording.benchmark.training_tier!r} can be kept for training."
            )
        kept = requested
    if settings.training_images is not None:
        name = f"{recording.session}: training_images"
        kept = kept[_draw(kept.size, settings.training_images, settings.image_seed, name)]
    return rows[np.isin(shown, kept)]


def seed_sequence(*parts: int | str) -> list[int]:
    """Return a platform-independent seed for `numpy.random.default_rng` from numbers and names.

    Examples
    --------
    >>> seed_sequence(3, 1)
    [3, 1]
    """
    return [
        part if isinstance(part, int) else int.from_bytes(hashlib.sha256(part.encode()).digest()[:8]) for part in parts
    ]


def _columns_of(recording: Recording, unit_ids: tuple[int, ...]) -> NDArray[np.int64]:
    column_of = {unit: column for column, unit in enumerate(recording.unit_ids.tolist())}
    absent = [unit for unit in unit_ids if unit not in column_of]
    if absent:
        raise InputError(f"unit_ids: {recording.session} has no neuron {listed(absent)}.")
    return np.array([column_of[unit] for unit in unit_ids], dtype=np.int64)


def _has_label(recording: Recording, column: str, names: tuple[str, ...]) -> NDArray[np.bool_]:
    present: pd.Series[str] = recording.neurons[column].astype(str)
    known = sorted(set(present))
    for name in names:
        if name not in known:
            raise InputError(f"{recording.session} has no neurons of {column} {name!r}: {nearest(name, known)}.")
    return present.isin(names).to_numpy()


def _draw(available: int, requested: int, seed: int, name: str) -> NDArray[np.int64]:
    """Draw positions without replacement; a smaller number draws a subset of a larger number's positions."""
    if requested > available:
        raise InputError(f"{name}: {requested} are asked for, but there are {available} to draw from.")
    return np.sort(np.random.default_rng(seed_sequence(seed, name)).permutation(available)[:requested])
