"""Open what a user names: a native file, CSVs of 2022, or an archive; told apart by what is in it."""

from collections.abc import Sequence
from pathlib import Path

from striate._internal.file_types import detect_file_type
from striate._internal.paths import expand_path
from striate.benchmarks.tiers import tier_name
from striate.catalog import locate
from striate.errors import InputError
from striate.submissions.formats import parquet, sensorium_csv
from striate.submissions.ground_truth import Truth
from striate.submissions.submission import Submission

_MAY_BE_CSV = ("table", "text", "json")  # what the reader of CSVs says more about


def open_submission(
    path: Path | str,
    *,
    tier: str | None = None,
    session: str | None = None,
    track: str | None = None,
    protocol: str | None = None,
) -> Submission:
    """Open a native submission, a CSV of 2022, or a folder with its CSVs.

    Parameters
    ----------
    path
        The file or folder.
    tier
        The tier of a CSV whose name does not tell it; of a folder, the one tier to read. A native submission tells its own.
    session, track, protocol
        What CSVs do not say, where it is known. A native submission states its own.

    Raises
    ------
    InputError
        If there is nothing of the kind, or it is damaged.
    """
    where = existing(path)
    if is_native(where):
        return Submission.read(where)
    if where.is_dir() and not sensorium_csv.holds(where, sensorium_csv.SUBMISSION_FILES):
        names = " or ".join(sensorium_csv.SUBMISSION_FILES.values())
        if (kind := detect_file_type(where)) is not None and kind.name not in ("folder", "empty-folder"):
            raise InputError(f"The folder {where} is no submission but {kind.description}: {kind.advice}.")
        raise InputError(f"The folder {where} is no submission: it has no {names}.")
    is_other_file = where.is_file() and where.suffix.lower() != ".csv"
    if is_other_file and (kind := detect_file_type(where)) is not None and kind.name not in _MAY_BE_CSV:
        advice = kind.advice if kind.general else "give a native Parquet file, a CSV of 2022, or a folder with its CSVs"
        raise InputError(f"{where} is no submission but {kind.description}: {advice}.")
    return sensorium_csv.read(where, tier=tier, session=session, track=track, protocol=protocol)


def open_truth(path: Path | str, *, tiers: Sequence[str] | None = None) -> Truth:
    """Open a truth: an archive with measured responses, a native truth, a ground-truth CSV of 2022, or a folder of these.

    Parameters
    ----------
    path
        The file or folder, or the name of a fetched recording. An archive's responses are standardised with its stored statistics; a native truth and a
        CSV are standardised already.
    tiers
        The tiers that will be scored; by default all that are there (of an archive: those not withheld).

    Raises
    ------
    InputError
        If there is nothing of the kind, or it is damaged.
    WithheldError
        If the archive withholds the responses.
    """
    where = existing(locate(path))
    if is_native(where):
        return Truth.read(where)
    if sensorium_csv.holds(where, sensorium_csv.TRUTH_FILES) or (where.is_file() and where.suffix.lower() == ".csv"):
        return sensorium_csv.read_truth(where, tier=tiers[0] if tiers and len(tiers) == 1 else None)
    if where.suffix.lower() == ".npz":
        raise InputError(
            f"{where} is no truth to score against, but arrays. Of a simulated recording, give the .parquet file that "
            "stands beside it; of your own recording, its archive."
        )
    if where.is_file() and ((kind := detect_file_type(where)) is None or kind.name != "zip"):
        advice = "give an archive, a native truth, a ground-truth CSV, or a folder of these"
        if kind is not None and kind.name not in _MAY_BE_CSV:
            raise InputError(f"{where} is no truth but {kind.description}: {kind.advice if kind.general else advice}.")
        raise InputError(f"{where} is no truth: {advice}.")
    from striate.recordings import open as open_recording

    return Truth.of(open_recording(where), None if tiers is None else [tier_name(tier) for tier in tiers])


def is_native(path: Path | str) -> bool:
    """Whether a path is a file that begins like the native form, or claims to be it by its name."""
    file = expand_path(path)
    try:
        return file.is_file() and (file.suffix.lower() in parquet.SUFFIXES or parquet.is_parquet(file))
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}).") from error


def existing(path: Path | str) -> Path:
    """Return a path that something stands at; raise `InputError` if nothing does."""
    where = expand_path(path)
    if not where.exists():
        raise InputError(f"{where} does not exist; give the path of a file or folder that does.")
    return where
