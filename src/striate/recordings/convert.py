"""Conversion of a lab's own arrays to a recording."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from striate._internal.arrays import as_array
from striate.benchmarks import Benchmark, BenchmarkSpec, load_benchmark
from striate.errors import InputError, listed, validate_seed
from striate.recordings.archive import open_archive
from striate.recordings.axis_order import CHANNEL_IMAGE_AXES, IMAGE_AXES, RESPONSE_AXES, transpose_axes
from striate.recordings.checks.report import Severity, UnreadableError
from striate.recordings.lab_tables import Table, get_trial_ids, get_unit_ids, neuron_table, trial_table
from striate.recordings.recording import Recording
from striate.recordings.table_labels import (
    has_column_names,
    reorder_by_labels,
    stack_components,
    validate_row_labels,
)
from striate.recordings.tables import read_tables
from striate.recordings.write import write

Array = NDArray[Any]

_VALIDATION_FRACTION = 0.1  # fraction of the images shown once, if no tiers are given


def convert(
    *,
    session: str,
    images: ArrayLike,
    responses: ArrayLike,
    neurons: Table,
    trials: Table | None = None,
    behavior: ArrayLike | None = None,
    pupil_center: ArrayLike | None = None,
    image_axes: str | None = None,
    response_axes: str = RESPONSE_AXES,
    out: str | os.PathLike[str] | None = None,
    seed: int = 0,
    overwrite: bool = False,
    benchmark: Benchmark | None = None,
) -> Recording:
    """Make a recording from arrays, and optionally write it in the official layout.

    Parameters
    ----------
    session
        Name of the recording, in SENSORIUM 2022 ``animal-session-scan``, for example ``"12-3-1"``.
    images : (T, H, W), (T, 1, H, W) or (T, H, W, 1), or (I, H, W)
        Image of each trial, grey values 0–255; (T, C, H, W) or (T, H, W, C) if the benchmark has several channels. If `trials`
        has ``image_id`` with the numbers 0 to I − 1, each distinct image once. In this case I must differ from T, unless the
        ids are 0 to T − 1 in order, because the meaning of as many images as trials would be ambiguous.
    responses : (T, N)
        Responses of each neuron in each trial, in raw units (≥ 0 in SENSORIUM 2022). Columns of a DataFrame that are unit ids
        are matched with those of `neurons`, and row labels with those of `trials`.
    neurons : DataFrame or dict of arrays, N rows
        Columns ``x``, ``y``, ``z`` in µm (or ``coordinates`` of shape (N, 3)), optionally ``unit_id`` (default: 1 to N),
        ``area`` and ``layer``. Other columns are kept.
    trials : DataFrame or dict of arrays, T rows, optional
        Optional columns ``image_id`` (default: the same id for equal images), ``tier`` (default: the first test tier for
        images shown more than once, the validation tier for a random tenth of the others, else the training tier) and
        ``trial_idx`` (default: the row number). Other columns are kept.
    behavior : (T, K), optional
        Behaviour variables of the benchmark (default: zeros, which mean withheld). A DataFrame or mapping may have them in any
        order, by the names that the benchmark gives them: in SENSORIUM 2022 ``pupil dilation``,
        ``derivative of pupil dilation`` and ``running speed``. Case, spaces, ``_`` and ``-`` do not matter.
    pupil_center : (T, 2), optional
        Horizontal and vertical eye position (default: zeros, which mean withheld). A DataFrame or mapping may have the
        columns ``horizontal`` and ``vertical`` in any order.
    image_axes, response_axes
        Order of the axes of `images` and `responses`, with the letters T (trials or images), C (channels, if there are
        several), H (height), W (width) and N (neurons), for example ``"HWT"`` and ``"NT"`` for arrays of MATLAB.
    out
        Path of a zip (a name that ends in ``.zip``) or folder to write.
    seed
        Seed of the choice of validation images, if `trials` has no tiers.
    overwrite
        Whether to replace an existing file or folder at `out`.
    benchmark
        Benchmark of the recording: name, path of a TOML file, or description (default: SENSORIUM 2022).

    Returns
    -------
    Recording
        Recording opened from `out`, or in memory if `out` is None.

    Raises
    ------
    InputError
        If arrays are invalid or do not fit each other; the message names them.

    Examples
    --------
    >>> import numpy as np
    >>> import striate
    >>> rng = np.random.default_rng(0)
    >>> striate.convert(
    ...     session="12-3-1",
    ...     images=rng.integers(0, 256, (30, 18, 32)),
    ...     responses=rng.gamma(2.0, 1.0, (30, 4)),
    ...     neurons={"x": np.arange(4), "y": np.zeros(4), "z": np.zeros(4)},
    ...     trials={"tier": ["train"] * 20 + ["validation"] * 4 + ["test"] * 6},
    ... )
    <Recording 12-3-1: 4 neurons, 30 trials (train 20, validation 4, test 6), 18×32>
    """
    spec = load_benchmark(benchmark)
    responses = _align_with_trials(responses, "responses", trials, get_unit_ids(neurons))
    response_array = _numeric_array(
        transpose_axes(as_array(responses, "responses"), response_axes, RESPONSE_AXES, "responses"), "responses", 2
    )
    count, neuron_count = response_array.shape
    _check_responses(response_array, spec)
    neurons_table = neuron_table(neurons, neuron_count, count)
    trials_table = trial_table(trials, count)
    target_axes = IMAGE_AXES if spec.image_channels == 1 else CHANNEL_IMAGE_AXES
    image_array, image_ids = _images(
        transpose_axes(as_array(images, "images"), image_axes or target_axes, target_axes, "images"),
        trials_table,
        count,
        spec,
    )
    trials_table["image_id"] = image_ids
    if "tier" not in trials_table:
        trials_table["tier"] = _choose_tiers(np.asarray(trials_table["image_id"]), seed, spec)
    if (empty := np.flatnonzero(trials_table["tier"].isna())).size:
        raise InputError(
            f"trials' tier is missing in rows {listed(empty)}: give one of {', '.join(spec.tier_order)} for each trial."
        )
    trials_table["tier"] = [spec.tier_name(str(tier)) for tier in trials_table["tier"]]
    if "trial_idx" not in trials_table:
        trials_table["trial_idx"] = np.arange(count)
    recording = Recording(
        session,
        neurons_table,
        trials_table,
        image_array,
        response_array,
        _behavior_array(behavior, "behavior", count, spec, trials),
        _behavior_array(pupil_center, "pupil_center", count, spec, trials),
        benchmark=spec,
    )
    if out is None:
        return recording
    from striate.recordings.pack_cache import open as open_recording

    return open_recording(write(recording, out, overwrite=overwrite, inspect=_require_readable), session)


def _require_readable(archive: Path) -> None:
    """Read the tables from a written archive, so that an archive that cannot be opened is never kept."""
    with open_archive(archive) as opened:
        for finding in (*opened.findings, *read_tables(opened).findings):
            if finding.severity == Severity.ERROR:
                raise UnreadableError(finding, archive.name)


def _numeric_array(values: ArrayLike, name: str, dimensions: int) -> Array:
    return _finite(_array_of_dimensions(values, name, dimensions), name)


def _array_of_dimensions(values: ArrayLike, name: str, dimensions: int) -> Array:
    array = as_array(values, name)
    if array.ndim != dimensions:
        raise InputError(f"{name} has shape {array.shape}: give {dimensions} dimensions.")
    return array


def _finite(array: Array, name: str) -> Array:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        rows = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))
        raise InputError(
            f"{name} has values that are not finite, in rows {listed(rows)}: replace them, or leave these rows out of every array."
        )
    if array.dtype.kind == "f" and array.dtype.itemsize < 4:
        return array.astype(np.float32)
    return array


def _check_responses(responses: Array, benchmark: BenchmarkSpec) -> None:
    minimum = benchmark.responses.minimum
    if minimum is not None and (responses < minimum).any():
        rows = np.flatnonzero((responses < minimum).any(axis=1))
        problem = f"below {minimum:g}" if minimum else "negative"
        raise InputError(
            f"responses are {problem} in {len(rows)} trials (rows {listed(rows)}): give {benchmark.responses.title} or rates, "
            f"which are ≥ {minimum:g}."
        )


def _images(images: Array, trials: pd.DataFrame, count: int, benchmark: BenchmarkSpec) -> tuple[Array, Array]:
    """Return the image of every trial, (T, C, H, W), and its id."""
    array = _image_array(images, benchmark)
    if "image_id" not in trials:
        if len(array) != count:
            raise InputError(
                f"there are {len(array)} images and {count} rows of responses: give one image a trial, or trials with image_id."
                + (" If trials are the last axis of images, give image_axes: HWT." if images.shape[-1] == count else "")
            )
        return array, _ids_by_pixels(array)
    ids = np.asarray(trials["image_id"])
    ids_are_indices = ids.dtype.kind in "iu" and ids.min() >= 0 and ids.max() < len(array)
    if len(array) != count:
        if not ids_are_indices:
            raise InputError(
                f"image_id must number the {len(array)} images from 0 to {len(array) - 1}, because there are {len(array)} images "
                f"and {count} trials: number them so, or give one image a trial."
            )
        return array[ids], ids
    if ids_are_indices and not _is_one_image_per_trial(array, ids):
        raise InputError(
            f"there are as many images as trials ({count}), and image_id numbers them in another order, so row i may be the "
            "image of trial i or the image with id i: leave image_id out, or give images[image_id], one image a trial."
        )
    return array, ids


def _image_array(array: Array, benchmark: BenchmarkSpec) -> Array:
    """Return images as (T, C, H, W), and refuse other channels and values than those of the benchmark."""
    stimulus, channels = benchmark.stimulus, benchmark.image_channels
    if array.ndim == 3 and channels == 1:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[1] != channels and array.shape[3] == channels:  # channels last
        array = np.moveaxis(array, 3, 1)
    if array.ndim != 4 or array.shape[1] != channels:
        wanted = (
            "grey images, (trials, height, width)"
            if channels == 1
            else f"(trials, {channels}, height, width), with the channels {', '.join(stimulus.channels)}"
        )
        raise InputError(f"images have shape {array.shape}: give {wanted}.")
    array = _finite(array, "images")
    low, high = stimulus.range
    values = f"{stimulus.value_name} of {low:g}–{high:g}"
    if array.size and (array.min() < low or array.max() > high):
        raise InputError(f"images hold values from {array.min()} to {array.max()}: give {values}.")
    if array.size and array.dtype.kind == "f" and low == 0 and high >= 2 and 0 < array.max() <= 1:
        raise InputError(
            f"images hold values from {array.min()} to {array.max()}: multiply by {high:g}, {stimulus.value_name} are "
            f"{low:g}–{high:g}."
        )
    return array


def _is_one_image_per_trial(images: Array, ids: Array) -> bool:
    """Whether as many images as trials are one image per trial: the ids are in order, or images with the same id are equal."""
    if np.array_equal(ids, np.arange(len(ids))):
        return True
    distinct, first, index = np.unique(ids, return_index=True, return_inverse=True)
    return len(distinct) < len(ids) and all(
        np.array_equal(image, images[first[position]]) for image, position in zip(images, index, strict=True)
    )


def _ids_by_pixels(images: Array) -> Array:
    ids: dict[bytes, int] = {}
    return np.array([ids.setdefault(image.tobytes(), len(ids)) for image in images], dtype=np.int64)


def _choose_tiers(image_ids: Array, seed: int, benchmark: BenchmarkSpec) -> Array:
    ids, index, counts = np.unique(image_ids, return_inverse=True, return_counts=True)
    once = np.flatnonzero(counts == 1)
    tier_by_image = np.full(len(ids), benchmark.training_tier, dtype=object)
    tier_by_image[counts > 1] = next(iter(benchmark.test_tiers), benchmark.training_tier)
    chosen = np.random.default_rng(validate_seed(seed)).permutation(once)[
        : max(1, round(_VALIDATION_FRACTION * len(once)))
    ]
    tier_by_image[chosen] = benchmark.validation_tier
    return tier_by_image[index].astype(str)


def _align_with_trials(values: Any, name: str, trials: Any, unit_ids: list[Any] | None = None) -> Any:
    """Reorder the rows (and columns) of a DataFrame by its labels to the order of the trials (and neurons)."""
    if not isinstance(values, pd.DataFrame):
        return values
    rows: list[Any] = []
    if isinstance(trials, pd.DataFrame):
        validate_row_labels(values, trials, name)
        rows.append(trials.index)
    if isinstance(trials, pd.DataFrame | Mapping):
        rows += get_trial_ids(trials)
    return reorder_by_labels(values, name, rows=rows, columns=unit_ids)


def _behavior_array(values: Any, name: str, count: int, benchmark: BenchmarkSpec, trials: Table | None) -> Array | None:
    components = benchmark.components[name]
    width = len(components)
    if values is None:
        return None
    if not width:
        raise InputError(f"Benchmark {benchmark.name} has no {name}: leave it out.")
    values = _align_with_trials(values, name, trials)
    array = _array_of_dimensions(
        stack_components(name, values, benchmark) if has_column_names(values) else values, name, 2
    )
    if array.shape != (count, width):
        raise InputError(
            f"{name} has shape {array.shape}: {count} trials need ({count}, {width}): {', '.join(components)}."
        )
    return _finite(array, name)
