"""Alignment of a submission with its reference: rows by trial index and columns by unit id, in any order."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from striate.benchmarks import is_default
from striate.errors import InputError, listed, option
from striate.submissions.trial_table import IdArray, TrialIdsBase

if TYPE_CHECKING:
    from striate.submissions.submission import Submission


@dataclass(frozen=True)
class Alignment:
    """Positions of the trials and neurons of a reference in a submission.

    Attributes
    ----------
    rows : (T,)
        Row of the submission for each row of the reference.
    columns : (N,)
        Column of the submission for each column of the reference.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]

    def reorder(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the values of a submission in the order of the reference, without a copy if the order is the same.

        Parameters
        ----------
        values : (T', N')
            Values in the order of the submission.

        Returns
        -------
        (T, N)
            Values in the order of the reference.
        """
        rows = values if _is_identity(self.rows, len(values)) else values[self.rows]
        return rows if _is_identity(self.columns, values.shape[1]) else rows[:, self.columns]


def require_same_session(submission: TrialIdsBase, reference: TrialIdsBase, reference_name: str) -> None:
    """Refuse a submission for another recording.

    Parameters
    ----------
    submission, reference
        The submission and what it is compared with.
    reference_name
        Name of the reference in the error message, such as "truth".

    Raises
    ------
    InputError
        If both sessions are known and differ.
    """
    if None not in (submission.session, reference.session) and submission.session != reference.session:
        raise InputError(
            f"The submission is for session {submission.session}, but the {reference_name} is for session "
            f"{reference.session}: give the {reference_name} of the same session."
        )


def require_same_benchmark(submission: "Submission", reference: TrialIdsBase, reference_name: str) -> None:
    """Refuse a submission that states another benchmark than a truth or recording, or a protocol that this benchmark lacks.

    Parameters
    ----------
    submission, reference
        The submission and what it is compared with.
    reference_name
        Name of the reference in the error message, such as "truth".

    Raises
    ------
    InputError
        If the benchmarks have different names, and that of the submission is not SENSORIUM 2022, which needs no statement; or
        if there is no such protocol.
    """
    given, expected = submission.benchmark, reference.benchmark
    if not is_default(given) and given.name != expected.name:
        raise InputError(
            f"The submission is for benchmark {given.name}, but the {reference_name} is for benchmark {expected.name}: both "
            "must be of one benchmark."
        )
    if submission.protocol is not None:
        expected.protocol(submission.protocol)


def require_same_tiers(submission: tuple[str, ...], reference: tuple[str, ...]) -> tuple[str, ...]:
    """Return the tiers of submission and reference, which must be the same.

    Raises
    ------
    InputError
        If a tier is missing from one of them.
    """
    missing, extra = [t for t in reference if t not in submission], [t for t in submission if t not in reference]
    if missing or extra:
        raise InputError(
            f"The submission has the tiers {', '.join(submission)} and the truth {', '.join(reference)}; "
            f"they must be the same, or say which tier to score ({option('--tier', 'tiers=…')})."
        )
    return reference


def align(submission: TrialIdsBase, reference: TrialIdsBase, tier: str) -> Alignment:
    """Find the trials of one tier, and the neurons, of a reference in a submission.

    Parameters
    ----------
    submission
        Trials and neurons of the submission.
    reference
        Trials and neurons that the submission must have: those of a truth or of a recording.
    tier
        Tier of the trials.

    Returns
    -------
    Alignment
        Rows and columns of the submission in the order of the reference.

    Raises
    ------
    InputError
        If an id is missing or extra, or a trial has another image id.
    """
    submission_rows, reference_rows = submission.rows(tier), reference.rows(tier)
    columns = _positions(submission.unit_ids, reference.unit_ids, "unit id", "Predict every neuron once, and no other.")
    positions = _positions(
        submission.trial_idx[submission_rows],
        reference.trial_idx[reference_rows],
        f"trial of tier {tier!r}",
        "Predict every trial once, and no other.",
    )
    rows = submission_rows[positions]
    different = np.flatnonzero(~_equal(submission.image_id[rows], reference.image_id[reference_rows]))
    if different.size:
        trials = reference.trial_idx[reference_rows][different]
        raise InputError(
            f"The submission names another image than the recording for {_count(trials, f'trial of tier {tier!r}')}: "
            f"for trial {trials[0]} {submission.image_id[rows][different[0]]} instead of "
            f"{reference.image_id[reference_rows][different[0]]}. Take trial indices and image ids from the same rows."
        )
    return Alignment(rows, columns)


def _positions(ids: IdArray, reference: IdArray, noun: str, advice: str) -> NDArray[np.intp]:
    """Return the position in `ids` of each reference id. Neither array has duplicates."""
    if ids.dtype.kind != reference.dtype.kind:
        ids, reference = ids.astype(str), reference.astype(str)
    order = np.argsort(ids, kind="stable")
    positions = order[np.minimum(np.searchsorted(ids[order], reference), len(ids) - 1)]
    missing = reference[ids[positions] != reference]
    if missing.size:
        raise InputError(f"The submission lacks {_count(missing, noun)}: {listed(missing.tolist())}. {advice}")
    if len(ids) > len(reference):
        extra = np.setdiff1d(ids, reference)
        raise InputError(f"The submission has {_count(extra, noun)} too many: {listed(extra.tolist())}. {advice}")
    return positions


def _equal(a: IdArray, b: IdArray) -> NDArray[np.bool_]:
    equal: NDArray[np.bool_] = a == b if a.dtype.kind == b.dtype.kind else a.astype(str) == b.astype(str)
    return equal


def _count(ids: IdArray, noun: str) -> str:
    head, of, rest = noun.partition(" of ")
    return f"{len(ids)} {head}{'' if len(ids) == 1 else 's'}{of}{rest}"


def _is_identity(positions: NDArray[np.intp], count: int) -> bool:
    return len(positions) == count and bool((positions == np.arange(count)).all())
