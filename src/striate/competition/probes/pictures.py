"""Images: what is shown in a test tier and elsewhere, images that look alike, and images that tell one trial from another."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from striate.competition.fingerprints import near_pairs, thumbnails
from striate.competition.leaks import leak
from striate.competition.probes.altered_images import altered_images, views
from striate.competition.probes.material import Material
from striate.competition.probes.public_archive import PublicArchive
from striate.errors import listed
from striate.recordings.checks.report import Finding, Severity


def look(material: Material) -> Iterator[Finding]:
    """Compare the images of every archive, within it and across archives."""
    for archive in material.archives:
        yield from _varying(archive)
    for archive in material.tracks:
        yield from _across_tiers(archive)
    yield from _ids(material)
    yield from _in_pretraining(material)
    altered = altered_images(material)
    yield from altered.findings
    yield from _alike(material, altered.pictures)


def _varying(archive: PublicArchive) -> Iterator[Finding]:
    pictures = pd.Series(archive.picture).groupby(archive.image_id).nunique()
    if several := pictures[pictures > 1].index.tolist():
        message = (
            f"{len(several)} images differ from trial to trial ({listed(several)}): the pixels tell their trials apart."
        )
        yield leak("image-varies", archive.name, message, "Store the same pixels for each repeat.")


def _across_tiers(archive: PublicArchive) -> Iterator[Finding]:
    tiers: dict[str, set[str]] = {}
    ids: dict[str, object] = {}
    for picture, tier, image in zip(
        archive.picture.tolist(), archive.tier.tolist(), archive.image_id.tolist(), strict=True
    ):
        tiers.setdefault(picture, set()).add(tier)
        ids[picture] = image
    withheld = set(archive.recording.benchmark.board_tiers)
    shared = [ids[picture] for picture, shown in tiers.items() if len(shown) > 1 and shown & withheld]
    if shared:
        message = f"{len(shared)} images of a test tier are shown in another tier, too: ids {listed(shared)}."
        yield leak("image-across-tiers", archive.name, message, "Take them out of training, or of the test.")


def _ids(material: Material) -> Iterator[Finding]:
    table = material.pictures(material.archives)
    if table.empty:
        return
    ids: dict[str, set[str]] = {}
    for picture, image in zip(table["picture"].tolist(), table["image_id"].tolist(), strict=True):
        ids.setdefault(picture, set()).add(image)
    if doubled := ["/".join(sorted(values)) for values in ids.values() if len(values) > 1]:
        where = material.archives[0].name if len(material.archives) == 1 else "archives"
        message = (
            f"{len(doubled)} images have several ids ({listed(doubled)}): they reveal repeats that image ids hide."
        )
        yield leak("one-image-two-ids", where, message, "Give one image one id, in all recordings.")


def _in_pretraining(material: Material) -> Iterator[Finding]:
    for track in material.tracks:
        for called in ("live", "final"):
            tier, rule = track.recording.benchmark.board_tier(called), f"{called}-images-in-pretraining"
            pictures = set(track.picture[track.tier == tier].tolist())
            shown = {a.name: len(pictures & set(a.picture.tolist())) for a in material.others}
            shown = {name: count for name, count in shown.items() if count}
            if not shown:
                continue
            why = material.declared(rule)
            message = f"{max(shown.values())} of its {len(pictures)} {called} images are shown in {len(shown)} pre-training recordings, whose responses are public"
            message += f". By design: {why}" if why else f": {listed(shown)}."
            mend = "" if why else f"Show others there, or declare {rule}."
            yield leak(rule, track.name, message, mend, Severity.NOTE if why else None)


def _alike(material: Material, told: set[str]) -> Iterator[Finding]:
    """Images of test tiers that look like one of training, by perceptual hash, and then by correlation; others than those told."""
    why = material.declared("near-duplicate-images")
    for track in material.tracks:
        tests = _once(track, track.recording.benchmark.board_tiers)
        channels = [channel for channel, _ in views(track)]
        small = [thumbnails(track.recording.images[tests][:, channel]) for channel in channels]
        for other in material.archives:
            trained = _once(other, other.recording.benchmark.training_tiers)
            shown = other.recording.images[trained]
            pairs = [
                pair
                for channel, each in zip(channels, small, strict=True)
                for pair in near_pairs(each, thumbnails(shown[:, channel]))
            ]
            # the very same image is found above, by its pixels
            pairs = [p for p in pairs if track.picture[tests[p[0]]] not in {other.picture[trained[p[1]]], *told}]
            if not pairs:
                continue
            one, two, bits, r = max(pairs, key=lambda pair: pair[3])
            message = (
                f"{len({pair[0] for pair in pairs})} images of its test tiers look like training images of {other.name}, such as image {track.image_id[tests[one]]} like "
                f"image {other.image_id[trained[two]]} ({bits} of 64 bits of their perceptual hashes differ; r = {r:.3f})."
            )
            message += f" By design: {why}" if why else ""
            mend = "" if why else "Take these out of training or of the test, or declare near-duplicate-images."
            yield leak("near-duplicate-images", track.name, message, mend, Severity.NOTE if why else None)


def _once(archive: PublicArchive, tiers: tuple[str, ...]) -> np.ndarray:
    """A row of each picture of some tiers."""
    rows = np.flatnonzero(np.isin(archive.tier, tiers))
    _, first = np.unique(archive.picture[rows], return_index=True)
    return rows[np.sort(first)]
