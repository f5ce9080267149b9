"""Validation of a submission against the recording that it predicts, before it is sent."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from striate.errors import InputError
from striate.submissions.alignment import Alignment, align, require_same_benchmark, require_same_session
from striate.submissions.open import open_submission
from striate.submissions.submission import Submission
from striate.submissions.trial_table import TrialIds, TrialIdsBase, prefix_errors

if TYPE_CHECKING:
    from striate.recordings import Recording


def validate(
    submission: Submission | Path | str, recording: "Recording", *, tiers: Sequence[str] | None = None
) -> dict[str, int]:
    """Check that a submission predicts every neuron in every test trial of a recording, and nothing else.

    Parameters
    ----------
    submission
        The submission, or a path that `open_submission` accepts.
    recording
        The recording that the submission predicts. Its test responses may be withheld.
    tiers
        The tiers that must be predicted. By default the test tiers of the benchmark, those that the recording has.

    Returns
    -------
    dict
        Number of predicted trials of each tier.

    Raises
    ------
    InputError
        If a tier, trial or neuron is missing or extra, a trial has another image id, or a prediction is negative or too large.

    Examples
    --------
    >>> import numpy as np
    >>> import striate
    >>> from striate.submissions import Submission, validate
    >>> recording = striate.simulate(
    ...     neurons=5, train=10, validation=2, test_images=4, repeats=2, image_shape=(36, 64)
    ... ).recording
    >>> submission = Submission.from_array(recording, np.ones((8, 5)), protocol="image")
    >>> validate(submission, recording)
    {'test': 8}
    """
    required = TrialIds.from_recording(recording, tiers)
    only = required.tiers[0] if tiers is not None and len(required.tiers) == 1 else None
    opened = submission if isinstance(submission, Submission) else open_submission(submission, tier=only)
    with prefix_errors(submission):
        require_same_session(opened, required, "archive")
        require_same_benchmark(opened, required, "archive")
        align_all(opened, dict.fromkeys(required.tiers, required))
    return {tier: len(required.rows(tier)) for tier in required.tiers}


def align_all(submission: Submission, required: Mapping[str, TrialIdsBase]) -> dict[str, Alignment]:
    """Align a submission with all trials that it must predict.

    Parameters
    ----------
    submission
        The submission.
    required
        Ids of the required trials and neurons of each tier.

    Returns
    -------
    dict
        Alignment of each tier.

    Raises
    ------
    InputError
        If the submission does not predict exactly these tiers, trials and neurons, or a prediction is negative or too large.
    """
    if submission.tiers != tuple(required):
        raise InputError(
            f"The submission has the tiers {', '.join(submission.tiers)}; {' and '.join(required)} must be predicted, in one "
            "submission, and no others."
        )
    alignments = {tier: align(submission, ids, tier) for tier, ids in required.items()}
    submission.validate_rates()
    return alignments
