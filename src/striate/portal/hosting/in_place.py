"""Publish a folder that lies on the portal's own machine."""

from collections.abc import Collection
from pathlib import Path

from striate.competition.looking_into import Search
from striate.portal.competition import place
from striate.portal.hosting import arriving, snapshots
from striate.portal.hosting.secrets import known_populations
from striate.portal.models import Snapshot
from striate.portal.pushing import read_folder, refuse_suspicious, require_known


def publish_folder(folder: Path, *, note: str, allow: Collection[str] = ()) -> tuple[Snapshot, bool]:
    """Publish a folder as a version of the data; what the portal does not have is copied.

    Parameters
    ----------
    folder
        All files of the version.
    note
        What is new in it.
    allow
        Paths below the folder, of files that hold no withheld responses, however they look.

    Returns
    -------
    Snapshot, bool
        The version, and whether it is a new one.

    Raises
    ------
    InputError
        If something in the folder must not be published.
    """
    read = list(read_folder(folder))
    files = [snapshots.NewFile(each.path, each.size, each.sha256, each.session) for each in read]
    snapshots.require_sound(files)
    absent = set(snapshots.missing(each.sha256 for each in files))
    require_known(allow, read)
    new = [each for each in read if each.sha256 in absent]
    refuse_suspicious(new, Search(known_populations(), place().uploads), allow)
    allowing = arriving.Allowing(None, {each.sha256 for each in read if each.path in allow})
    for each in new:
        arriving.keep_copy(each.file, allowing)
    return snapshots.publish(files, note=note, author="")
