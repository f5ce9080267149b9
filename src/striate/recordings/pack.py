"""The packed store: one array a variable, in the smallest type that loses nothing, made once and memory-mapped."""

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
from striate.errors import InputError, StriateError, printable_text, shortened
from striate.recordings import layout
from striate.recordings import npy_format as npy
from striate.recordings.archive import Archive
from striate.recordings.check_findings import Finding, Severity, UnreadableError
from striate.recordings.check_rules import make_finding
from striate.recordings.recording import Recording
from striate.recordings.statistics import VariableStatistics
from striate.recordings.tables import read_tables
from striate.recordings.trial_reader import TrialReader, narrowest_dtype

SCHEMA_VERSION = 2
MANIFEST = "recording.json"

# From the smallest up. Responses and behaviour stay floats, because that is what they are computed with.
_TYPES: dict[str, tuple[type[np.generic], ...]] = {
    "images": (np.uint8, np.float32, np.float64),
    "responses": (np.float32, np.float64),
    "behavior": (np.float32, np.float64),
    "pupil_center": (np.float32, np.float64),
}


class DamagedStoreError(StriateError):
    """A packed store that is not whole (it is packed anew)."""


def pack(archive: Archive, folder: Path, session: str | None = None) -> None:
    """Write an archive as a packed store into an empty folder.

    Parameters
    ----------
    archive
        The zip or folder to read. It is inflated by several threads straight into the packed arrays;
        nothing is unpacked to disk.
    folder
        An empty folder; ``recording.json`` is written last.
    session
        Only says that the caller will name the session, so that the archive need not.

    Raises
    ------
    UnreadableError
        At the first thing that makes the archive unreadable (``striate check`` lists all).
    """
    tables = read_tables(archive)
    for finding in (*archive.findings, *tables.findings):
        if finding.severity == Severity.ERROR:
            raise UnreadableError(finding)
    neurons, trials = tables.neurons, tables.trials
    assert neurons is not None  # a table is only missing where an error was found
    assert trials is not None
    data = TrialReader(archive, len(trials), len(neurons))
    for finding in data.structure():
        if finding.severity == Severity.ERROR:
            raise UnreadableError(finding)
    arrays = {}
    with progress_bar(f"packing {archive.path.name}", 4 * len(trials)) as advance:
        for variable in layout.VARIABLES:
            arrays[variable] = _pack_variable(data, variable, folder / f"{variable}.npy", advance)
    told = session_from_neurons(neurons) or layout.session_from_file_name(archive.path.name)
    if told is None and session is None:
        raise UnreadableError(_no_session(archive.path))
    recording = Recording(
        told or "unnamed",
        neurons,
        trials,
        arrays["images"],
        arrays["responses"],
        arrays["behavior"],
        arrays["pupil_center"],
        statistics=tables.statistics,
    )
    _write_manifest(folder, recording, archive.path, told)


def _pack_variable(data: TrialReader, variable: str, path: Path, advance: Advance) -> NDArray[Any]:
    """Fill one array; where a trial does not fit the type, start again with the wider one that it needs."""
    shape = (data.trials, *data.shape(variable))
    level = 0
    while True:
        packed = _new_array(path, _TYPES[variable][level], shape)
        needed = _fill(data, variable, packed, level, advance)
        if needed == level:
            packed.flush()
            return packed
        level, advance = needed, lambda _steps: None


def _new_array(path: Path, dtype: type[np.generic], shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """Make a ``.npy`` file whose room on the disk is reserved, and map it for writing."""
    with path.open("wb") as file:
        npy_format.write_array_header_1_0(
            file, npy_format.header_data_from_array_1_0(np.empty((0,), dtype)) | {"shape": shape}
        )
        start = file.tell()
    reserve_disk_space(path, start + math.prod(shape) * np.dtype(dtype).itemsize)
    return np.memmap(path, dtype, "r+", start, shape)


def _fill(data: TrialReader, variable: str, packed: NDArray[Any], level: int, advance: Advance) -> int:
    """Copy all trials into `packed`; returns the level of the type that they turn out to need."""
    needed = level

    def keep(trial: int, values: NDArray[Any]) -> None:
        nonlocal needed
        if needed > level:
            return  # this type is lost already; the rest is looked at with the next one
        fits = narrowest_dtype(values, _TYPES[variable])
        if fits > level:
            needed = fits
        else:
            packed[trial] = values

    if problems := data.for_each(variable, keep, advance):
        raise UnreadableError(problems[0])
    return needed


def _write_manifest(folder: Path, recording: Recording, source: Path, session: str | None) -> None:
    for name, table in (("neurons", recording.neurons), ("trials", recording.trials)):
        with (folder / f"{name}.parquet").open("wb") as file:  # PyArrow takes no paths that are not UTF-8
            table.to_parquet(file)
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "session": session,
        "source": printable_text(source.name),
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
    """Open a packed store; its arrays are memory-mapped and read-only.

    Raises
    ------
    DamagedStoreError
        If it is not whole.
    InputError
        If it was written by a newer version of striate.
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
        raise DamagedStoreError(f"The packed store {folder} is not whole ({reason}).") from error
    if manifest.schema_version > SCHEMA_VERSION:
        raise InputError(
            f"{folder} was packed by a newer striate (schema {manifest.schema_version}; this one reads {SCHEMA_VERSION}): upgrade, or open the archive itself."
        )
    raise UnreadableError(_no_session(Path(manifest.source)))


class _Manifest(BaseModel):
    """What ``recording.json`` says of a packed store."""

    schema_version: Annotated[int, Field(strict=True, ge=1, le=10**6)]
    session: StrictStr | None
    source: StrictStr
    fingerprint: StrictStr
    withheld_tiers: list[StrictStr]
    stored_statistics: dict[str, dict[str, Any]]


def _load(folder: Path, manifest: _Manifest, session: str, source: Path | None) -> Recording:
    images, responses, behavior, pupil_center = (npy.memory_map(folder / f"{name}.npy") for name in layout.VARIABLES)
    statistics = {
        name: VariableStatistics(**{key: np.asarray(fields[key], np.float64) for key in layout.STATISTICS})
        for name, fields in manifest.stored_statistics.items()
    }
    fix = "pack it again"
    return Recording(
        session,
        read_table(folder / "neurons.parquet", fix),
        read_table(folder / "trials.parquet", fix),
        images,
        responses,
        behavior,
        pupil_center,
        statistics=statistics,
        source=source or folder,
        fingerprint=manifest.fingerprint,
        withheld_tiers=frozenset(manifest.withheld_tiers),
    )


def _no_session(path: Path) -> Finding:
    return make_finding(
        "session-name",
        path.name,
        "neither `meta/neurons` nor the file's name tells the session.",
        "Name it: striate.open(path, session='animal-session-scan').",
    )


def session_from_neurons(neurons: pd.DataFrame) -> str | None:
    """Session by animal, session and scan of the neurons; None where they are missing or differ."""
    parts = []
    for column in ("animal_id", "session", "scan_idx"):
        if column not in neurons or neurons[column].nunique() != 1:
            return None
        parts.append(str(neurons[column].iloc[0]))
    name = "-".join(parts)
    return name if layout.is_session(name) else None
