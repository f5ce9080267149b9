"""Numbers that tell when a trial was shown, or what it answered: every public number, within tiers and repeats."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.competition.leaks import leak
from striate.competition.probes.material import Material
from striate.competition.probes.per_trial import PublicNumber, public_numbers
from striate.competition.probes.public_archive import PublicArchive
from striate.competition.probes.rank_tests import LEVEL, GroupedTarget, log_chance
from striate.competition.probes.serial import resemblance
from striate.competition.vault import Vault
from striate.recordings.checks.report import Finding

Array = NDArray[Any]
Floats = NDArray[np.float64]

_RULES = {"field": "trial-time", "file": "order-in-files", "image id": "order-in-image-ids", "name": "order-in-index"}
_MEND = "Publish numbers that do not depend on time or responses (`striate competition build` does)."
_REPEATS = "among the repeats of each image"
_BLOCK = 2**22  # values that are looked at together


def look(material: Material) -> Iterator[Finding]:
    """Compare every public number with time and, with the vault, with the withheld responses."""
    for archive in material.archives:
        hidden = archive.recording.trials["trial_idx"].dtype.kind not in "iu"
        if not (archive.is_track or hidden):
            continue
        numbers = public_numbers(archive)
        targets = [(target, "time") for target in _times(archive)]
        targets += [(target, "truth") for target in _strengths(material, archive)]
        tests = max(1, len(numbers) * max(1, len(targets)))
        found: dict[tuple[str, str], list[Finding]] = {}
        for number in numbers:
            for finding in _of_number(archive, number, targets, tests):
                found.setdefault((finding.rule, finding.file), []).append(finding)
        for first, *others in found.values():  # one cause shows in several numbers: digits, or parts of names
            more = f" So do {len(others)} other numbers there." if others else ""
            yield replace(first, message=first.message + more)
        if archive.mapping is not None and archive.order is not None:
            yield from _of_pixels(material, archive)
            yield from _of_response_digits(archive)


def _of_number(
    archive: PublicArchive, number: PublicNumber, targets: list[tuple[GroupedTarget, str]], tests: int
) -> Iterator[Finding]:
    told: set[str] = set()
    column = number.member.removeprefix("meta/trials/").removesuffix(".npy")
    read = number.what == number.member and column in archive.recording.trials
    for target, of in targets:
        if read and of == "time":  # the probe of the fields says so
            continue
        if of == "truth" and _follows_pictures(number) and not target.called.endswith(_REPEATS):
            continue
        if of in told or (found := target.test(number.values, tests)) is None:
            continue
        told.add(of)
        rule = "truth-in-number" if of == "truth" else _RULES.get(number.kind, "order-in-number")
        yield leak(rule, _file(archive, number), f"{_subject(number)} follow {target.called}: {found}.", _MEND)
    if told or read:
        return
    if (
        progression(number.values)
        and number.kind in ("field", "digits", "zip")
        and not number.what.startswith("the place")
    ):
        message = f"{_subject(number)} are evenly spaced when sorted, as only counters and clocks are."
        yield leak(_RULES.get(number.kind, "order-in-number"), _file(archive, number), message, _MEND)
        return
    if _follows_pictures(number):
        return
    for rows, called in _parts(archive, number):
        if number.values.dtype.kind == "f":
            rows = rows[~np.isnan(number.values[rows])]
        if len(rows) < 20 or len(np.unique(number.values[rows])) < len(rows) // 4:
            continue
        if (alike := resemblance(archive, number.values[rows], rows)) is not None:
            rule = _RULES.get(number.kind, "order-in-number")
            message = f"sorted by {number.what}, {called} resemble their neighbours (r = {alike:.2f})."
            yield leak(rule, _file(archive, number), message, _MEND)
            return


def _follows_pictures(number: PublicNumber) -> bool:
    """Whether a number may follow what is shown: pictures that pack alike are alike, and so are the responses to them."""
    return number.member == "data/images" and "packed size" in number.what


def _subject(number: PublicNumber) -> str:
    return f"the values of {number.what}" if number.kind == "field" else number.what


def _file(archive: PublicArchive, number: PublicNumber) -> str:
    return f"{archive.name}/{number.member}" if number.member else archive.name


def _parts(archive: PublicArchive, number: PublicNumber) -> Iterator[tuple[Array, str]]:
    """Trials that may be sorted alone: all, and those of each tier; by image ids, those of images that were shown once."""
    if number.kind == "image id":
        _, of_image, shown = np.unique(archive.image_id, return_inverse=True, return_counts=True)
        yield np.flatnonzero(shown[of_image] == 1), "trials"
        return
    yield np.arange(len(archive.tier)), "trials"
    for tier in np.unique(archive.tier).tolist():
        yield np.flatnonzero(archive.tier == tier), f"trials of tier {tier}"


def progression(values: Array) -> bool:
    """Whether sorted values are evenly spaced, as those of a counter or clock are."""
    if values.dtype.kind not in "iuf" or len(values) < 20:
        return False
    steps = np.diff(np.sort(values[~np.isnan(values)] if values.dtype.kind == "f" else values.astype(np.float64)))
    if len(steps) < 20:
        return False
    middle = float(np.median(steps))
    return bool(middle > 0 and np.mean(np.abs(steps - middle) < 0.02 * middle) > 0.9)


def _times(archive: PublicArchive) -> Iterator[GroupedTarget]:
    order = archive.order
    if order is None:
        return
    everything = np.arange(len(order))
    called = "the order of the trials"
    yield GroupedTarget(order, everything, np.zeros(len(order)), called)
    yield GroupedTarget(order, everything, archive.tier, f"{called} within each tier")
    for tier in np.unique(archive.tier).tolist():
        rows = np.flatnonzero(archive.tier == tier)
        yield GroupedTarget(order[rows], rows, np.zeros(len(rows)), f"{called} of tier {tier}")
    rows = np.flatnonzero(archive.tested)
    yield GroupedTarget(order[rows], rows, archive.image_id[rows], f"{called} {_REPEATS}")


def strengths(material: Material, archive: PublicArchive) -> Floats | None:
    """Mean withheld response of each test trial, (T,), NaN for the others; None without the vault."""
    answers = withheld_answers(material, archive)
    return None if answers is None else answers.mean(axis=1)


def withheld_answers(material: Material, archive: PublicArchive) -> Floats | None:
    """Withheld standardised responses by row of the public archive, (T, N), NaN for public trials; None without the vault."""
    if archive.name not in material.answers:
        material.answers[archive.name] = _withheld_answers(material.vault, material, archive)
    return material.answers[archive.name]


def _withheld_answers(vault: Vault | None, material: Material, archive: PublicArchive) -> Floats | None:
    track = material.rules.track_of(archive.session) if material.rules else None
    if vault is None or track is None or archive.mapping is None:
        return None
    published = vault.public_index(archive.session)
    original = vault.mappings[archive.session].original.tolist()
    row_of = {
        name: row for row, name in zip(archive.mapping.row.tolist(), archive.mapping.original.tolist(), strict=True)
    }
    named = dict(zip(published, original, strict=True)) | {name: name for name in original}
    place = {row: public for public, row in enumerate(archive.mapping.row.tolist())}
    answers: Floats | None = None
    for truth in (vault.live[track.name], vault.final[track.name]):
        if answers is None:
            answers = np.full((len(archive.tier), truth.responses.shape[1]), np.nan)
        for name, responses in zip(truth.trial_idx.astype(str).tolist(), truth.responses, strict=True):
            if (known := named.get(name)) is not None:
                answers[place[row_of[known]]] = responses
    return answers


def _strengths(material: Material, archive: PublicArchive) -> Iterator[GroupedTarget]:
    strength = strengths(material, archive)
    if strength is None:
        return
    rows = np.flatnonzero(np.isfinite(strength))
    called = "the strength of the withheld responses"
    yield GroupedTarget(strength[rows], rows, archive.tier[rows], f"{called} within each tier")
    yield GroupedTarget(strength[rows], rows, archive.image_id[rows], f"{called} {_REPEATS}")
    for tier in archive.recording.benchmark.board_tiers:
        own = rows[archive.tier[rows] == tier]
        if not len(own):
            continue
        yield GroupedTarget(strength[own], own, np.zeros(len(own)), f"{called} of tier {tier}")
        # An image has one number for all its trials: compare images, not trials.
        _, first, of_image = np.unique(archive.image_id[own], return_index=True, return_inverse=True)
        means = np.bincount(of_image, strength[own]) / np.bincount(of_image)
        yield GroupedTarget(means, own[first], np.zeros(len(first)), f"{called} to the images of tier {tier}")


def _of_pixels(material: Material, archive: PublicArchive) -> Iterator[Finding]:
    """Pixels, or their last bits, that count trials."""
    images = archive.recording.images
    pixels = int(np.prod(images.shape[1:]))
    assert archive.order is not None
    # Those of repeated images do not vary with time: another probe sees to that.
    _, of_image, shown = np.unique(archive.image_id, return_inverse=True, return_counts=True)
    for tier in np.unique(archive.tier).tolist():
        once = np.flatnonzero((shown[of_image] == 1) & (archive.tier == tier))
        if len(once) < 20:
            continue
        time = _unit(archive.order[once].astype(np.float64))
        for called, bits in (("pixels", False), ("last bits of pixels", True)):
            strength, where = _strongest(images, time, bits, once)
            if log_chance(strength, len(time) - 1) + math.log(4 * pixels) < math.log(LEVEL):
                message = f"{called} follow the order of the trials of tier {tier} (correlation {strength:.2f} at pixel {where})."
                yield leak(
                    "order-in-number", f"{archive.name}/data/images", message, "Store the pixels that were shown."
                )
                return
    answer = strengths(material, archive)
    if answer is None:
        return
    for tier in archive.recording.benchmark.board_tiers:
        rows = np.flatnonzero((archive.tier == tier) & np.isfinite(answer))
        _, first, of_image = np.unique(archive.image_id[rows], return_index=True, return_inverse=True)
        if len(first) < 12:
            continue
        means = _unit(np.bincount(of_image, answer[rows]) / np.bincount(of_image))
        strength, where = _strongest(images[rows[first]], means, True)
        if log_chance(strength, len(means) - 1) + math.log(2 * pixels) < math.log(LEVEL):
            message = f"last bits of pixels follow the withheld responses of tier {tier} (correlation {strength:.2f} at pixel {where})."
            yield leak("truth-in-number", f"{archive.name}/data/images", message, "Store the pixels that were shown.")


def _of_response_digits(archive: PublicArchive) -> Iterator[Finding]:
    """Last bits of public responses that count trials."""
    responses = archive.recording.responses
    if responses.dtype not in (np.float32, np.float64) or archive.order is None:
        return
    rows = np.flatnonzero(~archive.tested) if archive.is_track else np.arange(len(archive.tier))
    if len(rows) < 20:
        return
    time = _unit(archive.order[rows].astype(np.float64))
    strength, where = _strongest(responses, time, True, rows)
    if log_chance(strength, len(time) - 1) + math.log(2 * responses.shape[1]) < math.log(LEVEL):
        message = f"last bits of public responses follow the order of the trials (correlation {strength:.2f} in neuron {where})."
        yield leak("order-in-number", f"{archive.name}/data/responses", message, _MEND)


def _strongest(table: Any, target: Floats, bits: bool, rows: Array | None = None) -> tuple[float, int]:
    """Strongest correlation of a column of a table with a target, and which column that is."""
    rows = np.arange(len(table)) if rows is None else rows
    width = int(np.prod(table.shape[1:]))
    total, squares, product = (np.zeros(width) for _ in range(3))
    step = max(1, _BLOCK // max(width, 1))
    for start in range(0, len(rows), step):
        some = np.asarray(table[rows[start : start + step]]).reshape(-1, width)
        if bits:
            some = _last_bits(some)
        block = some.astype(np.float32)
        total += block.sum(axis=0, dtype=np.float64)
        squares += np.einsum("tp,tp->p", block, block)
        product += target[start : start + step].astype(np.float32) @ block
    spread = np.sqrt(np.maximum(squares - total**2 / len(rows), 0))
    found = np.where(spread > 1e-3 * np.sqrt(np.maximum(squares, 1e-12)), product / np.maximum(spread, 1e-12), 0.0)
    where = int(np.argmax(np.abs(found)))
    return float(np.clip(found[where], -1, 1)), where


def _last_bits(values: Array) -> Array:
    if values.dtype == np.uint8:  # those of saturated pixels follow the brightness of the picture
        return np.where((values == 0) | (values == 255), np.float32(0.5), (values & 1).astype(np.float32))
    if values.dtype.kind in "iu":
        return values & 1
    if values.dtype == np.float32:
        if (values == np.round(values)).all():
            return values.astype(np.int64) & 1
        return np.ascontiguousarray(values).view(np.uint32) & np.uint32(0xFFF)
    return np.ascontiguousarray(values.astype(np.float64)).view(np.uint64) & np.uint64(0xFFFFFFFF)


def _unit(values: Floats) -> Floats:
    centred = values - values.mean()
    return np.asarray(centred / max(float(np.linalg.norm(centred)), 1e-12))
