"""Rows are matched by trial index and columns by unit id, in any order; what does not match is an error."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.errors import InputError, listed, option
from striate.submissions.trial_table import Ids, Keyed


@dataclass(frozen=True)
class Match:
    """Where the rows and columns that are wanted stand in what was given.

    Attributes
    ----------
    rows, columns
        ``given.values[rows][:, columns]`` is in the order that is wanted.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]

    def take(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values in the order that is wanted; not copied where they stand so already."""
        rows = values if _in_order(self.rows, len(values)) else values[self.rows]
        return rows if _in_order(self.columns, values.shape[1]) else rows[:, self.columns]


def same_session(given: Keyed, wanted: Keyed, what: str) -> None:
    """Refuse a submission that is about another recording than what it is held against.

    Raises
    ------
    InputError
        If both say their session, and the sessions differ.
    """
    if None not in (given.session, wanted.session) and given.session != wanted.session:
        raise InputError(
            f"The submission is for session {given.session}, and the {what} is of session {wanted.session}: take its own."
        )


def matched_tiers(given: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The tiers of both, which must be the same.

    Raises
    ------
    InputError
        If one has a tier that the other has not.
    """
    missing, extra = [t for t in wanted if t not in given], [t for t in given if t not in wanted]
    if missing or extra:
        raise InputError(
            f"The submission has the tiers {', '.join(given)} and the truth {', '.join(wanted)}; "
            f"they must be the same, or say which tier to score ({option('--tier', 'tiers=…')})."
        )
    return wanted


def match(given: Keyed, wanted: Keyed, tier: str) -> Match:
    """Match the trials of one tier, and the neurons.

    Parameters
    ----------
    given
        The submission.
    wanted
        What it must have: the truth, or the keys of a recording.
    tier
        The tier whose trials are matched.

    Raises
    ------
    InputError
        If an id is missing or extra, or the same trial shows another image.
    """
    rows_given, rows_wanted = given.rows(tier), wanted.rows(tier)
    columns = _positions(given.unit_ids, wanted.unit_ids, "unit id", "Predict every neuron once, and no other.")
    places = _positions(
        given.trial_idx[rows_given],
        wanted.trial_idx[rows_wanted],
        f"trial of tier {tier!r}",
        "Predict every trial once, and no other.",
    )
    rows = rows_given[places]
    differ = np.flatnonzero(~_same(given.image_id[rows], wanted.image_id[rows_wanted]))
    if differ.size:
        trials = wanted.trial_idx[rows_wanted][differ]
        raise InputError(
            f"The submission names another image than the recording for {_count(trials, f'trial of tier {tier!r}')}: "
            f"for trial {trials[0]} {given.image_id[rows][differ[0]]} instead of "
            f"{wanted.image_id[rows_wanted][differ[0]]}. Take trial indices and image ids from the same rows."
        )
    return Match(rows, columns)


def _positions(given: Ids, wanted: Ids, what: str, mend: str) -> NDArray[np.intp]:
    """Where each wanted id stands among the given ones, both without doubles."""
    if given.dtype.kind != wanted.dtype.kind:
        given, wanted = given.astype(str), wanted.astype(str)
    order = np.argsort(given, kind="stable")
    places = order[np.minimum(np.searchsorted(given[order], wanted), len(given) - 1)]
    missing = wanted[given[places] != wanted]
    if missing.size:
        raise InputError(f"The submission lacks {_count(missing, what)}: {listed(missing.tolist())}. {mend}")
    if len(given) > len(wanted):
        extra = np.setdiff1d(given, wanted)
        raise InputError(f"The submission has {_count(extra, what)} too many: {listed(extra.tolist())}. {mend}")
    return places


def _same(a: Ids, b: Ids) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = a == b if a.dtype.kind == b.dtype.kind else a.astype(str) == b.astype(str)
    return same


def _count(ids: Ids, what: str) -> str:
    noun, of, rest = what.partition(" of ")
    return f"{len(ids)} {noun}{'' if len(ids) == 1 else 's'}{of}{rest}"


def _in_order(positions: NDArray[np.intp], count: int) -> bool:
    return len(positions) == count and bool((positions == np.arange(count)).all())
