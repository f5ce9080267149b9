"""The conformance suite passes for valid recordings and fails for invalid ones."""

from pathlib import Path

import pytest
from tests.fixtures.recordings import small_recording

from striate.recordings import write
from striate.testing import RecordingConformance


class TestSmallZip(RecordingConformance):
    def recording_path(self, tmp_path: Path) -> Path:
        path = tmp_path / "static7-1-1-x.zip"
        return path if path.exists() else write(small_recording(), path)


class TestSmallFolder(RecordingConformance):
    def recording_path(self, tmp_path: Path) -> Path:
        path = tmp_path / "recording"
        made = small_recording("8-1-1", final_images=3, withhold=True, without_behavior=True)
        return path if path.exists() else write(made, path)


@pytest.mark.slow
@pytest.mark.parametrize("session", ["90001-1-1", "90002-1-1"])
class TestArchivesOfOthers(RecordingConformance):
    @pytest.fixture(autouse=True)
    def _find(self, shared: Path, session: str) -> None:
        (self.found,) = (shared / "archives").glob(f"static{session}-*.zip")

    def recording_path(self, tmp_path: Path) -> Path:
        return self.found


@pytest.mark.slow
def test_suite_fails_for_images_shared_between_tiers(tmp_path: Path) -> None:
    recording = small_recording()
    test, train = recording.rows("test")[0], recording.rows("train")[0]
    recording.images[train] = recording.images[test]
    recording.trials.loc[train, "image_id"] = recording.trials.loc[test, "image_id"]
    path = write(recording, tmp_path / "leaking")

    class Leaking(RecordingConformance):
        def recording_path(self, tmp_path: Path) -> Path:
            return path

    with pytest.raises(AssertionError, match="shown both in a test tier and in training"):
        Leaking().test_check_finds_no_error(tmp_path)
    with pytest.raises(AssertionError, match="are also in"):
        Leaking().test_tiers_are_known_and_do_not_share_images(tmp_path)
