"""A lab's own arrays made into a recording."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from striate.arrays import as_array, refuse_masked, to_int64
from striate.errors import InputError, checked_seed, listed
from striate.recordings import layout
from striate.recordings.archive import open_archive
from striate.recordings.axes import IMAGE_AXES, RESPONSE_AXES, in_order
from striate.recordings.findings import Severity, UnreadableError
from striate.recordings.recording import Recording
from striate.recordings.tables import read_tables
from striate.recordings.write import write

Array = NDArray[Any]
Table = pd.DataFrame | Mapping[str, ArrayLike]

# Names that labs use for the columns that striate knows; capitals and spaces around them do not matter.
_NEURON_ALIASES = {
    **{name: name for name in ("x", "y", "z", "unit_id", "area", "layer", "animal_id", "session", "scan_idx")},
    **dict.fromkeys((layout.COORDINATES, "coordinates", "positions"), "coordinates"),
    "unit_ids": "unit_id",
    "id": "unit_id",
    "animal_ids": "animal_id",
    "sessions": "session",
}
_TRIAL_ALIASES = {
    **{name: name for name in ("tier", "image_id", "trial_idx", *layout.OTHER_KNOWN_TRIAL_FIELDS)},
    "tiers": "tier",
    "frame_image_id": "image_id",
    "image_ids": "image_id",
    "trial_index": "trial_idx",
}

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
        One row a trial, one column a neuron, in raw units, ≥ 0.
    neurons : DataFrame or dict of arrays, N rows
        ``x``, ``y``, ``z`` in µm (or ``coordinates`` of shape (N, 3)); optionally ``unit_id`` (else 1 to N),
        ``area``, ``layer`` and whatever else shall be kept.
    trials : DataFrame or dict of arrays, T rows, optional
        ``image_id`` (else trials with equal pixels get the same id), ``tier`` (else images that are shown
        several times make the test tier, and a tenth of the others the validation tier, drawn by `seed`),
        ``trial_idx`` (else 0 to T − 1, the order of the rows), and whatever else shall be kept.
    behavior : (T, 3), optional
        Pupil dilation, its derivative, running speed; zero ("withheld") where not given.
    pupil_center : (T, 2), optional
        Horizontal and vertical eye position; zero ("withheld") where not given.
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
    measured = _numbers(
        in_order(as_array(responses, "responses"), response_axes, RESPONSE_AXES, "responses"), "responses", 2
    )
    count, cells = measured.shape
    _check_responses(measured)
    cortex = _neuron_table(neurons, cells, count)
    table = _trial_table(trials, count)
    pictures, image_ids = _images(in_order(as_array(images, "images"), image_axes, IMAGE_AXES, "images"), table, count)
    table["image_id"] = image_ids
    if "tier" not in table:
        table["tier"] = _choose_tiers(np.asarray(table["image_id"]), seed)
    table["tier"] = [layout.tier_name(str(tier)) for tier in table["tier"]]
    if "trial_idx" not in table:
        table["trial_idx"] = np.arange(count)
    recording = Recording(
        session,
        cortex,
        table,
        pictures,
        measured,
        _companion(behavior, "behavior", count, 3),
        _companion(pupil_center, "pupil_center", count, 2),
    )
    if out is None:
        return recording
    from striate.recordings.cache import open_recording

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
    chosen = np.random.default_rng(checked_seed(seed)).permutation(once)[: max(1, round(_VALIDATION_SHARE * len(once)))]
    tier_of_image[chosen] = "validation"
    return tier_of_image[index]


def _as_table(table: Table, name: str, aliases: Mapping[str, str]) -> pd.DataFrame:
    """A table with the names that striate knows for its columns; two names for one thing are refused."""
    frame = table.reset_index(drop=True) if isinstance(table, pd.DataFrame) else _table_of_columns(table, name)
    names = [str(column).strip() for column in frame.columns]
    known = [aliases.get(column.casefold(), column) for column in names]
    if "unit_id" in [column.casefold() for column in names]:  # next to that, "id" is a number of the lab's own
        known = [column if column.casefold() == "id" else meant for column, meant in zip(names, known, strict=True)]
    given: dict[str, str] = {}
    for column, meant in zip(names, known, strict=True):
        if meant in given:
            both = f"columns {given[meant]!r} and {column!r}" if given[meant] != column else f"two columns {column!r}"
            raise InputError(f"{name} has {both}, which both mean {meant}: leave one out, or rename it.")
        given[meant] = column
    if "coordinates" in given and (single := next((given[axis] for axis in "xyz" if axis in given), None)):
        raise InputError(
            f"{name} has columns {given['coordinates']!r} and {single!r}, which both mean positions: leave one out."
        )
    return frame.set_axis(known, axis="columns")


def _table_of_columns(table: Mapping[str, ArrayLike], name: str) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    lengths: dict[str, int] = {}
    for key, values in table.items():
        refuse_masked(values, f"{name}' {key}")
        try:
            array = np.asarray(values)
        except ValueError as error:
            raise InputError(f"{name}' {key} is no regular array ({error}): give rows of equal length.") from None
        if array.ndim == 2 and 1 in array.shape and _NEURON_ALIASES.get(str(key).casefold()) != "coordinates":
            array = array.reshape(-1)  # a column or row vector, as MATLAB has them
        columns[key] = list(array) if array.ndim > 1 else array if array.ndim else values
        if array.ndim:
            lengths[key] = len(array)
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{key} {length}" for key, length in lengths.items())
        raise InputError(f"{name} has columns of different lengths: {said}.")
    return pd.DataFrame(columns, index=range(next(iter(lengths.values()), 1)))


def _trial_table(trials: Table | None, count: int) -> pd.DataFrame:
    table = pd.DataFrame(index=range(count)) if trials is None else _as_table(trials, "trials", _TRIAL_ALIASES)
    if len(table) != count:
        raise InputError(f"trials has {len(table)} rows, responses has {count}: each row of responses is one trial.")
    table = table.copy()
    for name, instead in (
        ("image_id", "give one for each trial, or leave the column out, and equal pixels get the same"),
        ("trial_idx", "give one for each trial, or leave the column out for the order of the rows"),
    ):
        if name in table:
            table[name] = _ids(table[name], f"trials' {name}", instead, or_text=True)
    return table


def _neuron_table(neurons: Table, cells: int, trials: int) -> pd.DataFrame:
    table = _as_table(neurons, "neurons", _NEURON_ALIASES)
    if len(table) != cells:
        turned = (
            " Are the responses turned over? Rows are trials, columns neurons; else state response_axes, NT."
            if len(table) == trials
            else ""
        )
        raise InputError(f"neurons has {len(table)} rows, responses has {cells} columns.{turned}")
    if "coordinates" in table:
        places = as_array(table["coordinates"].tolist(), "neurons' coordinates").astype(np.float64)
        if places.shape != (cells, 3):
            raise InputError(f"neurons' coordinates have shape {places.shape}: give x, y, z of {cells} neurons in µm.")
        table = table.drop(columns="coordinates").assign(x=places[:, 0], y=places[:, 1], z=places[:, 2])
    if missing := [c for c in ("x", "y", "z") if c not in table]:
        raise InputError(
            f"neurons has no {', '.join(missing)} (it has {', '.join(map(str, table.columns))}): give cortical positions in µm."
        )
    table = table.assign(**{axis: _positions(table[axis], axis) for axis in "xyz"})
    if "unit_id" not in table:
        table = table.assign(unit_id=np.arange(1, cells + 1))
    instead = f"leave the column out for 1 to {cells}, and keep names of your own in another column"
    return table.assign(unit_id=_ids(table["unit_id"], "neurons' unit_id", instead, or_text=False))


def _companion(values: ArrayLike | None, name: str, count: int, width: int) -> Array:
    if values is None:
        return np.zeros((count, width), dtype=np.float32)
    array = _regular(values, name, 2)
    if array.shape != (count, width):
        parts = ", ".join(layout.VARIABLES[name].components)
        raise InputError(f"{name} has shape {array.shape}: {count} trials need ({count}, {width}): {parts}.")
    return _finite(array, name)


_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")


def _positions(values: pd.Series, axis: str) -> Array:
    """One coordinate of all neurons, in µm."""
    texts = [value.strip() for value in values.tolist() if isinstance(value, str)]
    if commas := next((text for text in texts if _DECIMAL_COMMA.fullmatch(text)), None):
        raise InputError(f"neurons' {axis} has decimal commas, such as {commas!r}: save the table with decimal points.")
    if texts:
        raise InputError(f"neurons' {axis} holds {texts[0]!r}: give cortical positions as numbers, in µm.")
    numbers = as_array(values.to_numpy(dtype=np.float64, na_value=np.nan), f"neurons' {axis}")
    if not np.isfinite(numbers).all():
        raise InputError("neurons' x, y, z are not all finite: give a position for each neuron, in µm.")
    return numbers


def _ids(values: pd.Series, name: str, instead: str, *, or_text: bool) -> Array:
    """Ids as every reader of the layout takes them: whole numbers, or text where `or_text`."""
    if (empty := np.flatnonzero(values.isna())).size:
        raise InputError(f"{name} is missing in rows {listed(empty)}: {instead}.")
    array = values.to_numpy()
    if or_text and all(isinstance(one, str) for one in array):
        return array
    try:
        return to_int64(array)
    except InputError as error:
        kind = "whole numbers or text" if or_text else "whole numbers"
        raise InputError(f"{name} must be {kind}, {error}: {instead}.") from None
