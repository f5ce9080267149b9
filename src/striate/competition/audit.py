"""The audit: a hunt for leaks in public files, as an outsider would, and with the vault as one who knows what to look for."""

from collections.abc import Callable, Iterator
from pathlib import Path

from striate._internal.paths import expand_path
from striate._internal.progress_bars import progress_bar
from striate.competition.probes import (
    across,
    drift,
    exchange,
    fields,
    folder,
    indices,
    neighbors,
    pictures,
    seeds,
    statistics,
    stored,
    telling_numbers,
    withheld_elsewhere,
    zips,
)
from striate.competition.probes.material import Material, gather
from striate.competition.vault import Vault
from striate.recordings.checks.report import CheckReport, Finding, Severity

Probe = Callable[[Material], Iterator[Finding]]

_PROBES: tuple[Probe, ...] = (
    folder.look,
    zips.look,
    stored.look,
    fields.look,
    statistics.look,
    indices.look,
    telling_numbers.look,
    neighbors.look,
    pictures.look,
    across.look,
    withheld_elsewhere.look,
    seeds.look,
    exchange.look,
    drift.look,
)


def audit(path: Path | str, vault: Vault | None = None) -> CheckReport:
    """Hunt for leaks in the folder of a competition, or in a single archive.

    Nothing is changed. The folder need not be one that striate has built: where it has no rules, archives are judged by what
    they withhold.

    Parameters
    ----------
    path
        The folder that is published, or an archive.
    vault
        What is withheld, for an audit by the organiser. Without it the audit knows what an attacker does.

    Returns
    -------
    CheckReport
        Findings by name of the rule in `LEAKS`, with evidence and how to mend it; errors first, then warnings, then notes.
        What the rules declare to be by design is a note.

    Raises
    ------
    InputError
        If there is nothing at `path`, its rules or manifest are damaged, or the vault is that of another competition.
    """
    place = expand_path(path)
    material = gather(place, vault)
    report = CheckReport(place.name, list(material.findings))
    with progress_bar("auditing", len(_PROBES)) as advance:
        for probe in _PROBES:
            report.findings += probe(material)
            advance(1)
    ranks = list(Severity)
    report.findings.sort(key=lambda finding: ranks.index(finding.severity))
    return report
