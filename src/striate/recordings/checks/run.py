"""Validation of recordings against named rules."""

import os
import tempfile
from pathlib import Path

from striate._internal.atomic_write import as_path
from striate._internal.progress_bars import progress_bar
from striate.benchmarks import is_default
from striate.errors import InputError, describe_type, printable_text
from striate.recordings import layout
from striate.recordings.archive import Archive, open_archive
from striate.recordings.checks import images, responses, statistics, trial_order
from striate.recordings.checks.report import CheckReport, Finding, Severity, UnreadableError
from striate.recordings.checks.rules import make_finding
from striate.recordings.checks.scan import scan_trials
from striate.recordings.pack import MANIFEST, session_from_neurons, session_of_archive
from striate.recordings.recording import Recording
from striate.recordings.tables import Tables, read_tables
from striate.recordings.trial_reader import TrialReader
from striate.recordings.write import write


def check(path: str | os.PathLike[str] | Recording) -> CheckReport:
    """Check a recording against every rule of `striate.recordings.RULES`.

    Every file is read once, and nothing is packed.

    Parameters
    ----------
    path
        Path of a zip or folder in the official layout, or a recording. For a recording, the archive from which it was opened
        is checked; a recording in memory is written to a temporary folder and checked there.

    Returns
    -------
    CheckReport
        All findings: errors first, then warnings, then notes.

    Raises
    ------
    InputError
        If `path` does not exist.

    Examples
    --------
    >>> import striate
    >>> simulation = striate.simulate(
    ...     neurons=5, train=20, validation=5, test_images=4, repeats=3, image_shape=(18, 32), seed=1
    ... )
    >>> striate.check(simulation.recording).ok
    True
    """
    recording = getattr(path, "recording", path)  # the result of `striate.simulate` has a recording
    if isinstance(recording, Recording):
        return _check_recording(recording)
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"Expected a recording, or its path, got {describe_type(path)}: check one at a time.")
    source = as_path(path, "path")
    report = CheckReport(printable_text(source.name))
    if (source / MANIFEST).is_file():
        message = "this is a packed store, which striate made from an archive."
        report.findings.append(make_finding("not-an-archive", source.name, message, "Check that archive."))
        return report
    try:
        archive = open_archive(source)
    except UnreadableError as error:
        report.findings.append(error.finding)
        return report
    with archive:
        report.findings += archive.findings
        report.findings += _check_contents(archive)
    ranks = list(Severity)
    report.findings.sort(key=lambda f: ranks.index(f.severity))
    return report


def _check_recording(recording: Recording) -> CheckReport:
    if recording.source is not None and recording.source.exists():
        return check(recording.source)
    with tempfile.TemporaryDirectory(prefix="striate-check-") as folder:
        return check(write(recording, Path(folder) / layout.archive_stem(recording.session, recording.benchmark)))


def _check_contents(archive: Archive) -> list[Finding]:
    if not archive.members:
        return []
    tables = read_tables(archive)
    findings = tables.findings
    neurons, trials = tables.neurons, tables.trials
    if neurons is not None:
        findings += _check_session(archive, tables)
    if trials is None or neurons is None:
        return findings
    benchmark = tables.benchmark
    reader = TrialReader(archive, len(trials), len(neurons), benchmark)
    findings += reader.find_file_problems()
    with progress_bar(f"checking {archive.path.name}", len(benchmark.variables) * len(trials)) as advance:
        scan = scan_trials(reader, trials, advance)
    findings += scan.findings
    findings += images.check(scan, trials, benchmark)
    findings += responses.check(scan, trials, neurons, benchmark)
    findings += trial_order.check(scan, trials, benchmark)
    findings += statistics.check(scan, trials, tables.statistics)
    return findings


def _check_session(archive: Archive, tables: Tables) -> list[Finding]:
    if not is_default(tables.benchmark):
        return _check_stated_session(archive, tables)
    assert tables.neurons is not None
    from_table, from_name = session_from_neurons(tables.neurons), layout.session_from_file_name(archive.path.name)
    if from_table and from_name and from_table != from_name:
        message = f"the name has session {from_name}, `meta/neurons` has {from_table}; the latter is used."
        return [make_finding("session-name", archive.path.name, message, "Rename the file, or open it with session=….")]
    if not from_table and not from_name:
        message = "neither `meta/neurons` nor the name contains the session."
        fix = "Name it: striate.open(path, session='animal-session-scan')."
        return [make_finding("session-name", archive.path.name, message, fix)]
    return []


def _check_stated_session(archive: Archive, tables: Tables) -> list[Finding]:
    """Check the session of a recording of another benchmark than SENSORIUM 2022."""
    session, sessions = session_of_archive(archive, tables), tables.benchmark.sessions
    if session is None:
        message = f"neither `{layout.SESSION_MEMBER}` nor the name contains the session."
        fix = f"Name it: striate.open(path, session='{sessions.example}')."
        return [make_finding("session-name", archive.path.name, message, fix)]
    if not sessions.matches(session):
        message = (
            f"session {session} does not match the pattern of benchmark {tables.benchmark.name}, {sessions.pattern}."
        )
        return [make_finding("session-name", layout.SESSION_MEMBER, message, f"Name it like {sessions.example}.")]
    return []
