"""Stored statistics: they must follow from public training trials, or they tell something of those that are withheld."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.competition.leaks import leak
from striate.competition.probes.material import Material
from striate.competition.probes.public_archive import PublicArchive
from striate.data.standardisation import Standardisation
from striate.errors import listed
from striate.recordings import layout, npy_format
from striate.recordings.archive import Archive, open_archive
from striate.recordings.checks.report import Finding, Severity, UnreadableError
from striate.recordings.statistics import VariableStatistics, compute_statistics

Array = NDArray[Any]

_TOLERANCE = 1e-5  # relative; some tools store single precision
_MEND = "Compute them over the public training trials (`striate competition build` does)."


def look(material: Material) -> Iterator[Finding]:
    """Compute the statistics of every archive again."""
    for archive in material.archives:
        with open_archive(archive.file) as opened:
            yield from _of_archive(material, archive, opened)


def _of_archive(material: Material, archive: PublicArchive, opened: Archive) -> Iterator[Finding]:
    stored: dict[str, dict[str, Array]] = {}
    for member in opened.members:
        parts = member.split("/")
        if parts[:2] == ["meta", "statistics"] and len(parts) == 5:
            try:
                stored.setdefault(parts[2], {})[member] = npy_format.parse(opened.read(member), member)
            except UnreadableError:
                continue
    for variable, members in sorted(stored.items()):
        if variable not in layout.VARIABLES:
            continue
        if variable in archive.withhold:
            if wrong := [name for name, value in members.items() if np.any(value)]:
                message = f"{variable} is withheld, but {len(wrong)} of its statistics are not zero: {listed(wrong)}."
                yield leak("withheld-variable", f"{archive.name}/meta/statistics/{variable}", message, _MEND)
            continue
        yield from _of_variable(material, archive, variable, members)


def _of_variable(
    material: Material, archive: PublicArchive, variable: str, members: dict[str, Array]
) -> Iterator[Finding]:
    values = getattr(archive.recording, variable)
    benchmark = archive.recording.benchmark
    training = np.flatnonzero(archive.tier == benchmark.training_tier)
    wrong = _disagreeing(members, compute_statistics(variable, values, training, benchmark))
    if not wrong:
        return
    name = f"{archive.name}/meta/statistics/{variable}"
    public = np.flatnonzero(np.isin(archive.tier, benchmark.training_tiers))
    everything = np.arange(len(archive.tier)) if variable != "responses" or not archive.is_track else public
    for rows, called in (
        (training, "training trials"),
        (public, "training and validation trials"),
        (everything, "all public trials"),
    ):
        for ddof in (0, 1):
            if len(rows) > 1 and not _disagreeing(
                members, _with_ddof(compute_statistics(variable, values, rows, benchmark), len(rows), ddof)
            ):
                message = f"they are those of the {len(rows)} {called} (ddof {ddof}): public, though not what the evaluation expects."
                yield leak("statistics", name, message, _MEND, Severity.NOTE)
                return
    from_withheld = _from_withheld(material, archive, variable, members)
    message = f"{len(wrong)} of them follow from no set of public trials{from_withheld}: {listed(wrong)}."
    yield leak("statistics", name, message, _MEND)


def _from_withheld(material: Material, archive: PublicArchive, variable: str, members: dict[str, Array]) -> str:
    """Whether the vault explains the statistics: those of all trials, withheld ones included."""
    track = material.rules.track_of(archive.session) if material.rules else None
    if variable != "responses" or material.vault is None or track is None:
        return ", so that withheld ones are in them" if archive.is_track else ""
    scale = Standardisation.from_recording(archive.recording).response_scale
    public = np.asarray(archive.recording.responses[~archive.tested], dtype=np.float64)
    # the standardisation follows from the suspect statistics, so the scale may be wrong: compare means in raw units
    benchmark = archive.recording.benchmark
    training = np.flatnonzero(archive.tier == benchmark.training_tier)
    right = compute_statistics("responses", archive.recording.responses, training, benchmark)
    floor = benchmark.standardisation.response_floor
    scale = np.maximum(right.std, floor * right.std.mean()) if right.std.any() else scale
    hidden = [material.vault.live[track.name].responses * scale, material.vault.final[track.name].responses * scale]
    mean = np.concatenate([public, *hidden]).mean(axis=0)
    stored = next((value for name, value in members.items() if name.endswith("all/mean.npy")), None)
    same = stored is not None and stored.shape == mean.shape and np.allclose(stored, mean, rtol=1e-3, atol=1e-6)
    return (
        ": they are those of all trials, withheld ones included" if same else ", so that withheld ones may be in them"
    )


def _disagreeing(members: dict[str, Array], wanted: VariableStatistics) -> list[str]:
    wrong = []
    for name, value in sorted(members.items()):
        statistic = name.rsplit("/", 1)[1].removesuffix(".npy")
        if statistic not in layout.STATISTICS:
            wrong.append(name)
            continue
        expected = np.asarray(getattr(wanted, statistic)).reshape(-1)
        given = np.asarray(value, dtype=np.float64).reshape(-1)
        spread = _TOLERANCE * np.maximum(np.abs(np.asarray(wanted.std).reshape(-1)), 1e-9)
        if given.shape != expected.shape or (np.abs(given - expected) > spread + _TOLERANCE * np.abs(expected)).any():
            wrong.append(name)
    return wrong


def _with_ddof(statistics: VariableStatistics, count: int, ddof: int) -> VariableStatistics:
    std = statistics.std * np.sqrt(count / (count - ddof))
    return VariableStatistics(statistics.mean, std, statistics.median, statistics.min, statistics.max)
