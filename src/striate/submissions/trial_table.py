"""Tables of trials × neurons, the base of submissions and truths: values with ids of trials and neurons."""

import contextlib
import hashlib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate._internal.arrays import as_array, is_data_frame, refuse_masked, to_int64
from striate.benchmarks import BenchmarkSpec, load_benchmark
from striate.benchmarks.sensorium2022 import sensorium2022
from striate.benchmarks.session_names import valid_session
from striate.catalog import as_recording
from striate.errors import InputError

if TYPE_CHECKING:
    from striate.recordings import Recording

IdArray = NDArray[np.int64] | NDArray[np.str_]

# About ten times the size of a recording of the benchmark. Larger files are refused before memory is allocated.
MAX_TRIALS = 2**17
MAX_VALUES = 2**28
MAX_ID_LENGTH = 200  # characters

NON_TABLE_SUFFIXES = (".txt", ".tsv", ".json", ".zip", ".npy", ".npz")  # suffixes of neither Parquet nor CSV


@contextlib.contextmanager
def prefix_errors(source: object) -> Iterator[None]:
    """Prefix the errors of the block with the path `source`. Do nothing if `source` is not a path."""
    try:
        yield
    except InputError as error:
        if isinstance(source, str | Path):
            raise InputError(f"{source}: {error}") from error
        raise


class TrialIdsBase:
    """Ids of trials and neurons: what `TrialIds`, `Submission` and `Truth` have in common.

    Attributes
    ----------
    session
        Session of the recording; None if it is not known, because a CSV of 2022 does not name it.
    unit_ids : (N,) int64
        Unit id of each column.
    tier, trial_idx, image_id : (T,)
        Tier, trial index and image id of each row. Trial indices and image ids are integers or strings.
    benchmark
        Description of the benchmark, which names the tiers.
    """

    session: str | None
    unit_ids: NDArray[np.int64]
    tier: NDArray[np.str_]
    trial_idx: IdArray
    image_id: IdArray
    benchmark: BenchmarkSpec

    @property
    def tiers(self) -> tuple[str, ...]:
        """Names of the tiers of the rows, in the order of the benchmark."""
        present = set(self.tier.tolist())
        return tuple(t for t in self.benchmark.tier_order if t in present)

    def rows(self, tier: str) -> NDArray[np.intp]:
        """Return the indices of the rows of one tier, in ascending order.

        Raises
        ------
        InputError
            If the tier has no rows.
        """
        name = self.benchmark.tier_name(tier)
        rows = np.flatnonzero(self.tier == name)
        if rows.size == 0:
            raise InputError(f"There are no trials of tier {name!r}, only of {', '.join(self.tiers)}.")
        return rows


@dataclass(frozen=True)
class TrialIds(TrialIdsBase):
    """Ids of the trials and neurons of some tiers of a recording, without values. The attributes are those of `TrialIdsBase`."""

    session: str
    unit_ids: NDArray[np.int64]
    tier: NDArray[np.str_]
    trial_idx: IdArray
    image_id: IdArray
    benchmark: BenchmarkSpec = field(default_factory=sensorium2022)

    @classmethod
    def from_recording(cls, recording: "Recording", tiers: Sequence[str] | None = None) -> "TrialIds":
        """Return the ids of the trials of a recording, one tier after the other.

        Parameters
        ----------
        recording
            The recording.
        tiers
            Tiers of the trials. By default the test tiers of the benchmark, those that the recording has.

        Raises
        ------
        InputError
            If the recording has no such tier.
        """
        recording = as_recording(recording)
        rows = tier_rows(recording, tiers)
        trials = recording.trials.iloc[np.concatenate(list(rows.values()))]
        return cls(
            recording.session,
            recording.unit_ids,
            np.repeat(list(rows), [len(r) for r in rows.values()]),
            as_id_array(trials["trial_idx"].to_numpy(), "trial indices", len(trials)),
            as_id_array(trials["image_id"].to_numpy(), "image ids", len(trials)),
            recording.benchmark,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the ids by name, as keyword arguments of a `TrialTable`."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def tier_rows(recording: "Recording", tiers: Sequence[str] | None = None) -> dict[str, NDArray[np.int64]]:
    """Return the row indices of each tier of a recording, in the order of `tiers`; by default of the test tiers."""
    recording = as_recording(recording)
    spec = recording.benchmark
    names = [t for t in spec.test_tiers if t in recording.tiers] if tiers is None else spec.tier_names(tiers)
    if not names:
        absent = f"neither {' nor '.join(spec.test_tiers)}" if len(spec.test_tiers) > 1 else f"no {spec.test_tiers[0]}"
        raise InputError(f"Recording {recording.session} has {absent} trials; name other tiers.")
    return {tier: recording.rows(tier) for tier in names}


class TrialTable(TrialIdsBase):
    """Values of shape (trials, neurons) with the ids of both, validated on creation."""

    #: plural noun for the values in messages, such as "predictions"
    values_name: ClassVar[str]

    @property
    @abstractmethod
    def values(self) -> NDArray[np.float32]:
        """Values, of shape (T, N)."""

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 hash of ids and values. It does not depend on the order of rows and columns or on the file format."""
        rows = np.lexsort((self.trial_idx.astype(str), self.tier))
        columns = np.argsort(self.unit_ids, kind="stable")
        digest = hashlib.sha256(self.unit_ids[columns].astype("<i8").tobytes())
        for keys in (self.tier, self.trial_idx, self.image_id):
            digest.update("\x1f".join(keys[rows].astype(str).tolist()).encode() + b"\x1e")
        in_order = bool((columns[1:] > columns[:-1]).all())
        for start in range(0, len(rows), 64):
            block = self.values[rows[start : start + 64]]
            ordered = block if in_order else block[:, columns]
            digest.update((ordered + np.float32(0)).astype("<f4", copy=False).tobytes())  # + 0: turn −0 into 0
        return digest.hexdigest()

    def _validate(self, values: ArrayLike) -> NDArray[np.float32]:
        """Validate and normalise the ids in place; return the values as float32."""
        set_ = object.__setattr__
        set_(self, "benchmark", load_benchmark(self.benchmark))
        if self.session is not None:
            set_(self, "session", valid_session(str(self.session)))
        set_(self, "unit_ids", _validate_unit_ids(self.unit_ids))
        tiers = np.asarray(self.tier)
        if tiers.ndim != 1 or tiers.size == 0:
            raise InputError(f"The tiers have shape {tiers.shape}; expected (trials,), at least one.")
        known, tier_of_row = np.unique(tiers.astype(str), return_inverse=True)
        set_(self, "tier", np.array([self.benchmark.tier_name(t) for t in known.tolist()])[tier_of_row])
        set_(self, "trial_idx", as_id_array(self.trial_idx, "trial indices", tiers.size))
        set_(self, "image_id", as_id_array(self.image_id, "image ids", tiers.size))
        self._refuse_duplicate_trials()
        if is_data_frame(values):
            from striate.recordings.table_labels import reorder_by_labels

            values = reorder_by_labels(values, self.values_name, rows=[self.trial_idx], columns=self.unit_ids)
        return _validate_values(values, (tiers.size, self.unit_ids.size), self.values_name)

    def _refuse_duplicate_trials(self) -> None:
        for tier in self.tiers:
            ids, counts = np.unique(self.trial_idx[self.tier == tier], return_counts=True)
            if (counts > 1).any():
                raise InputError(
                    f"Trial {ids[counts > 1][0]} of tier {tier!r} occurs {counts.max()} times; keep one row for each trial."
                )


def as_id_array(values: ArrayLike, name: str, count: int) -> IdArray:
    """Return ids as int64 if they are integers, else as strings.

    Parameters
    ----------
    values : (count,)
        Integers or strings.
    name
        Plural noun for the ids in error messages, such as "image ids".
    count
        Expected number of ids.

    Raises
    ------
    InputError
        If the number of ids is not `count`, or they are neither integers nor short printable strings.
    """
    refuse_masked(values, name)
    ids: NDArray[Any] = np.asarray(values)
    if ids.shape != (count,):
        raise InputError(f"The {name} have shape {ids.shape}; {count} trials need ({count},).")
    if _are_integers(ids):
        try:
            return to_int64(ids)
        except InputError as error:
            raise InputError(f"The {name} must be integers or strings, {error}.") from None
    if ids.dtype.kind in "OST":
        if not all(isinstance(i, str | bytes | int) for i in ids.tolist()):
            raise InputError(f"The {name} are neither integers nor strings.")
        ids = np.array([i.decode() if isinstance(i, bytes) else str(i) for i in ids.tolist()])
    if ids.dtype.kind != "U":
        raise InputError(f"The {name} are of type {ids.dtype}; expected integers or strings.")
    if ids.dtype.itemsize > 4 * MAX_ID_LENGTH:
        raise InputError(f"One of the {name} is longer than {MAX_ID_LENGTH} characters.")
    unprintable = next((i for i in ids.tolist() if not i.isprintable()), None)
    if unprintable is not None:
        raise InputError(f"One of the {name}, {unprintable!r}, has characters that cannot be printed.")
    return ids


def _are_integers(ids: NDArray[Any]) -> bool:
    if ids.dtype.kind == "O":
        return all(isinstance(i, int | np.integer) and not isinstance(i, bool) for i in ids.flat)
    return ids.dtype.kind in "iu"


def printable_text(text: str, max_length: int = 120) -> str:
    """Make an untrusted text fit for a message: one line, no control characters, at most `max_length` characters."""
    plain = "".join(c if c.isprintable() else "?" for c in " ".join(text[: 10 * max_length].split()))
    return plain if len(plain) <= max_length else plain[: max_length - 3] + "..."


def _validate_unit_ids(values: ArrayLike) -> NDArray[np.int64]:
    refuse_masked(values, "unit ids")
    ids = np.asarray(values)
    if ids.ndim != 1 or ids.size == 0 or not _are_integers(ids):
        raise InputError(f"The unit ids are {ids.dtype} of shape {ids.shape}; expected integers, one for each neuron.")
    distinct, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        raise InputError(f"Unit id {distinct[counts > 1][0]} occurs twice; each neuron needs one column.")
    try:
        return to_int64(ids)
    except InputError as error:
        raise InputError(f"The unit ids must be integers, {error}.") from None


def _validate_values(values: ArrayLike, shape: tuple[int, int], values_name: str) -> NDArray[np.float32]:
    array = as_array(values, values_name)
    if array.shape != shape:
        raise InputError(
            f"The {values_name} have shape {array.shape}; {shape[0]} trials and {shape[1]} neurons need {shape}."
        )
    if array.dtype.kind not in "fiu":
        raise InputError(f"The {values_name} are of type {array.dtype}; expected real numbers.")
    with np.errstate(over="ignore"):
        narrow = np.ascontiguousarray(array, dtype=np.float32)
    for start in range(0, len(narrow), 64):
        wrong = np.argwhere(~np.isfinite(narrow[start : start + 64]))
        if wrong.size:
            row, column = wrong[0] + (start, 0)
            raise InputError(
                f"The {values_name} hold {array[row, column]} (row {row}, column {column}); every value must be a finite number."
            )
    return narrow
