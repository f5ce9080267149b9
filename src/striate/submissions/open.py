"""Open submissions and truths in any supported format: native files, CSVs of 2022, and archives."""

from collections.abc import Sequence
from pathlib import Path

from striate._internal.file_types import detect_file_type
from striate._internal.paths import expand_path
from striate.catalog import locate
from striate.errors import InputError
from striate.registry import formats
from striate.submissions.formats import sensorium_csv
from striate.submissions.formats.base import SubmissionFormat
from striate.submissions.formats.native import NativeFormat
from striate.submissions.ground_truth import Truth
from striate.submissions.submission import Submission

_MAY_BE_CSV = ("table", "text", "json")  # file types for which the CSV reader gives the more specific error


def open_submission(
    path: Path | str,
    *,
    tier: str | None = None,
    session: str | None = None,
    track: str | None = None,
    protocol: str | None = None,
) -> Submission:
    """Open a submission of any registered format: a native file, a CSV of 2022, a folder with its CSVs, or that of a plugin.

    Parameters
    ----------
    path
        The file or folder. Its format is recognised by its name or its first bytes.
    tier
        Tier of a CSV whose name does not include the tier, or the only tier to read from a folder. Ignored for a native
        submission, which includes its tiers.
    session, track, protocol
        Values that a CSV does not include, if they are known. Ignored for a native submission, which includes them.

    Returns
    -------
    Submission
        The submission, checked.

    Raises
    ------
    InputError
        If the path is not a submission, or the file is damaged.

    Examples
    --------
    >>> import tempfile
    >>> from striate.submissions import Submission, open_submission
    >>> submission = Submission("27204-5-13", None, "image", [1, 2], ["test"], [7], [0], [[0.5, 1.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     submission.write(f"{folder}/cnn.parquet")
    ...     open_submission(f"{folder}/cnn.parquet")
    <Submission 27204-5-13: test 1 trials × 2 neurons, image>
    """
    source = existing_path(path)
    for name in formats:
        submission_format: SubmissionFormat = formats[name].value()
        if submission_format.recognises(source):
            return submission_format.read(source, tier=tier, session=session, track=track, protocol=protocol)
    if source.is_dir():
        names = " or ".join(sensorium_csv.SUBMISSION_FILES.values())
        if (kind := detect_file_type(source)) is not None and kind.name not in ("folder", "empty-folder"):
            raise InputError(f"The folder {source} is no submission but {kind.description}: {kind.advice}.")
        raise InputError(f"The folder {source} is no submission: it has no {names}.")
    if source.is_file() and (kind := detect_file_type(source)) is not None and kind.name not in _MAY_BE_CSV:
        advice = kind.advice if kind.general else "give a native Parquet file, a CSV of 2022, or a folder with its CSVs"
        raise InputError(f"{source} is no submission but {kind.description}: {advice}.")
    return sensorium_csv.read(source, tier=tier, session=session, track=track, protocol=protocol)


def open_truth(path: Path | str, *, tiers: Sequence[str] | None = None) -> Truth:
    """Open a truth: an archive with measured responses, a native truth, or the ground-truth CSVs of 2022.

    Parameters
    ----------
    path
        The file or folder, or the name of a fetched recording. The responses of an archive are standardised with its stored
        statistics. The responses of a native truth or a CSV are already standardised.
    tiers
        The tiers that will be scored. By default all tiers of the file, or all that an archive does not withhold.

    Returns
    -------
    Truth
        The truth, checked.

    Raises
    ------
    InputError
        If the path is not a truth, or the file is damaged.
    WithheldError
        If the archive withholds the responses.

    Examples
    --------
    >>> import tempfile
    >>> from striate.submissions import Truth, open_truth
    >>> truth = Truth("27204-5-13", [1, 2], ["test"], [7], [0], [[0.5, 1.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     truth.write(f"{folder}/truth.parquet")
    ...     open_truth(f"{folder}/truth.parquet")
    <Truth 27204-5-13: test 1 trials × 2 neurons>
    """
    source = existing_path(locate(path))
    if is_native_file(source):
        return Truth.read(source)
    is_csv = source.is_file() and source.suffix.lower() == ".csv"
    if is_csv or sensorium_csv.has_files(source, sensorium_csv.TRUTH_FILES):
        return sensorium_csv.read_truth(source, tier=tiers[0] if tiers and len(tiers) == 1 else None)
    if source.suffix.lower() == ".npz":
        raise InputError(
            f"{source} is a file of arrays, not a truth to score against. For a simulated recording, give the .parquet file "
            "beside it; for your own recording, give its archive."
        )
    if source.is_file() and ((kind := detect_file_type(source)) is None or kind.name != "zip"):
        advice = "give an archive, a native truth, a ground-truth CSV, or a folder of these"
        if kind is not None and kind.name not in _MAY_BE_CSV:
            raise InputError(f"{source} is no truth but {kind.description}: {kind.advice if kind.general else advice}.")
        raise InputError(f"{source} is no truth: {advice}.")
    from striate.recordings import open as open_recording

    return Truth.from_recording(open_recording(source), tiers)


def is_native_file(path: Path | str) -> bool:
    """Return whether a path is a native file, by its first bytes or by its suffix."""
    return NativeFormat().recognises(Path(path))


def existing_path(path: Path | str) -> Path:
    """Return a path with ``~`` expanded; raise `InputError` if it does not exist."""
    expanded = expand_path(path)
    if not expanded.exists():
        raise InputError(f"{expanded} does not exist; give the path of a file or folder that does.")
    return expanded
