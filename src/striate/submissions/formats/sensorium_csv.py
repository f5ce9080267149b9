"""The CSVs of SENSORIUM 2022, with one file for each tier of a submission or truth. Their values are already standardised."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate._internal.atomic_write import refuse_existing
from striate._internal.paths import expand_path
from striate.benchmarks.sensorium2022 import sensorium2022
from striate.errors import InputError, listed, option
from striate.registry import formats
from striate.submissions.formats import parquet
from striate.submissions.formats.base import SubmissionFormat
from striate.submissions.formats.sensorium_csv_parser import CsvRows, column_order, read_file, write_file
from striate.submissions.ground_truth import Truth
from striate.submissions.submission import Submission
from striate.submissions.trial_table import NON_TABLE_SUFFIXES, IdArray, TrialTable, prefix_errors

SUBMISSION_FILES = {"test": "submission_file_live_test.csv", "final_test": "submission_file_final_test.csv"}
TRUTH_FILES = {"test": "ground_truth_file_test.csv", "final_test": "ground_truth_file_final_test.csv"}

_PREDICTION, _RESPONSES = "prediction", "responses"


def write(submission: Submission, path: Path | str, *, overwrite: bool = False) -> tuple[Path, ...]:
    """Write a submission as CSVs of 2022.

    Parameters
    ----------
    submission
        A submission of the tiers ``test``, ``final_test`` or both.
    path
        Folder for one file per tier with the official names, or a path that ends in ``.csv`` for a submission with a single
        tier.
    overwrite
        Whether to replace existing files.

    Returns
    -------
    tuple of Path
        The files that were written.

    Raises
    ------
    InputError
        If a file exists and `overwrite` is False, or a tier has no official file name.

    Examples
    --------
    >>> import tempfile
    >>> from striate.submissions import Submission, sensorium_csv
    >>> submission = Submission("27204-5-13", None, "image", [1, 2], ["test"], [7], [0], [[0.5, 1.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (path,) = sensorium_csv.write(submission, folder)
    ...     print(path.read_text().splitlines()[1])
    7,0,"[0.5, 1.0]","[1, 2]"
    """
    return _write(submission, expand_path(path), _PREDICTION, SUBMISSION_FILES, overwrite)


def write_truth(truth: Truth, path: Path | str, *, overwrite: bool = False) -> tuple[Path, ...]:
    """Write a truth as ground-truth CSVs of 2022. Parameters and errors are those of `write`.

    Examples
    --------
    >>> import tempfile
    >>> from striate.submissions import Truth, sensorium_csv
    >>> truth = Truth("27204-5-13", [1, 2], ["test"], [7], [0], [[0.5, 1.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in sensorium_csv.write_truth(truth, folder)]
    ['ground_truth_file_test.csv']
    """
    return _write(truth, expand_path(path), _RESPONSES, TRUTH_FILES, overwrite)


def read(
    path: Path | str,
    *,
    tier: str | None = None,
    session: str | None = None,
    track: str | None = None,
    protocol: str | None = None,
) -> Submission:
    r"""Read and check a submission from CSVs of 2022. They may come from an untrusted source.

    Parameters
    ----------
    path
        A CSV, or a folder with one or both of the official file names.
    tier
        Tier of a CSV whose name does not include the tier, or the only tier to read from a folder.
    session, track, protocol
        Values that a CSV does not include, if they are known.

    Returns
    -------
    Submission
        The predictions of all tiers that were read.

    Raises
    ------
    InputError
        If a file is missing, is damaged or has another format.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from striate.submissions import sensorium_csv
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "submission_file_live_test.csv")
    ...     lines = ["trial_indices,image_ids,prediction,neuron_ids", '7,0,"[0.5, 1.0]","[1, 2]"']
    ...     _ = path.write_text("\n".join(lines))
    ...     sensorium_csv.read(path, session="27204-5-13", protocol="image")
    <Submission 27204-5-13: test 1 trials × 2 neurons, image>
    """
    rows = _read(expand_path(path), _PREDICTION, SUBMISSION_FILES, tier)
    with prefix_errors(path):
        return Submission(session, track, protocol, predictions=rows.pop("values"), **rows)


def read_truth(path: Path | str, *, tier: str | None = None, session: str | None = None) -> Truth:
    """Read a truth from ground-truth CSVs of 2022. Parameters and errors are those of `read`.

    Examples
    --------
    >>> import tempfile
    >>> from striate.submissions import Truth, sensorium_csv
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = sensorium_csv.write_truth(Truth(None, [1, 2], ["test"], [7], [0], [[0.5, 1.0]]), folder)
    ...     sensorium_csv.read_truth(folder, session="27204-5-13")
    <Truth 27204-5-13: test 1 trials × 2 neurons>
    """
    rows = _read(expand_path(path), _RESPONSES, TRUTH_FILES, tier)
    with prefix_errors(path):
        return Truth(session, responses=rows.pop("values"), **rows)


@formats.register("sensorium_csv")
class SensoriumCSVFormat(SubmissionFormat):
    """The CSVs of SENSORIUM 2022: one file for each tier, without session, track and protocol.

    Examples
    --------
    >>> SensoriumCSVFormat().recognises(Path("submission_file_live_test.csv"))
    True
    """

    def recognises(self, path: Path) -> bool:
        """Return whether a path is a CSV, or a folder with one of the official file names."""
        return path.suffix.lower() == ".csv" or (path.is_dir() and has_files(path, SUBMISSION_FILES))

    def read(
        self,
        path: Path,
        *,
        tier: str | None = None,
        session: str | None = None,
        track: str | None = None,
        protocol: str | None = None,
    ) -> Submission:
        """Read and check a submission; see `read`."""
        return read(path, tier=tier, session=session, track=track, protocol=protocol)

    def write(self, submission: Submission, path: Path, *, overwrite: bool = False) -> tuple[Path, ...]:
        """Write a submission; see `write`."""
        return write(submission, path, overwrite=overwrite)


def has_files(folder: Path, files: dict[str, str]) -> bool:
    """Return whether a folder contains at least one of these files."""
    return any((folder / name).is_file() for name in files.values())


def _write(table: TrialTable, path: Path, column: str, files: dict[str, str], overwrite: bool) -> tuple[Path, ...]:
    if path.suffix.lower() == ".csv":
        if len(table.tiers) > 1:
            raise InputError(
                f"A CSV of 2022 holds one tier, not {', '.join(table.tiers)}: name a folder instead of {path}."
            )
        targets = dict.fromkeys(table.tiers, path)
    elif path.suffix.lower() in (*parquet.SUFFIXES, *NON_TABLE_SUFFIXES):
        raise InputError(f"{path} has the suffix of another file type: give a folder, or a .csv for a single tier.")
    elif (path / "recipe.toml").exists():
        raise InputError(f"{path} is the folder of a run, not of submissions: name another folder.")
    else:
        unsupported = [tier for tier in table.tiers if tier not in files]
        if unsupported:
            raise InputError(
                f"The format of 2022 has no file for tier {unsupported[0]!r}, only for {' and '.join(files)}."
            )
        targets = {tier: path / files[tier] for tier in table.tiers}
    for target in targets.values():
        refuse_existing(target, overwrite)
    for tier, target in targets.items():
        selected = table.rows(tier)
        rows = CsvRows(table.trial_idx[selected], table.image_id[selected], table.unit_ids, table.values[selected])
        write_file(target, column, rows, overwrite=overwrite)
    return tuple(targets.values())


def _read(path: Path, column: str, files: dict[str, str], tier: str | None) -> dict[str, Any]:
    """Read ids and values from all files, as keyword arguments of `Submission` and `Truth`."""
    sources = _sources(path, files, None if tier is None else sensorium2022().tier_name(tier))
    parts = [read_file(source, column) for source in sources.values()]
    unit_ids = parts[0].unit_ids
    values = [
        part.values[:, _columns(part, unit_ids, source)] for part, source in zip(parts, sources.values(), strict=True)
    ]
    return {
        "unit_ids": unit_ids,
        "tier": np.repeat(list(sources), [len(part.trial_idx) for part in parts]),
        "trial_idx": _concatenate([part.trial_idx for part in parts]),
        "image_id": _concatenate([part.image_id for part in parts]),
        "values": parts[0].values if len(parts) == 1 else np.concatenate(values),
    }


def _columns(part: CsvRows, unit_ids: NDArray[np.int64], source: Path) -> NDArray[np.intp] | slice:
    if np.array_equal(part.unit_ids, unit_ids):
        return slice(None)
    columns = column_order(part.unit_ids, unit_ids)
    if columns is None:
        differ = listed(np.setxor1d(part.unit_ids, unit_ids).tolist())
        raise InputError(
            f"{source} has other unit ids than the file of the other tier ({differ}): write both for the same neurons."
        )
    return columns


def _sources(path: Path, files: dict[str, str], tier: str | None) -> dict[str, Path]:
    """Return the file of each tier."""
    if path.is_dir():
        wanted = files if tier is None else {t: name for t, name in files.items() if t == tier}
        found = {t: path / name for t, name in wanted.items() if (path / name).is_file()}
        if not found:
            raise InputError(f"The folder {path} has no {' and no '.join(wanted.values() or files.values())}.")
        return found
    named = next((t for t, name in files.items() if path.name == name), None)
    if tier is None and named is None:
        raise InputError(
            f"The name of {path} does not tell its tier: give the tier ({option('--tier test', 'tier=…')}), or rename it to "
            f"{' or '.join(files.values())}."
        )
    if None not in (tier, named) and tier != named:
        raise InputError(f"{path} is the file of tier {named!r} by its name; give tier {named!r} or another file.")
    return {str(tier or named): path}


def _concatenate(parts: list[IdArray]) -> IdArray:
    same = len({part.dtype.kind for part in parts}) == 1
    return np.concatenate(parts if same else [part.astype(str) for part in parts])
