"""The CSVs of 2022: one file a tier, submissions and ground truth. They are standardised already and stay as they are."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate._internal.atomic_write import refuse_existing
from striate._internal.paths import expand_path
from striate.benchmarks.tiers import tier_name
from striate.errors import InputError, listed, option
from striate.submissions.formats import parquet
from striate.submissions.formats.sensorium_csv_file import Rows, columns_of, read_file, write_file
from striate.submissions.ground_truth import Truth
from striate.submissions.submission import Submission
from striate.submissions.trial_table import OTHER_SUFFIXES, Ids, Table, naming

SUBMISSION_FILES = {"test": "submission_file_live_test.csv", "final_test": "submission_file_final_test.csv"}
TRUTH_FILES = {"test": "ground_truth_file_test.csv", "final_test": "ground_truth_file_final_test.csv"}

_PREDICTION, _RESPONSES = "prediction", "responses"


def write(submission: Submission, path: Path | str, *, overwrite: bool = False) -> tuple[Path, ...]:
    """Write a submission as the CSVs of 2022.

    Parameters
    ----------
    submission
        Of the tiers ``test``, ``final_test`` or both.
    path
        A folder, which gets a file with the usual name for each tier, or a name that ends in ``.csv`` for the one tier
        that there is.
    overwrite
        Whether files that are there already may be replaced.

    Returns
    -------
    tuple of Path
        The files that were written.

    Raises
    ------
    InputError
        If a file exists already, or a tier has no place in this form.
    """
    return _write(submission, expand_path(path), _PREDICTION, SUBMISSION_FILES, overwrite)


def write_truth(truth: Truth, path: Path | str, *, overwrite: bool = False) -> tuple[Path, ...]:
    """Write a truth as the ground-truth CSVs of 2022; as `write`."""
    return _write(truth, expand_path(path), _RESPONSES, TRUTH_FILES, overwrite)


def read(
    path: Path | str,
    *,
    tier: str | None = None,
    session: str | None = None,
    track: str | None = None,
    protocol: str | None = None,
) -> Submission:
    """Read a submission from CSVs of 2022, without trusting them.

    Parameters
    ----------
    path
        A CSV, or a folder with one or both of the usual files.
    tier
        The tier of a CSV whose name does not tell it; of a folder, the one tier to read.
    session, track, protocol
        What the CSV does not say, where it is known.

    Raises
    ------
    InputError
        If a file is missing, damaged or of another form.
    """
    rows = _read(expand_path(path), _PREDICTION, SUBMISSION_FILES, tier)
    with naming(path):
        return Submission(session, track, protocol, predictions=rows.pop("values"), **rows)


def read_truth(path: Path | str, *, tier: str | None = None, session: str | None = None) -> Truth:
    """Read a truth from ground-truth CSVs of 2022; as `read`."""
    rows = _read(expand_path(path), _RESPONSES, TRUTH_FILES, tier)
    with naming(path):
        return Truth(session, responses=rows.pop("values"), **rows)


def holds(folder: Path, files: dict[str, str]) -> bool:
    """Whether a folder holds one of the usual files."""
    return any((folder / name).is_file() for name in files.values())


def _write(table: Table, path: Path, column: str, files: dict[str, str], overwrite: bool) -> tuple[Path, ...]:
    if path.suffix.lower() == ".csv":
        if len(table.tiers) > 1:
            raise InputError(
                f"A CSV of 2022 holds one tier, not {', '.join(table.tiers)}: name a folder instead of {path}."
            )
        targets = dict.fromkeys(table.tiers, path)
    elif path.suffix.lower() in (*parquet.SUFFIXES, *OTHER_SUFFIXES):
        raise InputError(f"{path} is the name of another kind of file: name a folder, or a .csv for a single tier.")
    elif (path / "recipe.toml").exists():
        raise InputError(f"{path} holds a run, not submissions: name another folder.")
    else:
        homeless = [tier for tier in table.tiers if tier not in files]
        if homeless:
            raise InputError(f"The form of 2022 has no file for tier {homeless[0]!r}, only for {' and '.join(files)}.")
        targets = {tier: path / files[tier] for tier in table.tiers}
    for target in targets.values():
        refuse_existing(target, overwrite)
    for tier, target in targets.items():
        some = table.rows(tier)
        rows = Rows(table.trial_idx[some], table.image_id[some], table.unit_ids, table.values[some])
        write_file(target, column, rows, overwrite=overwrite)
    return tuple(targets.values())


def _read(path: Path, column: str, files: dict[str, str], tier: str | None) -> dict[str, Any]:
    """Keys and values of all files, as the arguments of `Submission` and `Truth`."""
    sources = _sources(path, files, None if tier is None else tier_name(tier))
    parts = [read_file(source, column) for source in sources.values()]
    unit_ids = parts[0].unit_ids
    values = [
        part.values[:, _columns(part, unit_ids, source)] for part, source in zip(parts, sources.values(), strict=True)
    ]
    return {
        "unit_ids": unit_ids,
        "tier": np.repeat(list(sources), [len(part.trial_idx) for part in parts]),
        "trial_idx": _joined([part.trial_idx for part in parts]),
        "image_id": _joined([part.image_id for part in parts]),
        "values": parts[0].values if len(parts) == 1 else np.concatenate(values),
    }


def _columns(part: Rows, unit_ids: NDArray[np.int64], source: Path) -> NDArray[np.intp] | slice:
    if np.array_equal(part.unit_ids, unit_ids):
        return slice(None)
    columns = columns_of(part.unit_ids, unit_ids)
    if columns is None:
        differ = listed(np.setxor1d(part.unit_ids, unit_ids).tolist())
        raise InputError(
            f"{source} has other unit ids than the file of the other tier ({differ}): write both for the same neurons."
        )
    return columns


def _sources(path: Path, files: dict[str, str], tier: str | None) -> dict[str, Path]:
    """The file of each tier."""
    if path.is_dir():
        wanted = files if tier is None else {t: name for t, name in files.items() if t == tier}
        found = {t: path / name for t, name in wanted.items() if (path / name).is_file()}
        if not found:
            raise InputError(f"The folder {path} has no {' and no '.join(wanted.values() or files.values())}.")
        return found
    named = next((t for t, name in files.items() if path.name == name), None)
    if tier is None and named is None:
        raise InputError(
            f"The name of {path} does not tell its tier: give the tier ({option('--tier test', 'tier=…')}), or call it {' or '.join(files.values())}."
        )
    if None not in (tier, named) and tier != named:
        raise InputError(f"{path} is by its name of tier {named!r}, and tier {tier!r} was asked for.")
    return {str(tier or named): path}


def _joined(parts: list[Ids]) -> Ids:
    same = len({part.dtype.kind for part in parts}) == 1
    return np.concatenate(parts if same else [part.astype(str) for part in parts])
