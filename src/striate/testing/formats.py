"""Conformance suite for file formats of submissions."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from striate.errors import InputError
from striate.registry import formats
from striate.submissions import Submission, SubmissionFormat, open_submission


class FormatTests:
    """Test suite for a file format of submissions: derive a class from it in a test module, name the format, and run pytest.

    ::

        from striate.testing import FormatTests

        class TestOurFormat(FormatTests):
            name = "our-format"
            path = "submission.our"

    Attributes
    ----------
    name
        Name of the format.
    path
        Name of a file, or of a folder, that the format writes.
    tiers
        Tiers that one submission can hold.
    """

    name: ClassVar[str] = ""
    path: ClassVar[str] = "submission"
    tiers: ClassVar[tuple[str, ...]] = ("test", "final_test")

    def format(self) -> SubmissionFormat:
        """Return the format."""
        chosen: SubmissionFormat = formats[self.name].value()
        return chosen

    def submission(self) -> Submission:
        """Return a submission with awkward values: tiny, huge, and zero."""
        generator = np.random.default_rng(0)
        rates = generator.gamma(1.0, size=(6 * len(self.tiers), 5)).astype(np.float32)
        rates[0] = (0.0, 1e-30, 1 / 3, 12345.678, 1e6)
        tiers = np.repeat(self.tiers, 6)
        trials = np.arange(100, 100 + len(tiers))
        unit_ids = np.array([5, 3, 8, 1, 2])
        return Submission("27204-5-13", "sensorium", "image", unit_ids, tiers, trials, trials // 2, rates)

    def test_what_is_written_is_read_bit_for_bit(self, tmp_path: Path) -> None:
        """Values, ids and tiers are the same after writing and reading, also when the format is recognised."""
        written = self.submission()
        files = self.format().write(written, tmp_path / self.path)
        assert files
        assert all(file.exists() for file in files)
        assert self.format().recognises(tmp_path / self.path)
        known = {"session": written.session, "track": written.track, "protocol": written.protocol}
        for read in (self.format().read(tmp_path / self.path, **known), open_submission(tmp_path / self.path, **known)):
            assert (read.session, read.track, read.protocol) == (written.session, written.track, written.protocol)
            for name in ("unit_ids", "tier", "trial_idx", "image_id", "predictions"):
                np.testing.assert_array_equal(getattr(read, name), getattr(written, name), err_msg=name)
            assert read.fingerprint == written.fingerprint

    def test_an_existing_file_is_replaced_only_if_asked(self, tmp_path: Path) -> None:
        """Writing twice needs `overwrite`."""
        self.format().write(self.submission(), tmp_path / self.path)
        with pytest.raises(InputError):
            self.format().write(self.submission(), tmp_path / self.path)
        self.format().write(self.submission(), tmp_path / self.path, overwrite=True)

    def test_damaged_files_end_in_one_sentence(self, tmp_path: Path) -> None:
        """Files that are cut, empty or overwritten raise `InputError`, not another exception."""
        damages: tuple[Callable[[bytes], bytes], ...] = (
            lambda content: content[: len(content) // 2],
            lambda content: b"",
            lambda content: content[::-1],
        )
        for number, damage in enumerate(damages):
            folder = tmp_path / str(number)
            folder.mkdir()
            file = self.format().write(self.submission(), folder / self.path)[0]
            file.write_bytes(damage(file.read_bytes()))
            with pytest.raises(InputError):
                self.format().read(folder / self.path)

    def test_a_missing_file_ends_in_one_sentence(self, tmp_path: Path) -> None:
        """A path that does not exist raises `InputError`."""
        with pytest.raises(InputError):
            self.format().read(tmp_path / self.path)
