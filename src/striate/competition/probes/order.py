"""The order of the trials: whether file numbers or image ids follow time."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.competition.leaks import leak
from striate.competition.probes.material import Material
from striate.competition.probes.public_archive import PublicArchive
from striate.competition.probes.serial import rank_correlation, resemblance, strong
from striate.recordings.findings import Finding


def look(material: Material) -> Iterator[Finding]:
    """Sort the trials of every archive whose order is withheld by what is public."""
    for archive in material.archives:
        if archive.is_track or archive.recording.trials["trial_idx"].dtype.kind not in "iu":
            yield from _files(archive)
            yield from _image_ids(archive)


def _files(archive: PublicArchive) -> Iterator[Finding]:
    numbers = np.arange(len(archive.tier))
    if said := _follows_time(archive, numbers, numbers):
        yield leak(
            "order-in-files", archive.name, f"the numbers of the files follow time: {said}.", "Shuffle the files."
        )


def _image_ids(archive: PublicArchive) -> Iterator[Finding]:
    """Of images that are shown once: an id given at presentation counts trials."""
    ids, counts = np.unique(archive.image_id, return_counts=True)
    rows = np.flatnonzero(np.isin(archive.image_id, ids[counts == 1]))
    if len(rows) > 20 and (said := _follows_time(archive, archive.image_id[rows], rows)):
        name = f"{archive.name}/meta/trials/frame_image_id.npy"
        mend = 'Give the images new numbers in random order (image_ids = "renumbered").'
        yield leak("order-in-image-ids", name, f"image ids follow time: {said}.", mend)


def _follows_time(archive: PublicArchive, key: NDArray[Any], rows: NDArray[np.int64]) -> str | None:
    """What shows that a key of some trials follows time; None if nothing does."""
    if archive.order is not None and strong(found := rank_correlation(archive.order[rows], key), len(rows)):
        return f"rank correlation with the order of the trials {found:.2f}"
    alike = resemblance(archive, key, rows)
    return None if alike is None else f"sorted by them, trials resemble their neighbours (r = {alike:.2f})"
