"""Submissions: predictions in a file, checked, matched with the truth and scored.

A `Submission` holds predictions of the test trials of one recording, a `Truth` their measured responses; `score` makes a
`Scorecard` of both. Files are native (Parquet) or, through `legacy`, the CSVs of 2022; none is trusted when read.
"""

from striate.benchmarks.protocols import PROTOCOLS, TRACKS, protocol_name, track_name
from striate.submissions.formats import sensorium_csv
from striate.submissions.formats.convert import convert
from striate.submissions.ground_truth import Truth
from striate.submissions.open import open_submission, open_truth
from striate.submissions.scorecard import Means, Score, Scorecard, TierScores, across
from striate.submissions.scoring import score, score_array
from striate.submissions.submission import Submission
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
    "open_submission",
    "open_truth",
    "protocol_name",
    "score",
    "score_array",
    "sensorium_csv",
    "track_name",
    "validate",
]
