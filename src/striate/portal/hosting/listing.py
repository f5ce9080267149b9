"""The files of a version as its page shows them: by folder, each folded away where there are many."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from striate.portal.models import Snapshot, SnapshotFile

_FEW = 60  # files that are shown at once
_OF_A_FOLDER = 200  # rows of a folder on the page of all


@dataclass(frozen=True)
class Folder:
    """A folder.

    Attributes
    ----------
    path
        With a slash at its end; empty for the files that stand in none.
    files
        In it, not in those beneath.
    open
        Whether it is unfolded at first.
    """

    path: str
    files: Sequence[SnapshotFile]
    open: bool

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(each.content.size for each in self.files)

    @property
    def changed(self) -> Snapshot:
        """The version in which something in it last changed."""
        return max((each.changed for each in self.files), key=lambda version: version.number)

    @property
    def first(self) -> Sequence[SnapshotFile]:
        """Those that are shown on the page of all."""
        return self.files[:_OF_A_FOLDER]

    @property
    def others(self) -> int:
        """How many are not."""
        return max(0, len(self.files) - _OF_A_FOLDER)


def folders(files: Sequence[SnapshotFile]) -> list[Folder]:
    """Group files by folder; those that stand in none come first."""
    ordered = sorted(files, key=lambda each: (_folder(each), each.path))
    few = len(files) <= _FEW
    return [Folder(path, found, few or not path) for path, group in groupby(ordered, _folder) if (found := list(group))]


def _folder(file: SnapshotFile) -> str:
    return file.path[: file.path.rfind("/") + 1]
