"""The competition that the portal is of, as its folder says; read once a process."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from django.conf import settings

from striate.benchmarks import BenchmarkSpec
from striate.competition import Rules, read_rules
from striate.competition.boards import Board
from striate.competition.commitment import FILE as COMMITMENT
from striate.competition.manifest import FILE as MANIFEST
from striate.competition.manifest import Manifest, sha256_of
from striate.competition.results import board_name
from striate.portal.place import Place


@dataclass(frozen=True)
class Competition:
    """What the public folder says.

    Attributes
    ----------
    folder
        Where it is.
    rules, rules_text
        Its ``competition.toml``.
    manifest
        Its files.
    version
        SHA-256 of the manifest, which names a snapshot of the data.
    anchor
        SHA-256 of the commitment, where the chain of receipts begins.
    made
        When the manifest was written.
    """

    folder: Path
    rules: Rules
    rules_text: str
    manifest: Manifest
    version: str
    anchor: str
    made: datetime

    @property
    def benchmark(self) -> BenchmarkSpec:
        """The benchmark that the competition follows."""
        return self.rules.benchmark

    @property
    def boards(self) -> dict[str, Board]:
        """Every board by its name in addresses."""
        return {board_name(track.name, protocol): Board(track, protocol) for track, protocol in self.rules.boards}


def place() -> Place:
    """Where the portal's things lie."""
    found: Place | None = settings.PLACE
    if found is None:
        raise RuntimeError("No place was told to this process: start it with `striate serve`.")
    return found


@cache
def competition() -> Competition:
    """Read the public folder."""
    folder = place().competition
    rules, text = read_rules(folder)
    return Competition(
        folder,
        rules,
        text,
        Manifest.read(folder),
        sha256_of(folder / MANIFEST),
        sha256_of(folder / COMMITMENT),
        datetime.fromtimestamp((folder / MANIFEST).stat().st_mtime, UTC),
    )
