"""What differs between two versions."""

from collections.abc import Sequence
from dataclasses import dataclass

from striate.portal.models import Snapshot, SnapshotFile


@dataclass(frozen=True)
class Changes:
    """From one version to another.

    Attributes
    ----------
    added, changed, removed
        Paths with their sizes: of the later version, or of the earlier where it is no more.
    terms
        Whether the terms are others.
    """

    added: Sequence[tuple[str, int]]
    changed: Sequence[tuple[str, int]]
    removed: Sequence[tuple[str, int]]
    terms: bool

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return bool(self.added or self.changed or self.removed or self.terms)


def changes(before: Snapshot, after: Snapshot) -> Changes:
    """Compare two versions."""
    was, is_ = _contents(before), _contents(after)
    return Changes(
        [(path, size) for path, (_, size) in is_.items() if path not in was],
        [(path, size) for path, (sha256, size) in is_.items() if path in was and was[path][0] != sha256],
        [(path, size) for path, (_, size) in was.items() if path not in is_],
        before.terms_sha256 != after.terms_sha256,
    )


def _contents(snapshot: Snapshot) -> dict[str, tuple[str, int]]:
    rows = SnapshotFile.objects.filter(snapshot=snapshot).values_list("path", "content__sha256", "content__size")
    return {path: (sha256, size) for path, sha256, size in sorted(rows)}
