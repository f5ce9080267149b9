"""Check a submission against the archive that it answers, before it is sent."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from striate.errors import InputError
from striate.submissions.alignment import Match, match, same_session
from striate.submissions.open import open_submission
from striate.submissions.submission import Submission
from striate.submissions.trial_table import Keyed, Keys, naming

if TYPE_CHECKING:
    from striate.recordings import Recording


def validate(
    submission: Submission | Path | str, recording: "Recording", *, tiers: Sequence[str] | None = None
) -> dict[str, int]:
    """Check that a submission predicts every neuron in every test trial of a recording, and nothing else.

    Parameters
    ----------
    submission
        What is to be sent, or a path that `open_submission` takes.
    recording
        The archive that it answers; its test responses may be withheld.
    tiers
        The tiers that must be predicted; by default ``test`` and ``final_test``, as far as the recording has them.

    Returns
    -------
    dict
        Number of predicted trials by tier.

    Raises
    ------
    InputError
        If a tier, trial or neuron is missing or extra, a trial names another image, or a prediction is negative or too large.
    """
    wanted = Keys.of(recording, tiers)
    only = wanted.tiers[0] if tiers is not None and len(wanted.tiers) == 1 else None
    opened = submission if isinstance(submission, Submission) else open_submission(submission, tier=only)
    with naming(submission):
        same_session(opened, wanted, "archive")
        match_whole(opened, dict.fromkeys(wanted.tiers, wanted))
    return {tier: len(wanted.rows(tier)) for tier in wanted.tiers}


def match_whole(submission: Submission, wanted: Mapping[str, Keyed]) -> dict[str, Match]:
    """Match a submission with all that it must predict.

    Parameters
    ----------
    submission
        What was sent.
    wanted
        By tier: keys of its trials and neurons.

    Returns
    -------
    dict
        By tier: where its rows and columns stand.

    Raises
    ------
    InputError
        If it does not predict exactly these tiers, trials and neurons, or a prediction is negative or too large.
    """
    if submission.tiers != tuple(wanted):
        raise InputError(
            f"The submission has the tiers {', '.join(submission.tiers)}; {' and '.join(wanted)} must be predicted, in one "
            "submission, and no others."
        )
    matches = {tier: match(submission, keys, tier) for tier, keys in wanted.items()}
    submission.require_rates()
    return matches
