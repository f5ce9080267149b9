"""Turn a native submission into the CSVs of 2022, and back."""

from pathlib import Path

from striate._internal.atomic_write import refuse_existing
from striate._internal.paths import expand_path
from striate.errors import InputError
from striate.submissions.formats import parquet, sensorium_csv
from striate.submissions.open import existing, is_native, open_submission


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
    """Write a native submission as CSVs of 2022, or CSVs of 2022 as a native submission; no value changes.

    Parameters
    ----------
    source
        A native submission, a CSV of 2022 or a folder with its CSVs.
    target
        Of a native submission: a folder, or a name ending in ``.csv`` if it has one tier. Of CSVs: a name ending in
        ``.parquet``.
    tier
        The tier of a CSV whose name does not tell it.
    session, track, protocol
        What CSVs do not say and a native submission must (the track may stay open).
    overwrite
        Whether what is there already may be replaced.

    Returns
    -------
    tuple of Path
        The files that were written.

    Raises
    ------
    InputError
        If the source is damaged, the target does not fit it, or something is not said.
    """
    existing(source)
    into = expand_path(target)
    to_native = into.suffix.lower() in parquet.SUFFIXES
    if is_native(source):
        if to_native:
            raise InputError(f"{source} is a native submission already; name a folder or a .csv for the form of 2022.")
        said = [name for name, value in (("session", session), ("track", track), ("protocol", protocol)) if value]
        if said:
            raise InputError(f"{source} states its own session, track and protocol; leave out --{said[0]}.")
        return sensorium_csv.write(open_submission(source), into, overwrite=overwrite)
    if not to_native:
        raise InputError(
            f"{source} is in the form of 2022; name a target that ends in {parquet.SUFFIXES[0]}, not {into}."
        )
    for name, value in (("session", session), ("protocol", protocol)):
        if value is None:
            raise InputError(f"A CSV does not say its {name}, which a native submission states: give it (--{name}).")
    refuse_existing(into, overwrite)
    submission = open_submission(source, tier=tier, session=session, track=track, protocol=protocol)
    submission.write(into, overwrite=overwrite)
    return (into,)
