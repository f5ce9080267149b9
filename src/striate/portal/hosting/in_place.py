"""Publish a folder that lies on the portal's own machine."""

from pathlib import Path

from striate.portal.hosting import arriving, snapshots
from striate.portal.models import Snapshot
from striate.portal.pushing import read_folder


def publish_folder(folder: Path, *, note: str) -> tuple[Snapshot, bool]:
    """Publish a folder as a version of the data; what the portal does not have is copied.

    Parameters
    ----------
    folder
        All files of the version.
    note
        What is new in it.

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
    for each in read:
        if each.sha256 in absent:
            arriving.keep_copy(each.file)
    return snapshots.publish(files, note=note, author="")
