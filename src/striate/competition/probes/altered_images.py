"""Images of test tiers that are shown elsewhere in an altered form: shifted, mirrored, masked, cropped, re-encoded."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate.competition.altered_pictures import Alteration, altered_pictures
from striate.competition.leaks import leak
from striate.competition.probes.material import Material
from striate.competition.probes.public_archive import PublicArchive
from striate.recordings.checks.report import Finding, Severity

_RULE = "altered-test-image"
_TOLD = 3  # images of an archive


@dataclass(frozen=True, eq=False)
class Altered:
    """What was found.

    Attributes
    ----------
    findings
        One for each archive that shows altered images.
    pictures
        Hashes of the images of test tiers that are shown in an altered form.
    """

    findings: list[Finding]
    pictures: set[str]


def altered_images(material: Material) -> Altered:
    """Look for the images whose responses are withheld among those whose responses are public, in all archives."""
    table = material.pictures(material.archives)
    if table.empty:
        return Altered([], set())
    tracks = [number for number, archive in enumerate(material.archives) if archive.is_track]
    tested = {number: set(archive.recording.benchmark.board_tiers) for number, archive in enumerate(material.archives)}
    of_board = [tier in tested[number] for number, tier in zip(table["archive"], table["tier"], strict=True)]
    withheld = table["archive"].isin(tracks) & np.array(of_board)
    public = table[~withheld].drop_duplicates("picture")
    told: dict[int, list[str]] = {}
    pictures = set()
    for own, shown, alteration, channel in _found(material, table[withheld].drop_duplicates("picture"), public):
        if own["picture"] in pictures:  # another channel shows it, too
            continue
        number = int(shown["archive"])
        archive, track = material.archives[number], material.archives[int(own["archive"])]
        of = "" if track is archive else f" of {track.name}"
        height, width = track.recording.images.shape[-2:]
        told.setdefault(number, []).append(
            f"image {shown['image_id']} of tier {shown['tier']} is image {own['image_id']} of tier {own['tier']}{of}, "
            f"{alteration.described(height, width)}{channel} (correlation {alteration.correlation:.2f} over {alteration.share:.0%} of the image)"
        )
        pictures.add(own["picture"])
    why = material.declared(_RULE)
    findings = []
    for number, said in told.items():
        message = f"it shows {len(said)} image{'s' * (len(said) > 1)} of a test tier in an altered form: {'; '.join(said[:_TOLD])}"
        message += f"; and {len(said) - _TOLD} more" if len(said) > _TOLD else ""
        message += f". By design: {why}" if why else "."
        mend = "" if why else f"Take these images out of the public tiers or of the test, or declare {_RULE}."
        findings.append(leak(_RULE, material.archives[number].name, message, mend, Severity.NOTE if why else None))
    return Altered(findings, pictures)


def _found(
    material: Material, wanted: pd.DataFrame, public: pd.DataFrame
) -> Iterator[tuple[pd.Series, pd.Series, Alteration, str]]:
    """Rows of both tables, what was done to the image, and in which channel; images of each shape at once.

    Where images have several channels, their average is compared and each channel by itself, which others may drown in the average.
    """
    if wanted.empty or public.empty:
        return
    public = public.sort_values("archive", kind="stable")
    shapes = wanted["archive"].map(lambda number: material.archives[number].recording.images.shape[-2:])
    for _, own in wanted.groupby(shapes):
        first = np.concatenate([_images(material, number, rows) for number, rows in own.groupby("archive")])
        own = own.sort_values("archive", kind="stable")
        # where the very image is public, altered ones add nothing: other rules say whether it may be
        shown = {number: set(rows["picture"]) for number, rows in public.groupby("archive")}
        same = np.array([[picture in shown[number] for number in public["archive"]] for picture in own["picture"]])
        for channel, called in views(material.archives[int(own["archive"].iloc[0])]):
            others = (_images(material, number, rows)[:, channel] for number, rows in public.groupby("archive"))
            for each in altered_pictures(first[:, channel], others, same):
                yield own.iloc[each.wanted], public.iloc[each.other], each, called


def views(archive: PublicArchive) -> list[tuple[slice, str]]:
    """What of the channels is compared: all, and each one if there are several; with words for messages."""
    names = archive.recording.benchmark.stimulus.channels
    alone = [(slice(number, number + 1), f" in channel {name}") for number, name in enumerate(names)]
    return [(slice(None), ""), *(alone if len(names) > 1 else ())]


def _images(material: Material, number: Any, rows: pd.DataFrame) -> NDArray[Any]:
    return np.asarray(material.archives[number].recording.images[rows["row"].to_numpy()])
