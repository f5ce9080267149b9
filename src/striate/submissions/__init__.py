"""Submissions: predictions in a file, checked, matched with the truth and scored.

A `Submission` holds predictions of the test trials of one recording, a `Truth` their measured responses; `score` makes a
`Scorecard` of both. Files are native (Parquet) or, through `legacy`, the CSVs of 2022; none is trusted when read.
"""

from striate.submissions import legacy
from striate.submissions.convert import convert
from striate.submissions.protocol import PROTOCOLS, TRACKS, protocol_name, track_name
from striate.submissions.scorecard import Means, Score, Scorecard, TierScores, across
from striate.submissions.scoring import score, score_array
from striate.submissions.sources import open_submission, open_truth
from striate.submissions.submission import Submission
from striate.submissions.truth import Truth
from striate.submissions.validate import validate

__all__ = [
    "PROTOCOLS",
    "TRACKS",
    "Means",
    "Score",
    "Scorecard",
    "Submission",
    "TierScores",
    "Truth",
    "across",
    "convert",
    "legacy",
    "open_submission",
    "open_truth",
    "protocol_name",
    "score",
    "score_array",
    "track_name",
    "validate",
]
