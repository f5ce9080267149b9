"""The file formats of submissions that come with striate pass the conformance suite."""

from pathlib import Path

import pytest

from striate.errors import InputError
from striate.registry import formats
from striate.submissions import Submission, SubmissionFormat, open_submission
from striate.testing import FormatTests


class TestNative(FormatTests):
    name = "native"
    path = "submission.parquet"


class TestSensoriumCSV(FormatTests):
    name = "sensorium_csv"
    path = "folder"


class TestOneCSV(FormatTests):
    name = "sensorium_csv"
    path = "submission_file_live_test.csv"
    tiers = ("test",)


def test_every_format_says_what_it_is() -> None:
    assert {"native", "sensorium_csv"} <= set(formats)
    for name in formats:
        assert formats[name].summary.endswith("."), name


def test_a_format_of_a_plugin_is_recognised(tmp_path: Path) -> None:
    @formats.register("test-format")
    class TestFormat(SubmissionFormat):
        """A format for this test."""

        def recognises(self, path: Path) -> bool:
            return path.suffix == ".mine"

        def read(self, path: Path, **known: str | None) -> Submission:
            raise InputError("read by the plugin")

        def write(self, submission: Submission, path: Path, *, overwrite: bool = False) -> tuple[Path, ...]:
            return (path,)

    (tmp_path / "a.mine").write_text("mine")
    try:
        with pytest.raises(InputError, match="read by the plugin"):
            open_submission(tmp_path / "a.mine")
    finally:
        formats.forget(__name__)
