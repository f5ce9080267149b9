"""Submissions, truths and scorecards."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from tests.fuzz.targets.target import Target, bytes_of, reader_of


def _submission() -> list[bytes]:
    from striate.submissions import Submission
    from tests.submissions.examples import example

    recording = example(final_images=0, neurons=3)[0]
    rows = len(recording.rows("test"))
    made = Submission.from_array(recording, np.ones((rows, 3), np.float32), protocol="image", tiers=["test"])
    return [bytes_of(made.write, "a.parquet")]


def _truth() -> list[bytes]:
    from striate.submissions import Truth
    from tests.submissions.examples import example

    return [bytes_of(Truth.from_recording(example(final_images=0, neurons=3)[0]).write, "a.parquet")]


def _csv(column: str) -> bytes:
    rows = [f'{t},{i},"[0.5, 1.25, 3e-05]","[7, 9, 12]"' for t, i in ((3, 100), (4, 100), (9, 105))]
    return "\n".join([f"trial_indices,image_ids,{column},neuron_ids", *rows, ""]).encode()


def _scorecard() -> list[bytes]:
    import striate
    from striate.submissions import Submission
    from tests.submissions.examples import example

    recording = example(final_images=0, neurons=3)[0]
    rows = len(recording.rows("test"))
    values = np.random.default_rng(0).uniform(size=(rows, 3)).astype(np.float32)
    made = Submission.from_array(recording, values, protocol="image", tiers=["test"])
    return [bytes_of(striate.score(made, recording).write, "scorecard.json")]


def _csv_lists() -> list[bytes]:
    return [b"[0.5, 1.25, 3e-05]", b"[7, 9, 12]", b"[]"]


def _lists(path: Path) -> None:
    """The lists of numbers in the cells of a CSV."""
    from striate.errors import InputError
    from striate.submissions.formats.sensorium_csv_parser import read_floats, read_integers

    text = path.read_bytes()
    try:
        read_integers(text)
    except InputError:
        read_floats(pa.array([text], pa.binary()), 3)


TARGETS: dict[str, Target] = {
    "scorecard": Target(reader_of("striate.submissions.scorecard", "Scorecard.read"), "scorecard.json", _scorecard),
    "submission": Target(reader_of("striate.submissions", "open_submission"), "a.parquet", _submission),
    "truth": Target(reader_of("striate.submissions", "open_truth"), "a.parquet", _truth),
    "csv-submission": Target(
        reader_of("striate.submissions", "open_submission"),
        "submission_file_live_test.csv",
        lambda: [_csv("prediction")],
    ),
    "csv-truth": Target(
        reader_of("striate.submissions", "open_truth"), "ground_truth_file_test.csv", lambda: [_csv("responses")]
    ),
    "csv-cell": Target(_lists, "a.txt", _csv_lists),
}
