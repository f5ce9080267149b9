"""A lab's own arrays made into a recording."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from striate._internal.arrays import as_array
from striate.errors import InputError, listed, validate_seed
from striate.recordings import layout
from striate.recordings.archive import open_archive
from striate.recordings.axis_order import IMAGE_AXES, RESPONSE_AXES, transpose_axes
from striate.recordings.check_findings import Severity, UnreadableError
from striate.recordings.lab_tables import Table, get_trial_ids, get_unit_ids, neuron_table, trial_table
from striate.recordings.recording import Recording
from striate.recordings.table_labels import (
    BEHAVIOR,
    PUPIL_CENTER,
    has_column_names,
    reorder_by_labels,
    stack_components,
    validate_row_labels,
)
from striate.recordings.tables import read_tables
from striate.recordings.write import write

Array = NDArray[Any]

_VALIDATION_SHARE = 0.1  # of the images that are shown once, where no tiers are given


def convert(
    *,
    session: str,
    images: ArrayLike,
    responses: ArrayLike,
    neurons: Table,
    trials: Table | None = None,
    behavior: ArrayLike | None = None,
    pupil_center: ArrayLike | None = None,
    image_axes: str = IMAGE_AXES,
    response_axes: str = RESPONSE_AXES,
    out: str | os.PathLike[str] | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> Recording:
    """Make a recording of arrays, and optionally write it in the official layout.

    Parameters
    ----------
    session
        Name of the recording, by the benchmark's custom ``animal-session-scan``, for example ``"12-3-1"``.
    images : (T, H, W), (T, 1, H, W) or (T, H, W, 1), or (I, H, W)
        The image of each trial, grey values 0–255; or, where `trials` has ``image_id`` with the numbers
        0 to I − 1, each distinct image once. I must differ from T then, unless the ids are 0 to T − 1 in order:
        with as many images as trials it could not be told which is meant.
    responses : (T, N)
        One row a trial, one column a neuron, in raw units, ≥ 0. The columns of a DataFrame that are unit ids are matched with
        those of `neurons`, and labels of rows with those of `trials`.
    neurons : DataFrame or dict of arrays, N rows
        ``x``, ``y``, ``z`` in µm (or ``coordinates`` of shape (N, 3)); optionally ``unit_id`` (else 1 to N),
        ``area``, ``layer`` and whatever else shall be kept.
    trials : DataFrame or dict of arrays, T rows, optional
        ``image_id`` (else trials with equal pixels get the same id), ``tier`` (else images that are shown
        several times make the test tier, and a tenth of the others the validation tier, drawn by `seed`),
        ``trial_idx`` (else 0 to T − 1, the order of the rows), and whatever else shall be kept.
    behavior : (T, 3), optional
        Pupil dilation, its derivative, running speed; zero ("withheld") where not given. A DataFrame or mapping with the
        columns ``pupil_dilation``, ``pupil_dilation_derivative`` and ``running_speed`` may have them in any order.
    pupil_center : (T, 2), optional
        Horizontal and vertical eye position; zero ("withheld") where not given. A DataFrame or mapping with the columns
        ``horizontal`` and ``vertical`` likewise.
    image_axes, response_axes
        The order of the axes of `images` and `responses`, where it is another: letters of trials or images (T),
        height (H), width (W) and neurons (N), such as ``"HWT"`` and ``"NT"`` for arrays as MATLAB keeps them.
    out
        Zip (a name ending in ``.zip``) or folder to write to.
    seed
        For the choice of validation images, where no tiers are given.
    overwrite
        Whether something at `out` may be replaced.

    Returns
    -------
    Recording
        Opened from `out` where that is given, else in memory.

    Raises
    ------
    InputError
        If the arrays do not fit each other; the sentence names the two that disagree.
    """
    responses = _in_order_of_trials(responses, "responses", trials, get_unit_ids(neurons))
    measured = _numbers(
        transpose_axes(as_array(responses, "responses"), response_axes, RESPONSE_AXES, "responses"), "responses", 2
    )
    count, cells = measured.shape
    _check_responses(measured)
    cortex = neuron_table(neurons, cells, count)
    table = trial_table(trials, count)
    pictures, image_ids = _images(
        transpose_axes(as_array(images, "images"), image_axes, IMAGE_AXES, "images"), table, count
    )
    table["image_id"] = image_ids
    if "tier" not in table:
        table["tier"] = _choose_tiers(np.asarray(table["image_id"]), seed)
    if (empty := np.flatnonzero(table["tier"].isna())).size:
        raise InputError(
            f"trials' tier is missing in rows {listed(empty)}: give one of {', '.join(layout.TIERS)} for each trial."
        )
    table["tier"] = [layout.tier_name(str(tier)) for tier in table["tier"]]
    if "trial_idx" not in table:
        table["trial_idx"] = np.arange(count)
    recording = Recording(
        session,
        cortex,
        table,
        pictures,
        measured,
        _companion(behavior, "behavior", count, BEHAVIOR, trials),
        _companion(pupil_center, "pupil_center", count, PUPIL_CENTER, trials),
    )
    if out is None:
        return recording
    from striate.recordings.pack_cache import open as open_recording

    return open_recording(write(recording, out, overwrite=overwrite, inspect=_require_readable), session)


def _require_readable(archive: Path) -> None:
    """Read the tables back from a written archive, so that one that cannot be opened is never left behind."""
    with open_archive(archive) as opened:
        for finding in (*opened.findings, *read_tables(opened).findings):
            if finding.severity == Severity.ERROR:
                raise UnreadableError(finding, archive.name)


def _numbers(values: ArrayLike, name: str, dimensions: int) -> Array:
    return _finite(_regular(values, name, dimensions), name)


def _regular(values: ArrayLike, name: str, dimensions: int) -> Array:
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


def _check_responses(responses: Array) -> None:
    if (responses < 0).any():
        rows = np.flatnonzero((responses < 0).any(axis=1))
        raise InputError(
            f"responses are negative in {len(rows)} trials (rows {listed(rows)}): give deconvolved responses or rates, which are ≥ 0."
        )


def _images(images: Array, trials: pd.DataFrame, count: int) -> tuple[Array, Array]:
    """Images of all trials, (T, 1, H, W), and their ids."""
    array = _grey_images(images)
    if "image_id" not in trials:
        if len(array) != count:
            raise InputError(
                f"there are {len(array)} images and {count} rows of responses: give one image a trial, or trials with image_id."
                + (" Or are trials the last axis of images? Then state it: HWT." if array.shape[3] == count else "")
            )
        return array, _ids_by_pixels(array)
    ids = np.asarray(trials["image_id"])
    number_images = ids.dtype.kind in "iu" and ids.min() >= 0 and ids.max() < len(array)
    if len(array) != count:
        if not number_images:
            raise InputError(
                f"image_id must number the {len(array)} images from 0 to {len(array) - 1}, because there are {len(array)} images "
                f"and {count} trials: number them so, or give one image a trial."
            )
        return array[ids], ids
    if number_images and not _are_of_trials(array, ids):
        raise InputError(
            f"there are as many images as trials ({count}), and image_id numbers them in another order, so row i may be the "
            "image of trial i or the image with id i: leave image_id out, or give images[image_id], one image a trial."
        )
    return array, ids


def _grey_images(array: Array) -> Array:
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[1] != 1 and array.shape[3] == 1:  # channels last
        array = np.moveaxis(array, 3, 1)
    array = _numbers(array, "images", 4)
    if array.shape[1] != 1:
        raise InputError(f"images have shape {array.shape}: give grey images, (trials, height, width).")
    if array.size and (array.min() < 0 or array.max() > 255):
        raise InputError(f"images hold values from {array.min()} to {array.max()}: give grey values of 0–255.")
    if array.size and array.dtype.kind == "f" and 0 < array.max() <= 1:
        raise InputError(
            f"images hold values from {array.min()} to {array.max()}: multiply by 255, grey values are 0–255."
        )
    return array


def _are_of_trials(images: Array, ids: Array) -> bool:
    """Whether as many images as trials can only be one image a trial: in order of the ids, or equal where ids repeat."""
    if np.array_equal(ids, np.arange(len(ids))):
        return True
    distinct, first, index = np.unique(ids, return_index=True, return_inverse=True)
    return len(distinct) < len(ids) and all(
        np.array_equal(image, images[first[which]]) for image, which in zip(images, index, strict=True)
    )


def _ids_by_pixels(images: Array) -> Array:
    ids: dict[bytes, int] = {}
    return np.array([ids.setdefault(image.tobytes(), len(ids)) for image in images], dtype=np.int64)


def _choose_tiers(image_ids: Array, seed: int) -> Array:
    ids, index, counts = np.unique(image_ids, return_inverse=True, return_counts=True)
    once = np.flatnonzero(counts == 1)
    tier_of_image = np.full(len(ids), "train", dtype="<U10")
    tier_of_image[counts > 1] = "test"
    chosen = np.random.default_rng(validate_seed(seed)).permutation(once)[
        : max(1, round(_VALIDATION_SHARE * len(once)))
    ]
    tier_of_image[chosen] = "validation"
    return tier_of_image[index]


def _in_order_of_trials(values: Any, what: str, trials: Any, unit_ids: list[Any] | None = None) -> Any:
    """Rows (and columns) in the order of the trials (and neurons), where the labels of a DataFrame say that theirs is another."""
    if not isinstance(values, pd.DataFrame):
        return values
    rows: list[Any] = []
    if isinstance(trials, pd.DataFrame):
        validate_row_labels(values, trials, what)
        rows.append(trials.index)
    if isinstance(trials, pd.DataFrame | Mapping):
        rows += get_trial_ids(trials)
    return reorder_by_labels(values, what, rows=rows, columns=unit_ids)


def _companion(
    values: Any, name: str, count: int, components: Mapping[str, Sequence[str]], trials: Table | None
) -> Array:
    width = len(components)
    if values is None:
        return np.zeros((count, width), dtype=np.float32)
    values = _in_order_of_trials(values, name, trials)
    array = _regular(stack_components(name, values, components) if has_column_names(values) else values, name, 2)
    if array.shape != (count, width):
        parts = ", ".join(layout.VARIABLES[name].components)
        raise InputError(f"{name} has shape {array.shape}: {count} trials need ({count}, {width}): {parts}.")
    return _finite(array, name)
