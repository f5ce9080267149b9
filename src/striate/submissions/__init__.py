"""Submissions: predictions in a file, which are validated, aligned with the truth and scored.

A `Submission` holds predictions of the test trials of one recording, and a `Truth` holds their measured responses. `score` compares
them and returns a `Scorecard`. Files are native Parquet files or, with `sensorium_csv`, the CSVs of SENSORIUM 2022. All readers
accept files from untrusted sources.
"""

from striate.submissions.formats import sensorium_csv
from striate.submissions.formats.base import SubmissionFormat
from striate.submissions.formats.convert import convert
from striate.submissions.ground_truth import Truth
from striate.submissions.open import open_submission, open_truth
from striate.submissions.scorecard import MeanScores, MetricScore, Score, Scorecard, TierScores, average_scorecards
from striate.submissions.scoring import score, score_array
from striate.submissions.submission import Submission
from striate.submissions.validate import validate

__all__ = [
    "MeanScores",
    "MetricScore",
    "Score",
    "Scorecard",
    "Submission",
    "SubmissionFormat",
    "TierScores",
    "Truth",
    "average_scorecards",
    "convert",
    "open_submission",
    "open_truth",
    "score",
    "score_array",
    "sensorium_csv",
    "validate",
]
