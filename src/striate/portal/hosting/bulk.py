"""The whole of a version, or a selection, as one download that resumes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache, partial

from django.utils.translation import gettext as _

from striate.catalog.dataset import PRETRAINING
from striate.errors import InputError
from striate.portal.hosting import contents
from striate.portal.hosting.tar import Member, Tar, of
from striate.portal.models import Snapshot, SnapshotFile

SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Selection:
    """Which files are asked for; what is asked for adds up, and all are chosen if nothing is asked for.

    Attributes
    ----------
    recordings
        Sessions.
    roles
        ``pre-training``, or names of tracks.
    files
        Paths; one that ends with ``/`` means all beneath it.
    """

    recordings: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def is_all(self) -> bool:
        """Whether nothing was asked for."""
        return not (self.recordings or self.roles or self.files)

    def of(self, files: Sequence[SnapshotFile]) -> list[SnapshotFile]:
        """Choose.

        Raises
        ------
        InputError
            If something that is asked for is not in the version.
        """
        chosen: dict[str, SnapshotFile] = {}
        for each in self.recordings:
            _choose(chosen, [f for f in files if f.session == each], each, {f.session for f in files})
        for each in self.roles:
            found = [f for f in files if f.role == each]
            _choose(chosen, found, each, {f.role for f in files} | {PRETRAINING})
        for each in self.files:
            found = [f for f in files if f.path == each or (each.endswith("/") and f.path.startswith(each))]
            _choose(chosen, found, each, {f.path for f in files})
        return [f for f in files if self.is_all or f.path in chosen]


@lru_cache(maxsize=2)  # they never change
def files_of(sha256: str) -> list[SnapshotFile]:
    """The files of a version; in the same order whatever the database's idea of order is."""
    found = SnapshotFile.objects.filter(snapshot__sha256=sha256).select_related("content", "changed")
    return sorted(found, key=lambda each: each.path)


@lru_cache(maxsize=8)
def bulk(sha256: str, name: str, selection: Selection) -> Tar:
    """The archive of a selection.

    Parameters
    ----------
    sha256
        Of the version.
    name
        What the folder is called that it unpacks to.
    selection
        What is asked for.

    Raises
    ------
    InputError
        If something that is asked for is not in the version.
    """
    snapshot = Snapshot.objects.get(sha256=sha256)
    files = selection.of(files_of(sha256))
    sums = "".join(f"{each.content.sha256}  {each.path}\n" for each in files).encode()
    moment = int(snapshot.at.timestamp())
    members = [
        Member(f"{name}/{SUMS}", len(sums), hashlib.sha256(sums).hexdigest(), moment, of(lambda: sums)),
        *(
            Member(
                f"{name}/{each.path}",
                each.content.size,
                each.content.sha256,
                int(each.changed.at.timestamp()),
                partial(contents.chunks, each.content),
            )
            for each in files
        ),
    ]
    return Tar(members)


def _choose(
    chosen: dict[str, SnapshotFile],
    found: Sequence[SnapshotFile],
    asked: str,
    known: set[str],
) -> None:
    if not found:
        some = sorted(known - {""})[:100]
        nearest = get_close_matches(asked, some, n=5, cutoff=0.0)
        raise InputError(
            _("This version has no %(asked)s; it has, for example: %(known)s.")
            % {"asked": repr(asked[:100]), "known": ", ".join(nearest)}
        )
    chosen |= {each.path: each for each in found}
