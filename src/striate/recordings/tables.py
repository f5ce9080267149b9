"""Readers of the tables of a recording: neurons, trials, and stored statistics in ``meta``."""

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate._internal.arrays import to_int64, to_storable_dtype
from striate._internal.file_names import decode_file_name
from striate._internal.safe_parsing import parse_toml
from striate.benchmarks import BenchmarkSpec, is_default, load_benchmark, parse_benchmark
from striate.benchmarks.loading import LARGEST_FILE
from striate.errors import InputError, listed, shortened
from striate.recordings import layout, npy_format
from striate.recordings.archive import Archive
from striate.recordings.checks.report import Finding, Severity, UnreadableError
from striate.recordings.checks.rules import make_finding
from striate.recordings.statistics import VariableStatistics, statistics_shape

Array = NDArray[Any]

_LONGEST_REASON = 200  # characters that a message quotes of what is wrong with the description of a benchmark


@dataclass
class Tables:
    """The readable content of ``meta``, and findings about it.

    Attributes
    ----------
    neurons, trials
        The two tables (see `Recording`); None if a required field is missing or unreadable.
    statistics
        Stored statistics (the set ``all``) of the variables that have all five.
    benchmark
        Benchmark of the recording; SENSORIUM 2022 if the archive describes none.
    session
        Name of the session, if the archive states it.
    findings
        Findings about the files.
    """

    neurons: pd.DataFrame | None = None
    trials: pd.DataFrame | None = None
    statistics: dict[str, VariableStatistics] = field(default_factory=dict)
    benchmark: BenchmarkSpec = field(default_factory=load_benchmark)
    session: str | None = None
    findings: list[Finding] = field(default_factory=list)


def read_tables(archive: Archive) -> Tables:
    """Read neurons, trials and stored statistics of an archive. Problems are returned as findings."""
    tables = Tables()
    if layout.BENCHMARK_MEMBER in archive.members and not _read_description(archive, tables):
        return tables  # nothing else can be told without it
    for member in layout.REQUIRED_MEMBERS:
        if member not in archive.members:
            tables.findings.append(
                make_finding(
                    "missing-file", member, "the file is missing; no recording can be read without it.", "Add it."
                )
            )
    present = {member.lower() for member in archive.members}  # the case of `stimulus_Frame` varies
    for member in layout.standard_meta_members(tables.benchmark):
        if member.lower() not in present and member not in layout.REQUIRED_MEMBERS:
            rule = "missing-statistics" if member.startswith("meta/statistics/") else "missing-field"
            needed = "the tools of 2022 need it" if is_default(tables.benchmark) else "`striate.write` writes it"
            message = f"the file is missing; {needed}."
            tables.findings.append(make_finding(rule, member, message, "`striate convert` adds it."))
    tables.neurons = _read_neurons(archive, tables.findings)
    tables.trials = _read_trials(archive, tables.benchmark, tables.findings)
    _read_statistics(archive, tables)
    return tables


def _read_description(archive: Archive, tables: Tables) -> bool:
    """Read the benchmark and the name of the session; False if the benchmark cannot be read."""
    member = layout.BENCHMARK_MEMBER
    try:
        tables.benchmark = parse_benchmark(_read_text(archive, member), member)
        member = layout.SESSION_MEMBER
        if member in archive.members:
            table = parse_toml(_read_text(archive, member), member)
            tables.session = layout.valid_session(table.get("session"))
    except UnreadableError as error:
        tables.findings.append(error.finding)
    except InputError as error:
        message = shortened(str(error).removeprefix(f"{member}: ").removeprefix(f"{member} "), _LONGEST_REASON)
        tables.findings.append(make_finding("benchmark", member, message, "Write the recording again."))
    return not tables.findings


def _read_text(archive: Archive, member: str) -> bytes:
    size = archive.members[member].size
    if size > LARGEST_FILE:
        message = f"{size} bytes; at most {LARGEST_FILE} are read."
        raise UnreadableError(make_finding("oversized-member", member, message, "Write the recording again."))
    return archive.read(member)


def _fields(archive: Archive, folder: str, findings: list[Finding]) -> dict[str, str]:
    """Return the member of each field of one table: ``{"tiers": "meta/trials/tiers.npy", …}``."""
    known = layout.NEURON_FIELDS if folder == "neurons" else layout.TRIAL_FIELDS
    pattern = re.compile(rf"meta/{folder}/([^/]+)\.npy")
    inside = [member for member in sorted(archive.members) if member.startswith(f"meta/{folder}/")]
    names = {member: decode_file_name(match[1]) for member in inside if (match := pattern.fullmatch(member))}
    # file of each column: a file that the layout does not name must not replace it
    owners = {column: f"{field}.npy" for field, column in known.items() if field in names.values()}
    if folder == "neurons":
        owners |= dict.fromkeys(("x", "y", "z"), f"{layout.COORDINATES}.npy")
    fields: dict[str, str] = {}
    for member in inside:
        if member not in names:
            message = f"the name is not `meta/{folder}/<field>.npy`; it is ignored."
            findings.append(make_finding("unrelated-file", member, message))
        elif (name := names[member]) in fields or (name in owners and owners[name] != f"{name}.npy"):
            other = fields.get(name) or f"meta/{folder}/{owners[name]}"
            message = f"the field {name!r} is in {other} already."
            findings.append(make_finding("doubled-field", member, message, "Remove the file, or rename it."))
        else:
            fields[name] = member
    return fields


def _read_fields(archive: Archive, folder: str, required: set[str], findings: list[Finding]) -> dict[str, Array]:
    fields: dict[str, Array] = {}
    for name, member in _fields(archive, folder, findings).items():
        try:
            fields[name] = _to_text_or_numbers(npy_format.parse(archive.read(member), member), member)
        except UnreadableError as error:
            if name in required:
                findings.append(error.finding)
            else:
                message = f"the field is left out: {error.finding.message}"
                findings.append(make_finding("unreadable-field", member, message, error.finding.fix))
    return fields


def _to_text_or_numbers(array: Array, member: str) -> Array:
    """Return numbers unchanged and strings as Unicode; refuse other types."""
    if array.dtype.kind == "f":
        return to_storable_dtype(array)
    if array.dtype.kind in "biuU":
        return array
    if array.dtype.kind == "S":
        try:
            return np.char.decode(array, "utf-8")
        except UnicodeDecodeError:
            raise UnreadableError(
                make_finding("dtype", member, "the byte strings are not UTF-8.", "Save them as text.")
            ) from None
    message = f"values are of type {array.dtype}; numbers or strings are expected."
    raise UnreadableError(make_finding("dtype", member, message, "Save them as such."))


def _read_neurons(archive: Archive, findings: list[Finding]) -> pd.DataFrame | None:
    required = {"unit_ids", layout.COORDINATES}
    fields = _read_fields(archive, "neurons", required, findings)
    if not required <= fields.keys():
        return None
    member_path = "meta/neurons/{}.npy".format
    unit_ids = _parse_ids(fields.pop("unit_ids"), member_path("unit_ids"), "unit-ids", "unit ids", findings)
    coordinates = fields.pop(layout.COORDINATES)
    if unit_ids is None:
        return None
    count = len(unit_ids)
    _report_duplicates(unit_ids, member_path("unit_ids"), "unit-ids", "unit id", findings)
    member = member_path(layout.COORDINATES)
    if coordinates.shape != (count, 3) or coordinates.dtype.kind not in "iuf":
        message = f"shape {coordinates.shape} of {coordinates.dtype}; {count} neurons need numbers of shape ({count}, 3): x, y, z in µm."
        findings.append(make_finding("shape", member, message, "Write one row a neuron."))
        return None
    if not np.isfinite(coordinates).all():
        bad = np.flatnonzero(~np.isfinite(coordinates).all(axis=1))
        findings.append(
            make_finding(
                "coordinates",
                member,
                f"{len(bad)} neurons have no finite position (rows {listed(bad)}).",
                "Give all three in µm.",
            )
        )
    x, y, z = coordinates.astype(np.float64).T
    table: dict[str, Array] = {"unit_id": unit_ids, "x": x, "y": y, "z": z}
    for name, values in fields.items():
        column = layout.NEURON_FIELDS.get(name, name)
        if _fits(values, count, member_path(name), "neurons", name in layout.NEURON_FIELDS, findings):
            table[column] = values
    _report_unknown(fields.keys() - layout.NEURON_FIELDS.keys(), "neurons", findings)
    return pd.DataFrame(table)


def _read_trials(archive: Archive, benchmark: BenchmarkSpec, findings: list[Finding]) -> pd.DataFrame | None:
    fields = _read_fields(archive, "trials", set(layout.TRIAL_FIELDS), findings)
    if not layout.TRIAL_FIELDS.keys() <= fields.keys():
        return None
    member_path = "meta/trials/{}.npy".format
    tiers = fields.pop("tiers")
    if tiers.ndim != 1 or tiers.dtype.kind != "U":
        message = f"shape {tiers.shape} of {tiers.dtype}; one string a trial is expected."
        findings.append(make_finding("shape", member_path("tiers"), message, "Write a 1-d array of tier names."))
        return None
    count = len(tiers)
    image_ids = _parse_ids(
        fields.pop("frame_image_id"), member_path("frame_image_id"), "dtype", "image ids", findings, allow_strings=True
    )
    trial_idx = _parse_ids(
        fields.pop("trial_idx"), member_path("trial_idx"), "trial-ids", "trial indices", findings, allow_strings=True
    )
    if image_ids is None or trial_idx is None:
        return None
    lengths = {"tiers": count, "frame_image_id": len(image_ids), "trial_idx": len(trial_idx)}
    if len(set(lengths.values())) > 1:
        summary = ", ".join(f"{name} {length}" for name, length in lengths.items())
        findings.append(
            make_finding("table-length", "meta/trials", f"lengths differ: {summary}.", "Each needs one entry a trial.")
        )
        return None
    _report_duplicates(trial_idx, member_path("trial_idx"), "trial-ids", "trial index", findings)
    _report_tiers(tiers, benchmark, member_path("tiers"), findings)
    table: dict[str, Array] = {"tier": tiers, "image_id": image_ids, "trial_idx": trial_idx}
    for name, values in fields.items():
        if _fits(values, count, member_path(name), "trials", name in layout.OTHER_KNOWN_TRIAL_FIELDS, findings):
            table[name] = values
    _report_unknown(fields.keys() - set(layout.OTHER_KNOWN_TRIAL_FIELDS), "trials", findings)
    return pd.DataFrame(table)


def _report_tiers(tiers: Array, benchmark: BenchmarkSpec, member: str, findings: list[Finding]) -> None:
    known = benchmark.tier_order
    name_of = {alias: tier.name for tier in benchmark.tiers for alias in tier.aliases}
    for tier in sorted(set(tiers.tolist()) - set(known)):
        message = f"{int((tiers == tier).sum())} trials are of tier {tier!r}; allowed are {', '.join(known)}."
        alias = f" (`{tier}` is called `{name_of[tier]}`)" if tier in name_of else ""
        findings.append(make_finding("tiers", member, message, f"Rename the tier{alias}."))
    test = benchmark.board_tier("live") or next(iter(benchmark.test_tiers), None)
    for tier in (*benchmark.training_tiers, *([test] if test else [])):
        if tier not in tiers:
            trains = tier in benchmark.training_tiers
            requirement = "training needs it" if trains else "predicting a test tier and scoring need it"
            possible = "predicting a test tier" if trains else "training"
            message = f"no trial is of tier {tier!r}."
            findings.append(make_finding("missing-tier", member, message, f"Not needed for {possible}; {requirement}."))


def _parse_ids(
    values: Array, member: str, rule: str, name: str, findings: list[Finding], *, allow_strings: bool = False
) -> Array | None:
    """Return ids as int64 (also from whole floats), or as strings if `allow_strings`; None if they are invalid."""
    problem = None
    if values.ndim != 1:
        problem = f"shape {values.shape}; {name} are a 1-d array."
    elif values.dtype.kind == "U":
        if allow_strings:
            return values
        problem = f"{name} are strings; integers are expected."
    else:
        try:
            return to_int64(values)
        except InputError as error:
            problem = f"{name} are whole numbers; {error}."
    findings.append(make_finding(rule, member, problem, "Write one id each."))
    return None


def _report_duplicates(values: Array, member: str, rule: str, name: str, findings: list[Finding]) -> None:
    unique, counts = np.unique(values, return_counts=True)
    duplicates = unique[counts > 1]
    if len(duplicates):
        findings.append(
            make_finding(
                rule, member, f"{name} {listed(duplicates.tolist())} occurs more than once.", "Each must be unique."
            )
        )


def _fits(values: Array, count: int, member: str, table: str, known: bool, findings: list[Finding]) -> bool:
    if values.shape == (count,):
        return True
    message = f"shape {values.shape}; the table of {table} has {count} rows. The field is left out."
    severity = None if known else Severity.NOTE
    findings.append(make_finding("table-length", member, message, "Write one entry each.", severity))
    return False


def _report_unknown(names: set[str], table: str, findings: list[Finding]) -> None:
    for name in sorted(names):
        findings.append(
            make_finding(
                "unknown-field", f"meta/{table}/{name}.npy", f"the layout names no such field; it is kept as {name!r}."
            )
        )


def _read_statistics(archive: Archive, tables: Tables) -> None:
    """Read the statistics of the set ``all``, which the evaluation uses."""
    benchmark = tables.benchmark
    shapes = {"images": statistics_shape("images", (0, benchmark.image_channels), benchmark)}
    shapes |= {name: (len(components),) for name, components in benchmark.components.items() if components}
    if tables.neurons is not None:  # otherwise the number of values is unknown
        shapes["responses"] = (len(tables.neurons),)
    for variable, shape in shapes.items():
        values: dict[str, Array] = {}
        for statistic in layout.STATISTICS:
            member = layout.statistics_member(variable, "all", statistic)
            if member not in archive.members:
                continue
            try:
                array = npy_format.parse(archive.read(member), member)
            except UnreadableError as error:
                tables.findings.append(error.finding)
                continue
            if array.dtype.kind not in "biuf" or array.size != int(np.prod(shape)):
                message = f"shape {array.shape} of {array.dtype}; numbers of shape {shape} are expected."
                tables.findings.append(make_finding("shape", member, message, "Compute it again."))
                continue
            values[statistic] = array.astype(np.float64).reshape(shape)
        if len(values) == len(layout.STATISTICS):
            tables.statistics[variable] = VariableStatistics(**values)
