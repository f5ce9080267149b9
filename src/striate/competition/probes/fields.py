"""Fields of the tables: only those that are needed, and nothing in them that tells one trial from another."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.benchmarks import is_default
from striate.competition.leaks import leak
from striate.competition.probes.material import Material
from striate.competition.probes.public_archive import PublicArchive
from striate.competition.probes.serial import rank_correlation, resemblance, strong
from striate.errors import listed
from striate.recordings import layout
from striate.recordings.checks.report import Finding

_TRIAL_FIELDS = ("tier", "image_id", "trial_idx", "frame_image_class")
_NEURON_FIELDS = ("unit_id", "area", "layer", "x", "y", "z")
_OF_SESSION = (
    "animal_id",
    "session",
    "scan_idx",
)  # fields of the neurons that the names of sessions of SENSORIUM 2022 have
_TIME = re.compile(r"(^|_)(ts|time|timestamp|date|clock|start|end|onset|flip|sec|msec|epoch)(s|$|_)", re.IGNORECASE)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}|\d{1,2}:\d{2}:\d{2}")


def look(material: Material) -> Iterator[Finding]:
    """Look at the tables of every archive."""
    for archive in material.archives:
        yield from _trials(archive)
        yield from _neurons(archive)


def _trials(archive: PublicArchive) -> Iterator[Finding]:
    table = archive.recording.trials
    for column in table.columns:
        if column in _TRIAL_FIELDS:
            continue
        values = table[column].to_numpy()
        name = f"{archive.name}/meta/trials/{column}.npy"
        mend = "Leave it out: `striate competition build` writes needed fields only."
        if (told := _tells_time(archive, str(column), values)) is not None:
            message = f"it says when each trial was shown{told}: {listed(values[:2])} …"
            yield leak("trial-time", name, message, mend)
        else:
            distinct = len(set(values.tolist()))
            message = f"the field is not needed, and has {distinct} different values{_repeat_number(archive, values)}."
            yield leak("extra-field", name, message, mend)
    yield from _classes(archive)


def _tells_time(archive: PublicArchive, name: str, values: NDArray[Any]) -> str | None:
    """How a field tells time, if it does: by its name, its form, or what it follows."""
    if len(values) > 10 and len(set(values.tolist())) > 3:
        if archive.order is not None and strong(found := rank_correlation(archive.order, values), len(values)):
            return f" (rank correlation with the order of the trials: {found:.2f})"
        many = len(set(values.tolist())) > len(values) // 2
        if many and (alike := resemblance(archive, values)) is not None:
            return f" (sorted by it, trials resemble their neighbours: r = {alike:.2f})"
    moments = values.dtype.kind == "U" and len(values) and bool(_MOMENT.search(str(values[0])))
    return "" if moments or (_TIME.search(name) and len(set(values.tolist())) > 1) else None


def _repeat_number(archive: PublicArchive, values: NDArray[Any]) -> str:
    """Whether a field numbers the repeats of an image."""
    seen: dict[str, list[object]] = {}
    for image, value, tested in zip(
        archive.image_id.astype(str).tolist(), values.tolist(), archive.tested, strict=True
    ):
        if tested:
            seen.setdefault(image, []).append(value)
    several = [values for values in seen.values() if len(values) > 1]
    if several and all(len(set(values)) == len(values) for values in several):
        return ", which tells the repeats of an image apart"
    return ""


def _classes(archive: PublicArchive) -> Iterator[Finding]:
    """The image class may differ from image to image, but not from trial to trial of one image."""
    if "frame_image_class" not in archive.recording.trials:
        return
    classes = archive.recording.trials["frame_image_class"].astype(str).to_numpy()
    name = f"{archive.name}/meta/trials/frame_image_class.npy"
    of_image: dict[str, set[str]] = {}
    for image, one in zip(archive.image_id.astype(str).tolist(), classes.tolist(), strict=True):
        of_image.setdefault(image, set()).add(one)
    if several := [image for image, found in of_image.items() if len(found) > 1]:
        message = f"{len(several)} images have several classes: the class tells their trials apart ({listed(several)})."
        yield leak("telling-field", name, message, "Write one class for all images.")
    elif len(set(classes.tolist())) > 1 and archive.order is not None:
        _, numbers = np.unique(classes, return_inverse=True)
        if strong(found := rank_correlation(archive.order, numbers), len(classes)):
            message = f"the class follows the order of the trials (rank correlation {found:.2f})."
            yield leak("telling-field", name, message, "Write one class for all images.")


def _neurons(archive: PublicArchive) -> Iterator[Finding]:
    table = archive.recording.neurons
    of_session = _OF_SESSION if is_default(archive.recording.benchmark) else ()
    if extra := [str(c) for c in table.columns if c not in (*_NEURON_FIELDS, *of_session)]:
        message = f"these fields of the neurons are not needed: {listed(extra)}."
        yield leak("extra-field", f"{archive.name}/meta/neurons", message, "Leave them out.")
    for column, part in zip(of_session, archive.session.split("-"), strict=False):
        values = set(table[column].astype(str))
        if values != {part} and values != {"0"}:
            field = {column: name for name, column in layout.NEURON_FIELDS.items()}[column]
            message = f"it holds {listed(sorted(values))}, where the session's name says {part}."
            yield leak(
                "telling-field", f"{archive.name}/meta/neurons/{field}.npy", message, "Write what the name says."
            )
