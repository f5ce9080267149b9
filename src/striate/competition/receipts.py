"""Receipts, each with the hash of the one before, so that no submission is added, dropped or changed unseen.

The chain begins at the commitment. What an organiser decides meanwhile is a link of the same chain: see `striate.competition.notices`. Whoever keeps a receipt, or the head of the chain at any time, can tell in the end
whether the chain is still that one: from the receipt on backwards nothing can have been changed.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Tag, TypeAdapter

from striate._internal.atomic_write import atomic_write
from striate._internal.safe_parsing import MalformedError, parse_as, read_limited
from striate.competition.clock import ClockError
from striate.competition.commitment import FILE as COMMITMENT
from striate.competition.commitment import Commitment
from striate.competition.links import Link
from striate.competition.manifest import Digest, sha256_of
from striate.competition.moments import require_zone
from striate.competition.notices import Amendment, Disqualification, Notice
from striate.errors import InputError

FILE = "receipts.jsonl"

_LONGEST = 2**16  # characters of a line
_LARGEST = 2**30  # bytes of a chain


class Receipt(Link):
    """What a team has for a submission, or for the choice of one: a link of the chain.

    Attributes
    ----------
    number
        From 1.
    kind
        ``"submission"``, or the ``"choice"`` of the submission that shall count in the end.
    at
        When it was received.
    team
        Whose it is.
    track, protocol
        The board.
    sha256
        Of the submission's file; of a choice, of the one that is chosen.
    chosen
        Number of the receipt that is chosen; None for a submission.
    baseline
        Whether it is a row of the organiser's own.
    previous
        Digest of the link before; of the first, the SHA-256 of the commitment.
    digest
        SHA-256 of all of the above.
    """

    kind: Literal["submission", "choice"] = "submission"
    team: str
    track: str
    protocol: str
    sha256: Digest
    chosen: int | None = None
    baseline: bool = False
    previous: Digest
    digest: str = ""


def _family(link: Any) -> str:
    """Which model a link is of; one that does not say its kind is a submission's receipt."""
    kind = link.get("kind", "submission") if isinstance(link, dict) else getattr(link, "kind", "")
    return _FAMILIES.get(kind, "") if isinstance(kind, str) else ""


_FAMILIES = {
    "submission": "receipt",
    "choice": "receipt",
    "amendment": "amendment",
    "disqualification": "disqualification",
    "reinstatement": "disqualification",
}
Entry = Receipt | Amendment | Disqualification
_ENTRY: TypeAdapter[Entry] = TypeAdapter(
    Annotated[
        Annotated[Receipt, Tag("receipt")]
        | Annotated[Amendment, Tag("amendment")]
        | Annotated[Disqualification, Tag("disqualification")],
        Discriminator(_family),
    ]
)


def linked(number: int, previous: str, *, at: datetime, **fields: Any) -> Entry:
    """Make a link of the chain, with its digest.

    Parameters
    ----------
    number
        Its own.
    previous
        Digest of the link before.
    at
        When it is made.
    **fields
        The others of `Receipt`, `Amendment` or `Disqualification`, whichever its ``kind`` names.
    """
    content = {"number": number, "at": at.astimezone(UTC), "previous": previous, **fields}
    bare = _ENTRY.validate_python(content)
    return bare.model_copy(update={"digest": bare.digested()})


@dataclass(frozen=True)
class Receipts:
    """A chain of receipts, and of notices among them.

    Attributes
    ----------
    anchor
        SHA-256 of the commitment.
    entries
        Its links, in the order of their numbers.
    """

    anchor: str
    entries: tuple[Entry, ...] = ()

    @property
    def receipts(self) -> tuple[Receipt, ...]:
        """The links that are receipts: of submissions and of choices."""
        return tuple(entry for entry in self.entries if isinstance(entry, Receipt))

    @property
    def notices(self) -> tuple[Notice, ...]:
        """The links that are an organiser's."""
        return tuple(entry for entry in self.entries if not isinstance(entry, Receipt))

    @property
    def head(self) -> str:
        """Digest of the last link: worth to be published elsewhere, since it stands for the whole chain."""
        return self.entries[-1].digest if self.entries else self.anchor

    def added(self, *, at: datetime, **fields: Any) -> "Receipts":
        """Return the chain with one more link.

        Parameters
        ----------
        at
            When it was received, or decided.
        **fields
            Those of `Receipt`, or of the notice that ``kind`` names, but for number, previous and digest.

        Raises
        ------
        InputError
            If `at` lies before the last link.
        """
        require_zone(at)
        if self.entries and at < self.entries[-1].at:
            raise ClockError(
                f"A receipt of {at.isoformat()} would lie before the last one ({self.entries[-1].at.isoformat()}): receipts are "
                'given in the order of time. Set the clock of this machine, or see "When a clock was wrong" in the documentation.'
            )
        return Receipts(self.anchor, (*self.entries, linked(len(self.entries) + 1, self.head, at=at, **fields)))

    def problems(self) -> list[str]:
        """What is wrong with the chain; empty if it is whole."""
        found, previous, last = [], self.anchor, None
        for place, entry in enumerate(self.entries, start=1):
            this = f"{'receipt' if isinstance(entry, Receipt) else entry.kind} {entry.number}"
            if entry.number != place:
                found.append(f"{this} stands where number {place} belongs")
            if entry.digest != entry.digested():
                found.append(f"{this} was changed: its digest is another")
            if entry.previous != previous:
                found.append(f"{this} does not follow {'the commitment' if place == 1 else f'number {place - 1}'}")
            if last is not None and entry.at < last:
                found.append(f"{this} lies before the one before it")
            previous, last = entry.digest, entry.at
        return found

    def holds(self, digest: str) -> bool:
        """Whether a receipt of this digest (or, as the head of an empty chain, the anchor) is part of the chain."""
        return digest == self.anchor or any(entry.digest == digest for entry in self.entries)

    def of(self, track: str, protocol: str, team: str | None = None) -> tuple[Receipt, ...]:
        """Submissions to one board, of one team or of all."""
        return tuple(
            e
            for e in self.receipts
            if (e.kind, e.track, e.protocol) == ("submission", track, protocol) and team in (None, e.team)
        )

    def write(self, folder: Path) -> None:
        """Write the chain into a competition's folder, in place of the one that stands there."""
        lines = "".join(entry.model_dump_json() + "\n" for entry in self.entries)
        with atomic_write(folder / FILE, overwrite=True) as aside:
            aside.write_text(lines, encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Receipts":
        """Read the chain of a competition; empty if nothing was submitted. Whether it is whole, `problems` tells.

        Raises
        ------
        InputError
            If nothing was committed to yet, or a line is no receipt.
        """
        Commitment.read(folder)
        anchor = sha256_of(folder / COMMITMENT)
        file = folder / FILE
        if not file.exists():
            return cls(anchor)
        try:
            lines = read_limited(file, _LARGEST).decode("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{file} cannot be read ({error}); take it from where it was published.") from error
        return cls(anchor, tuple(parsed(line, f"{file}, line {n}") for n, line in enumerate(lines, 1) if line.strip()))


def parsed(line: str, source: str) -> Entry:
    """Read one link of the chain.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        if len(line) > _LONGEST:
            raise InputError(f"{source} is longer than any receipt.")
        return parse_as(_ENTRY, line)
    except MalformedError as error:
        raise InputError(f"{source} is no receipt ({error.reason}).") from error


def require_whole(receipts: Receipts) -> None:
    """Raise `InputError` unless the chain is whole."""
    if problems := receipts.problems():
        raise InputError(f"The chain of receipts is broken: {problems[0]}. Take it from where it was published.")
