"""Packed stores: one memory-mapped array per variable, in the smallest lossless data type."""

import hashlib
import json
import math
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from numpy.lib import format as npy_format
from numpy.typing import NDArray
from pydantic import BaseModel, Field, StrictStr, ValidationError

from striate._internal.atomic_write import reserve_disk_space
from striate._internal.parquet_files import read_table
from striate._internal.progress_bars import Advance, progress_bar
from striate._internal.safe_parsing import describe_first_error, parse_json_object, read_limited
from striate.benchmarks import is_default, load_benchmark, parse_benchmark
from striate.errors import InputError, StriateError, printable_text, shortened
from striate.recordings import layout
from striate.recordings import npy_format as npy
from striate.recordings.archive import Archive
from striate.recordings.checks.report import Finding, Severity, UnreadableError
from striate.recordings.checks.rules import make_finding
from striate.recordings.recording import Recording
from striate.recordings.statistics import VariableStatistics
from striate.recordings.tables import Tables, read_tables
from striate.recordings.trial_reader import TrialReader, narrowest_dtype

SCHEMA_VERSION = 2
MANIFEST = "recording.json"

# Data types by size. Responses and behaviour stay floats, because computations need floats.
_DTYPES: dict[str, tuple[type[np.generic], ...]] = {
    "images": (np.uint8, np.float32, np.float64),
    "responses": (np.float32, np.float64),
    "behavior": (np.float32, np.float64),
    "pupil_center": (np.float32, np.float64),
}


class DamagedStoreError(StriateError):
    """A packed store is incomplete or damaged."""


def pack(archive: Archive, folder: Path, session: str | None = None) -> None:
    """Write an archive as a packed store into an empty folder.

    Parameters
    ----------
    archive
        Zip or folder to read. Several threads decompress it into the packed arrays; nothing is unpacked to disk.
    folder
        Empty folder to write to. ``recording.json`` is written last.
    session
        Session that the caller uses. If it is None, the archive must contain the session.

    Raises
    ------
    UnreadableError
        If the archive is unreadable, with the first reason (``striate check`` lists all).
    """
    tables = read_tables(archive)
    for finding in (*archive.findings, *tables.findings):
        if finding.severity == Severity.ERROR:
            raise UnreadableError(finding)
    neurons, trials = tables.neurons, tables.trials
    assert neurons is not None  # a table is missing only if there is an error
    assert trials is not None
    reader = TrialReader(archive, len(trials), len(neurons), tables.benchmark)
    for finding in reader.find_file_problems():
        if finding.severity == Severity.ERROR:
            raise UnreadableError(finding)
    arrays = {}
    with progress_bar(f"packing {archive.path.name}", len(tables.benchmark.variables) * len(trials)) as advance:
        for variable in tables.benchmark.variables:
            arrays[variable] = _pack_variable(reader, variable, folder / f"{variable}.npy", advance)
    archive_session = session_of_archive(archive, tables)
    if archive_session is None and session is None:
        raise UnreadableError(_missing_session_finding(archive.path))
    recording = Recording(
        archive_session or "unnamed",
        neurons,
        trials,
        arrays["images"],
        arrays["responses"],
        arrays.get("behavior"),
        arrays.get("pupil_center"),
        statistics=tables.statistics,
        benchmark=tables.benchmark,
    )
    _write_manifest(folder, recording, archive.path, archive_session)


def _pack_variable(reader: TrialReader, variable: str, path: Path, advance: Advance) -> NDArray[Any]:
    """Fill one array. If a trial needs a larger data type, start again with that type."""
    shape = (reader.trials, *reader.shape(variable))
    level = 0
    while True:
        packed = _new_array(path, _DTYPES[variable][level], shape)
        needed = _fill(reader, variable, packed, level, advance)
        if needed == level:
            packed.flush()
            return packed
        level, advance = needed, lambda _steps: None


def _new_array(path: Path, dtype: type[np.generic], shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """Create a ``.npy`` file with reserved disk space, and memory-map it for writing."""
    with path.open("wb") as file:
        npy_format.write_array_header_1_0(
            file, npy_format.header_data_from_array_1_0(np.empty((0,), dtype)) | {"shape": shape}
        )
        start = file.tell()
    reserve_disk_space(path, start + math.prod(shape) * np.dtype(dtype).itemsize)
    return np.memmap(path, dtype, "r+", start, shape)


def _fill(reader: TrialReader, variable: str, packed: NDArray[Any], level: int, advance: Advance) -> int:
    """Copy all trials into `packed`, and return the level of the data type that they need."""
    needed = level

    def store(trial: int, values: NDArray[Any]) -> None:
        nonlocal needed
        if needed > level:
            return  # this pass has failed already
        required = narrowest_dtype(values, _DTYPES[variable])
        if required > level:
            needed = required
        else:
            packed[trial] = values

    if problems := reader.for_each(variable, store, advance):
        raise UnreadableError(problems[0])
    return needed


def _write_manifest(folder: Path, recording: Recording, source: Path, session: str | None) -> None:
    for name, table in (("neurons", recording.neurons), ("trials", recording.trials)):
        with (folder / f"{name}.parquet").open("wb") as file:  # PyArrow accepts only UTF-8 paths
            table.to_parquet(file)
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "session": session,
        "source": printable_text(source.name),
        "benchmark": None if is_default(recording.benchmark) else recording.benchmark.to_toml(),
        "source_sha256": _sha256(source) if source.is_file() else None,
        "fingerprint": recording.fingerprint,
        "withheld_tiers": sorted(recording.withheld_tiers),
        "stored_statistics": {
            name: {field: getattr(statistics, field).tolist() for field in layout.STATISTICS}
            for name, statistics in recording.stored_statistics.items()
        },
    }
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def load(folder: Path, session: str | None = None, source: Path | None = None) -> Recording:
    """Open a packed store with read-only, memory-mapped arrays.

    Parameters
    ----------
    folder
        Folder of the packed store.
    session
        Session of the recording (default: the session in the store).
    source
        Archive that was packed (default: `folder`).

    Raises
    ------
    DamagedStoreError
        If the store is incomplete or damaged.
    InputError
        If a newer version of striate wrote the store, or the session is unknown.
    """
    if session is not None:
        layout.valid_session(session)
    try:
        manifest = _Manifest.model_validate(parse_json_object(read_limited(folder / MANIFEST)))
        if manifest.schema_version <= SCHEMA_VERSION and (name := session or manifest.session) is not None:
            return _load(folder, manifest, name, source)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        reason = (
            describe_first_error(error)
            if isinstance(error, ValidationError)
            else shortened(str(error).rstrip("."), 100)
        )
        raise DamagedStoreError(f"The packed store {folder} is incomplete or damaged ({reason}).") from error
    if manifest.schema_version > SCHEMA_VERSION:
        raise InputError(
            f"{folder} was packed by a newer striate (schema {manifest.schema_version}; this one reads {SCHEMA_VERSION}): upgrade, or open the archive itself."
        )
    raise UnreadableError(_missing_session_finding(Path(manifest.source)))


class _Manifest(BaseModel):
    """Schema of ``recording.json`` in a packed store."""

    schema_version: Annotated[int, Field(strict=True, ge=1, le=10**6)]
    session: StrictStr | None
    source: StrictStr
    fingerprint: StrictStr
    withheld_tiers: list[StrictStr]
    benchmark: StrictStr | None = None
    stored_statistics: dict[str, dict[str, Any]]


def _load(folder: Path, manifest: _Manifest, session: str, source: Path | None) -> Recording:
    benchmark = load_benchmark() if manifest.benchmark is None else parse_benchmark(manifest.benchmark)
    arrays = {name: npy.memory_map(folder / f"{name}.npy") for name in benchmark.variables}
    statistics = {
        name: VariableStatistics(**{key: np.asarray(fields[key], np.float64) for key in layout.STATISTICS})
        for name, fields in manifest.stored_statistics.items()
    }
    advice = "pack it again"
    return Recording(
        session,
        read_table(folder / "neurons.parquet", advice),
        read_table(folder / "trials.parquet", advice),
        arrays["images"],
        arrays["responses"],
        arrays.get("behavior"),
        arrays.get("pupil_center"),
        statistics=statistics,
        source=source or folder,
        fingerprint=manifest.fingerprint,
        withheld_tiers=frozenset(manifest.withheld_tiers),
        benchmark=benchmark,
    )


def _missing_session_finding(path: Path) -> Finding:
    return make_finding(
        "session-name",
        path.name,
        "neither `meta/neurons` nor the file's name contains the session.",
        "Name it: striate.open(path, session='animal-session-scan').",
    )


def session_of_archive(archive: Archive, tables: Tables) -> str | None:
    """Return the session that an archive states, or that follows from its table of neurons or the name of the file."""
    if not is_default(tables.benchmark):
        stem = archive.path.name.removesuffix(".zip")
        return tables.session or (stem if tables.benchmark.sessions.matches(stem) else None)
    of_neurons = None if tables.neurons is None else session_from_neurons(tables.neurons)
    return of_neurons or layout.session_from_file_name(archive.path.name)


def session_from_neurons(neurons: pd.DataFrame) -> str | None:
    """Return the session from the animal, session and scan of the neurons; None if they are missing or differ."""
    parts = []
    for column in ("animal_id", "session", "scan_idx"):
        if column not in neurons or neurons[column].nunique() != 1:
            return None
        parts.append(str(neurons[column].iloc[0]))
    name = "-".join(parts)
    return name if layout.is_session(name) else None
