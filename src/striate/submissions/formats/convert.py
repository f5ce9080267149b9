"""Conversion between native submissions and the CSVs of 2022."""

from pathlib import Path

from striate._internal.atomic_write import refuse_existing
from striate._internal.paths import expand_path
from striate.errors import InputError
from striate.submissions.formats import parquet, sensorium_csv
from striate.submissions.open import existing_path, is_native_file, open_submission


def convert(
    source: Path | str,
    target: Path | str,
    *,
    tier: str | None = None,
    session: str | None = None,
    track: str | None = None,
    protocol: str | None = None,
    overwrite: bool = False,
) -> tuple[Path, ...]:
    """Convert a native submission to CSVs of 2022, or CSVs of 2022 to a native submission. All values stay the same.

    Parameters
    ----------
    source
        A native submission, a CSV of 2022, or a folder with these CSVs.
    target
        For a native submission: a folder, or a path ending in ``.csv`` if the submission has a single tier. For CSVs: a path
        ending in ``.parquet``.
    tier
        Tier of a CSV whose file name does not include the tier.
    session, protocol
        Session and protocol of a CSV, which does not include them. Required for conversion to a native submission.
    track
        Track of a CSV; optional.
    overwrite
        Whether to replace existing files.

    Returns
    -------
    tuple of Path
        The files that were written.

    Raises
    ------
    InputError
        If the source is damaged, the target has the wrong suffix, or `session` or `protocol` is missing.

    Examples
    --------
    >>> import tempfile
    >>> from striate.submissions import Submission, convert
    >>> submission = Submission("27204-5-13", None, "image", [1, 2], ["test"], [7], [0], [[0.5, 1.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     submission.write(f"{folder}/cnn.parquet")
    ...     [path.name for path in convert(f"{folder}/cnn.parquet", f"{folder}/csv")]
    ['submission_file_live_test.csv']
    """
    existing_path(source)
    path = expand_path(target)
    to_native = path.suffix.lower() in parquet.SUFFIXES
    if is_native_file(source):
        if to_native:
            raise InputError(
                f"{source} is a native submission already; give a folder or a .csv for the format of 2022."
            )
        options = [name for name, value in (("session", session), ("track", track), ("protocol", protocol)) if value]
        if options:
            raise InputError(f"{source} states its own session, track and protocol; leave out --{options[0]}.")
        return sensorium_csv.write(open_submission(source), path, overwrite=overwrite)
    if not to_native:
        raise InputError(
            f"{source} is in the format of 2022; give a target that ends in {parquet.SUFFIXES[0]}, not {path}."
        )
    for name, value in (("session", session), ("protocol", protocol)):
        if value is None:
            raise InputError(f"A CSV does not include its {name}, which a native submission needs: give --{name}.")
    refuse_existing(path, overwrite)
    submission = open_submission(source, tier=tier, session=session, track=track, protocol=protocol)
    submission.write(path, overwrite=overwrite)
    return (path,)
