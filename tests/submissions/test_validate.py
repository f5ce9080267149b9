"""A submission is checked against the archive that it answers before it is sent."""

from dataclasses import replace

import numpy as np
import pytest
from tests.submissions.examples import shuffled, without

from striate.errors import InputError
from striate.submissions import Submission, validate


@pytest.fixture
def submission(competition_recording):
    trials = sum(len(competition_recording.rows(t)) for t in ("test", "final_test"))
    return Submission.from_array(
        competition_recording, np.ones((trials, 12)), protocol="image + behaviour", track="sensorium+"
    )


def test_a_whole_submission_passes(submission, competition_recording):
    assert validate(shuffled(submission), competition_recording) == {"test": 18, "final_test": 18}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: without(s, rows=[0]), "lacks 1 trial of tier 'test'"),
        (lambda s: without(s, rows=[20]), "lacks 1 trial of tier 'final_test'"),
        (lambda s: without(s, rows=range(18)), "has the tiers final_test; test and final_test must be predicted"),
        (lambda s: without(s, columns=[2]), "lacks 1 unit id"),
        (lambda s: replace(s, unit_ids=s.unit_ids + 1), "unit id"),
        (lambda s: replace(s, image_id=s.image_id + 1), "another image than the recording"),
        (lambda s: replace(s, session="9-9-9"), "session 9-9-9"),
        (lambda s: replace(s, predictions=-s.predictions), "clip the predictions"),
        (
            lambda s: replace(s, tier=np.where(s.tier == "test", "validation", s.tier)),
            "test and final_test must be predicted",
        ),
    ],
)
def test_what_is_wrong_is_named(submission, competition_recording, change, words):
    with pytest.raises(InputError, match=words):
        validate(change(submission), competition_recording)


def test_one_tier_alone_where_asked(submission, competition_recording):
    live = without(submission, rows=range(18, 36))
    assert validate(live, competition_recording, tiers=["live_test"]) == {"test": 18}
