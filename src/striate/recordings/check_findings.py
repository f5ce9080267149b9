"""What a check finds: a named rule, the file, what is wrong there, and how to mend it."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from striate._internal import notebook_html
from striate.errors import InputError

_SHOWN = 50  # findings in a notebook


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"  # not a valid recording: results would be wrong, or it cannot be read
    WARNING = "warning"  # readable, but look at it before you rely on it
    NOTE = "note"  # true and harmless; good to know


@dataclass(frozen=True)
class Finding:
    """One thing that a rule found.

    Attributes
    ----------
    rule
        Name of the rule, a key of `striate.recordings.check_rules.RULES`.
    severity
        `Severity` of this finding.
    file
        Path inside the archive, or its name where the finding is about the whole.
    message
        What was found, and what was expected.
    mend
        How to put it right; empty where nothing needs to be done.
    """

    rule: str
    severity: Severity
    file: str
    message: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {self.message}" + (f" {self.fix}" if self.fix else "")


class UnreadableError(InputError):
    """A file of a recording that cannot be read; carries the finding that says why, and may say which recording."""

    def __init__(self, finding: Finding, archive: str = "") -> None:
        place = f"{archive}: " if archive and archive != finding.file else ""
        super().__init__(f"{place}{finding} [{finding.rule}]")
        self.finding = finding


@dataclass
class CheckReport:
    """All findings of one check, in the order in which they were found."""

    name: str
    findings: list[Finding] = field(default_factory=list)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        """Return the number of findings."""
        return len(self.findings)

    def __bool__(self) -> bool:
        return True  # also without findings

    def __repr__(self) -> str:
        return f"<CheckReport {self.name}: {self._verdict()}>"

    def _repr_html_(self) -> str:
        rows = [(f.severity, f.rule, f.file, f"{f.message} {f.fix}".strip()) for f in self.findings[:_SHOWN]]
        more = len(self.findings) - len(rows)
        found = (
            notebook_html.table(("severity", "rule", "file", "finding"), rows, text_columns=4, wrapped=True)
            if rows
            else ""
        )
        rest = notebook_html.small_text(f"and {more} more: list(report) has all") if more else ""
        return notebook_html.section(f"{self.name}: {self._verdict()}", found, rest)

    def _verdict(self) -> str:
        counts = {severity: len(self.with_severity(severity)) for severity in Severity}
        said = ", ".join(f"{count} {severity}{'s' * (count != 1)}" for severity, count in counts.items())
        return f"{'valid' if self.ok else 'not valid'} ({said})"

    def with_severity(self, severity: Severity | str) -> list[Finding]:
        """Findings of one severity."""
        return [f for f in self.findings if f.severity == severity]

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not self.with_severity(Severity.ERROR)

    @property
    def rules(self) -> set[str]:
        """Names of the rules that found something."""
        return {f.rule for f in self.findings}

    def to_json(self) -> str:
        """Render as JSON: ``name``, ``ok``, ``counts`` and the list of ``findings``."""
        counts = {str(s): len(self.with_severity(s)) for s in Severity}
        document = {
            "name": self.name,
            "ok": self.ok,
            "counts": counts,
            "findings": [asdict(f) for f in self.findings],
        }
        return json.dumps(document, indent=1, ensure_ascii=False)
