"""What every recording must be; a folder that passes is a recording.

Subclass `RecordingConformance` in a test module, say where the recording is, and run pytest::

    from striate.testing import RecordingConformance

    class TestOurMouse(RecordingConformance):
        path = "data/our-mouse.zip"
"""

from pathlib import Path
from typing import ClassVar

import numpy as np

from striate.recordings import CheckReport, Recording, check, layout, write
from striate.recordings import open as open_recording


class RecordingConformance:
    """Test suite for one recording; set `path`, or override `recording_path`.

    Attributes
    ----------
    path
        Zip or folder in the official layout.
    """

    path: ClassVar[str | Path | None] = None

    def recording_path(self, tmp_path: Path) -> Path:
        """Return the zip or folder to test; override this to make one in `tmp_path`."""
        assert self.path is not None, "set `path`, or override `recording_path`"
        return Path(self.path)

    def _recording(self, tmp_path: Path) -> Recording:
        return open_recording(self.recording_path(tmp_path))

    def test_check_finds_no_error(self, tmp_path: Path) -> None:
        """No rule finds an error."""
        report: CheckReport = check(self.recording_path(tmp_path))
        assert report.ok, "\n".join(map(str, report.with_severity("error")))

    def test_arrays_have_one_row_a_trial(self, tmp_path: Path) -> None:
        """Images, responses, behaviour and eye position agree with the tables of trials and neurons."""
        recording = self._recording(tmp_path)
        trials, neurons, spec = len(recording.trials), len(recording.neurons), recording.benchmark
        height, width = recording.image_shape
        assert recording.images.shape == (trials, spec.image_channels, height, width)
        assert recording.responses.shape == (trials, neurons)
        assert recording.behavior.shape == (trials, len(spec.behavior_names))
        assert recording.pupil_center.shape == (trials, len(spec.pupil_center_names))

    def test_the_session_is_one_of_the_benchmark(self, tmp_path: Path) -> None:
        """The name of the session matches the benchmark's pattern."""
        recording = self._recording(tmp_path)
        assert recording.benchmark.valid_session(recording.session) == recording.session

    def test_ids_are_unique(self, tmp_path: Path) -> None:
        """No unit id and no trial index stands twice."""
        recording = self._recording(tmp_path)
        assert recording.neurons["unit_id"].is_unique
        assert recording.trials["trial_idx"].is_unique

    def test_tiers_are_known_and_do_not_share_images(self, tmp_path: Path) -> None:
        """Each trial has a known tier; test images are in no other tier."""
        recording = self._recording(tmp_path)
        assert set(recording.trials["tier"]) <= set(recording.benchmark.tier_order)
        of_tier = {t: set(recording.trials["image_id"][recording.rows(t)]) for t in recording.tiers}
        for tier in recording.benchmark.test_tiers:
            for other in recording.tiers:
                if other != tier and tier in of_tier:
                    assert not of_tier[tier] & of_tier[other], f"images of {tier} are also in {other}"

    def test_one_image_id_is_one_image(self, tmp_path: Path) -> None:
        """Trials with the same image id show the same pixels."""
        recording = self._recording(tmp_path)
        for _, rows in recording.trials.groupby("image_id").indices.items():
            for row in rows[1:]:
                assert np.array_equal(recording.images[rows[0]], recording.images[row])

    def test_values_are_allowed(self, tmp_path: Path) -> None:
        """All values are finite; responses and pixel values lie in the range of the benchmark."""
        recording = self._recording(tmp_path)
        low, high = recording.benchmark.stimulus.range
        minimum = recording.benchmark.responses.minimum
        for values in (recording.responses, recording.behavior, recording.pupil_center):
            assert np.isfinite(values).all()
        assert minimum is None or (recording.responses >= minimum).all()
        assert float(recording.images.min()) >= low
        assert float(recording.images.max()) <= high

    def test_statistics_are_finite_and_ordered(self, tmp_path: Path) -> None:
        """Minimum ≤ mean ≤ maximum, standard deviation ≥ 0."""
        recording = self._recording(tmp_path)
        for name, statistics in recording.statistics.items():
            slack = 1e-4 * (np.abs(statistics.mean) + statistics.std)
            assert np.isfinite(statistics.std).all(), name
            assert (statistics.std >= 0).all(), name
            assert (statistics.min <= statistics.mean + slack).all(), name
            assert (statistics.mean <= statistics.max + slack).all(), name

    def test_written_again_it_is_the_same(self, tmp_path: Path) -> None:
        """Writing and opening gives the same content, and writing twice the same bytes."""
        recording = self._recording(tmp_path)
        name = f"{layout.archive_stem(recording.session, recording.benchmark)}.zip"
        first = write(recording, tmp_path / "first" / name)
        second = write(open_recording(first), tmp_path / "second" / name)
        assert open_recording(first).fingerprint == recording.fingerprint
        assert first.read_bytes() == second.read_bytes()
