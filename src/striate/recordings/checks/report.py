"""Findings and reports of `striate.check`."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from striate._internal import notebook_html
from striate.errors import InputError

_MAX_SHOWN = 50  # number of findings that a notebook shows


class Severity(StrEnum):
    """Severity of a finding.

    Examples
    --------
    >>> from striate.recordings import Severity
    >>> Severity.ERROR == "error"
    True
    """

    ERROR = "error"  # the recording is invalid: it cannot be read, or results would be wrong
    WARNING = "warning"  # the recording is readable, but possibly wrong
    NOTE = "note"  # information about a valid property of the recording


@dataclass(frozen=True)
class Finding:
    """One violation of a rule, or a note.

    Attributes
    ----------
    rule
        Name of the rule, a key of `striate.recordings.RULES`.
    severity
        Severity of this finding.
    file
        Path inside the archive, or the name of the archive if the finding concerns all of it.
    message
        What was found, and what was expected.
    fix
        How to fix it; empty if nothing needs to be done.

    Examples
    --------
    >>> from striate.recordings import Finding, Severity
    >>> print(Finding("dtype", Severity.ERROR, "data/images/3.npy", "values are of type object.", "Save numbers."))
    data/images/3.npy: values are of type object. Save numbers.
    """

    rule: str
    severity: Severity
    file: str
    message: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {self.message}" + (f" {self.fix}" if self.fix else "")


class UnreadableError(InputError):
    """A file of a recording cannot be read.

    Parameters
    ----------
    finding
        Finding with the reason.
    archive
        Name of the archive, if the message must name it.
    """

    def __init__(self, finding: Finding, archive: str = "") -> None:
        prefix = f"{archive}: " if archive and archive != finding.file else ""
        super().__init__(f"{prefix}{finding} [{finding.rule}]")
        self.finding = finding


@dataclass
class CheckReport:
    """The findings of one check. Iterating over a report gives its findings.

    Attributes
    ----------
    name
        Name of the checked archive.
    findings
        All findings, by decreasing severity.

    Examples
    --------
    >>> from striate.recordings import CheckReport, Finding, Severity
    >>> report = CheckReport("mouse.zip", [Finding("dtype", Severity.ERROR, "data/images/3.npy", "no numbers.")])
    >>> report
    <CheckReport mouse.zip: not valid (1 error, 0 warnings, 0 notes)>
    >>> report.ok, report.rules
    (False, {'dtype'})
    """

    name: str
    findings: list[Finding] = field(default_factory=list)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        """Return the number of findings."""
        return len(self.findings)

    def __bool__(self) -> bool:
        return True  # also if there are no findings

    def __repr__(self) -> str:
        return f"<CheckReport {self.name}: {self._verdict()}>"

    def _repr_html_(self) -> str:
        rows = [(f.severity, f.rule, f.file, f"{f.message} {f.fix}".strip()) for f in self.findings[:_MAX_SHOWN]]
        more = len(self.findings) - len(rows)
        table = (
            notebook_html.table(("severity", "rule", "file", "finding"), rows, text_columns=4, wrapped=True)
            if rows
            else ""
        )
        rest = notebook_html.small_text(f"and {more} more: list(report) has all") if more else ""
        return notebook_html.section(f"{self.name}: {self._verdict()}", table, rest)

    def _verdict(self) -> str:
        counts = {severity: len(self.with_severity(severity)) for severity in Severity}
        summary = ", ".join(f"{count} {severity}{'s' * (count != 1)}" for severity, count in counts.items())
        return f"{'valid' if self.ok else 'not valid'} ({summary})"

    def with_severity(self, severity: Severity | str) -> list[Finding]:
        """Return the findings of one severity."""
        return [f for f in self.findings if f.severity == severity]

    @property
    def ok(self) -> bool:
        """Whether the report has no error."""
        return not self.with_severity(Severity.ERROR)

    @property
    def rules(self) -> set[str]:
        """Names of the rules with at least one finding."""
        return {f.rule for f in self.findings}

    def to_json(self) -> str:
        """Return the report as JSON with the keys ``name``, ``ok``, ``counts`` and ``findings``."""
        counts = {str(s): len(self.with_severity(s)) for s in Severity}
        document = {
            "name": self.name,
            "ok": self.ok,
            "counts": counts,
            "findings": [asdict(f) for f in self.findings],
        }
        return json.dumps(document, indent=1, ensure_ascii=False)
