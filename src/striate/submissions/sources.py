"""Open what a user names: a native file, CSVs of 2022, or an archive; told apart by what is in it."""

from collections.abc import Sequence
from pathlib import Path

from striate.errors import InputError
from striate.recordings.layout import tier_name
from striate.submissions import legacy, parquet
from striate.submissions.submission import Submission
from striate.submissions.truth import Truth


def open_submission(path: Path | str, *, tier: str | None = None) -> Submission:
    """Open a native submission, a CSV of 2022, or a folder with its CSVs.

    Parameters
    ----------
    path
        The file or folder.
    tier
        The tier of a CSV whose name does not tell it.

    Raises
    ------
    InputError
        If there is nothing of the kind, or it is damaged.
    """
    where = _existing(path)
    if where.is_dir():
        if not legacy.holds(where, legacy.SUBMISSION_FILES):
            names = " or ".join(legacy.SUBMISSION_FILES.values())
            raise InputError(f"The folder {where} is no submission: it has no {names}.")
        return legacy.read(where)
    if _is_parquet(where):
        return Submission.read(where)
    return legacy.read(where, tier=tier)


def open_truth(path: Path | str, *, tiers: Sequence[str] | None = None) -> Truth:
    """Open a truth: an archive with measured responses, a native truth, a ground-truth CSV of 2022, or a folder of these.

    Parameters
    ----------
    path
        The file or folder. An archive's responses are standardised with its stored statistics; a native truth and a
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
    where = _existing(path)
    if where.is_dir() and legacy.holds(where, legacy.TRUTH_FILES):
        return legacy.read_truth(where)
    if where.is_file():
        if _is_parquet(where):
            return Truth.read(where)
        if where.suffix.lower() == ".csv":
            known = where.name in legacy.TRUTH_FILES.values()
            return legacy.read_truth(where, tier=None if known or not tiers or len(tiers) > 1 else tiers[0])
    from striate.recordings import open as open_recording

    return Truth.of(open_recording(where), None if tiers is None else [tier_name(tier) for tier in tiers])


def _existing(path: Path | str) -> Path:
    where = Path(path)
    if not where.exists():
        raise InputError(f"{where} does not exist; give the path of a file or folder that does.")
    return where


def _is_parquet(file: Path) -> bool:
    try:
        return parquet.is_parquet(file) or file.suffix.lower() in (".parquet", ".pq")
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}).") from error
