"""What submissions and truths have in common: one row of values a trial, known by tier, trial index and unit ids."""

import contextlib
import hashlib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate._internal.arrays import as_array, is_data_frame, refuse_masked, to_int64
from striate.benchmarks.session_names import valid_session
from striate.benchmarks.tiers import TEST_TIERS, TIERS, tier_name, tier_names
from striate.catalog import as_recording
from striate.errors import InputError

if TYPE_CHECKING:
    from striate.recordings import Recording

Ids = NDArray[np.int64] | NDArray[np.str_]

# Some ten times a whole recording of the benchmark: what claims more is refused before it fills the memory.
MOST_TRIALS = 2**17
MOST_VALUES = 2**28
LONGEST_ID = 200  # characters

OTHER_SUFFIXES = (".txt", ".tsv", ".json", ".zip", ".npy", ".npz")  # of files that are neither form of a table


@contextlib.contextmanager
def naming(source: object) -> Iterator[None]:
    """Put the file that was given before what is wrong with it; a table in memory has no name."""
    try:
        yield
    except InputError as error:
        if isinstance(source, str | Path):
            raise InputError(f"{source}: {error}") from error
        raise


class Keyed:
    """Keys of trials and neurons.

    Attributes
    ----------
    session
        Name of the recording; None where it is not known (a CSV of 2022 does not say it).
    unit_ids : (N,) int64
        Unit id of each column.
    tier, trial_idx, image_id : (T,)
        Tier, trial index and image of each row. Trial indices and image ids are integers or strings.
    """

    session: str | None
    unit_ids: NDArray[np.int64]
    tier: NDArray[np.str_]
    trial_idx: Ids
    image_id: Ids

    @property
    def tiers(self) -> tuple[str, ...]:
        """The tiers that there are rows of, in the usual order."""
        present = set(self.tier.tolist())
        return tuple(t for t in TIERS if t in present)

    def rows(self, tier: str) -> NDArray[np.intp]:
        """Rows of one tier, in the order in which they stand.

        Raises
        ------
        InputError
            If there are none.
        """
        name = tier_name(tier)
        rows = np.flatnonzero(self.tier == name)
        if rows.size == 0:
            raise InputError(f"There are no trials of tier {name!r}, only of {', '.join(self.tiers)}.")
        return rows


@dataclass(frozen=True)
class Keys(Keyed):
    """The keys of some tiers of a recording; as `Keyed`."""

    session: str
    unit_ids: NDArray[np.int64]
    tier: NDArray[np.str_]
    trial_idx: Ids
    image_id: Ids

    @classmethod
    def of(cls, recording: "Recording", tiers: Sequence[str] | None = None) -> "Keys":
        """Keys of a recording's trials, tier after tier.

        Parameters
        ----------
        recording
            The recording.
        tiers
            By default ``test`` and ``final_test``, as far as the recording has them.

        Raises
        ------
        InputError
            If there is no such tier.
        """
        recording = as_recording(recording)
        rows = tier_rows(recording, tiers)
        trials = recording.trials.iloc[np.concatenate(list(rows.values()))]
        return cls(
            recording.session,
            recording.unit_ids,
            np.repeat(list(rows), [len(r) for r in rows.values()]),
            as_ids(trials["trial_idx"].to_numpy(), "trial indices", len(trials)),
            as_ids(trials["image_id"].to_numpy(), "image ids", len(trials)),
        )

    def as_arguments(self) -> dict[str, Any]:
        """The keys by name, to make a `Table` of them."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def tier_rows(recording: "Recording", tiers: Sequence[str] | None = None) -> dict[str, NDArray[np.int64]]:
    """Rows of a recording by tier, as `Keys.of` takes them: in the order of `tiers`."""
    recording = as_recording(recording)
    wanted = [t for t in TEST_TIERS if t in recording.tiers] if tiers is None else tier_names(tiers)
    if not wanted:
        raise InputError(f"Recording {recording.session} has neither test nor final_test trials; name other tiers.")
    return {tier: recording.rows(tier) for tier in wanted}


class Table(Keyed):
    """Values of trials × neurons with the keys of both, checked when made."""

    #: how messages call the values
    called: ClassVar[str]

    @property
    @abstractmethod
    def values(self) -> NDArray[np.float32]:
        """The values, shape (T, N)."""

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of keys and values, whatever the order of rows and columns and the form of the file."""
        rows = np.lexsort((self.trial_idx.astype(str), self.tier))
        columns = np.argsort(self.unit_ids, kind="stable")
        digest = hashlib.sha256(self.unit_ids[columns].astype("<i8").tobytes())
        for keys in (self.tier, self.trial_idx, self.image_id):
            digest.update("\x1f".join(keys[rows].astype(str).tolist()).encode() + b"\x1e")
        in_order = bool((columns[1:] > columns[:-1]).all())
        for start in range(0, len(rows), 64):
            block = self.values[rows[start : start + 64]]
            ordered = block if in_order else block[:, columns]
            digest.update((ordered + np.float32(0)).astype("<f4", copy=False).tobytes())  # no negative zero
        return digest.hexdigest()

    def _check(self, values: ArrayLike) -> NDArray[np.float32]:
        """Check and normalise the keys in place; return the values as float32."""
        set_ = object.__setattr__
        if self.session is not None:
            set_(self, "session", valid_session(str(self.session)))
        set_(self, "unit_ids", _unit_ids(self.unit_ids))
        tiers = np.asarray(self.tier)
        if tiers.ndim != 1 or tiers.size == 0:
            raise InputError(f"The tiers have shape {tiers.shape}; expected (trials,), at least one.")
        known, tier_of_row = np.unique(tiers.astype(str), return_inverse=True)
        set_(self, "tier", np.array([tier_name(t) for t in known.tolist()])[tier_of_row])
        set_(self, "trial_idx", as_ids(self.trial_idx, "trial indices", tiers.size))
        set_(self, "image_id", as_ids(self.image_id, "image ids", tiers.size))
        self._refuse_doubled_trials()
        if is_data_frame(values):
            from striate.recordings.table_labels import reorder_by_labels

            values = reorder_by_labels(values, self.called, rows=[self.trial_idx], columns=self.unit_ids)
        return _finite(values, (tiers.size, self.unit_ids.size), self.called)

    def _refuse_doubled_trials(self) -> None:
        for tier in self.tiers:
            ids, counts = np.unique(self.trial_idx[self.tier == tier], return_counts=True)
            if (counts > 1).any():
                raise InputError(
                    f"Trial {ids[counts > 1][0]} of tier {tier!r} stands {counts.max()} times; keep one row for each trial."
                )


def as_ids(values: ArrayLike, name: str, count: int) -> Ids:
    """Return ids as int64 if they are integers, else as strings.

    Raises
    ------
    InputError
        If they are not one a trial, or neither integers nor short strings.
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
    if ids.dtype.itemsize > 4 * LONGEST_ID:
        raise InputError(f"One of the {name} is longer than {LONGEST_ID} characters.")
    unprintable = next((i for i in ids.tolist() if not i.isprintable()), None)
    if unprintable is not None:
        raise InputError(f"One of the {name}, {unprintable!r}, has characters that cannot be printed.")
    return ids


def _are_integers(ids: NDArray[Any]) -> bool:
    if ids.dtype.kind == "O":
        return all(isinstance(i, int | np.integer) and not isinstance(i, bool) for i in ids.flat)
    return ids.dtype.kind in "iu"


def printable(text: str, most: int = 120) -> str:
    """A text of unknown origin, fit to stand in a message: on one line, without control characters, cut to length."""
    plain = "".join(c if c.isprintable() else "?" for c in " ".join(text[: 10 * most].split()))
    return plain if len(plain) <= most else plain[: most - 3] + "..."


def _unit_ids(values: ArrayLike) -> NDArray[np.int64]:
    refuse_masked(values, "unit ids")
    ids = np.asarray(values)
    if ids.ndim != 1 or ids.size == 0 or not _are_integers(ids):
        raise InputError(f"The unit ids are {ids.dtype} of shape {ids.shape}; expected integers, one a neuron.")
    distinct, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        raise InputError(f"Unit id {distinct[counts > 1][0]} stands twice; each neuron needs one column.")
    try:
        return to_int64(ids)
    except InputError as error:
        raise InputError(f"The unit ids must be integers, {error}.") from None


def _finite(values: ArrayLike, shape: tuple[int, int], called: str) -> NDArray[np.float32]:
    array = as_array(values, called)
    if array.shape != shape:
        raise InputError(
            f"The {called} have shape {array.shape}; {shape[0]} trials and {shape[1]} neurons need {shape}."
        )
    if array.dtype.kind not in "fiu":
        raise InputError(f"The {called} are of type {array.dtype}; expected real numbers.")
    with np.errstate(over="ignore"):
        narrow = np.ascontiguousarray(array, dtype=np.float32)
    for start in range(0, len(narrow), 64):
        wrong = np.argwhere(~np.isfinite(narrow[start : start + 64]))
        if wrong.size:
            row, column = wrong[0] + (start, 0)
            raise InputError(
                f"The {called} hold {array[row, column]} (row {row}, column {column}); every value must be a finite number."
            )
    return narrow
