"""Withheld responses in any other file, whatever their unit, the order of neurons and trials, and how they are packed."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from striate.competition.leaks import leak
from striate.competition.probes.material import Material
from striate.competition.probes.packed_numbers import Numbers
from striate.competition.probes.per_trial import unknown_members
from striate.competition.probes.public_archive import PublicArchive
from striate.competition.probes.telling_numbers import withheld_answers
from striate.data.standardisation import Standardisation
from striate.recordings.archive import open_archive
from striate.recordings.checks.report import Finding, UnreadableError

Floats = NDArray[np.float64]

_PLACES = 16  # of a sorted row, that are compared first
_CLOSE = 2e-3  # of a row's range; half precision keeps that
_FEWEST = 6  # different values of a row that are known again
_LARGEST = 2**26  # bytes of a file
_MEND = "Take it out, and start again with new recordings if it was public."


class Rows:
    """Rows of numbers that are known again by their sorted values, shifted and scaled to run from 0 to 1.

    Parameters
    ----------
    rows : (R, N)
        What is looked for.
    """

    def __init__(self, rows: Floats) -> None:
        self.width, self.rows = rows.shape[1], rows
        self._sorted = _normal(rows)

    def find(self, values: NDArray[np.generic]) -> list[int]:
        """Numbers of the rows of an array, (…, N) or (N, …) or flat, that are among those looked for."""
        if (
            values.dtype.kind not in "fiu"
            or self.width < 10
            or values.size % self.width
            or not values.size
            or not len(self._sorted)
        ):
            return []
        tables = [values.reshape(-1, self.width)]
        if values.ndim > 1 and values.shape[0] == self.width:
            tables.append(values.reshape(self.width, -1).T)
        # bytes that are no numbers, read as such, may be signalling NaN or overflow: such rows match nothing
        with np.errstate(invalid="ignore", over="ignore"):
            return sorted({row for table in tables for row in self._find(table.astype(np.float64))})

    def _find(self, table: Floats) -> list[int]:
        found: list[int] = []
        places = np.unique(np.linspace(1, self.width - 2, _PLACES).astype(int))
        wanted = self._sorted[:, places].astype(np.float32)
        for start in range(0, len(table), 256):
            block = table[start : start + 256]
            usable = np.flatnonzero(np.isfinite(block).all(axis=1))
            normal, rows = _normal(block[usable], keep_all=True), usable
            given = normal[:, places].astype(np.float32)
            distance = (given**2).sum(axis=1)[:, None] + (wanted**2).sum(axis=1)[None] - 2 * given @ wanted.T
            for row, other in np.argwhere(distance < len(places) * _CLOSE**2 + 1e-5):
                if np.abs(normal[row] - self._sorted[other]).max() < _CLOSE:
                    found.append(start + int(rows[row]))
        return found


def _normal(rows: Floats, *, keep_all: bool = False) -> Floats:
    ordered = np.sort(rows, axis=1)
    low, high = ordered[:, :1], ordered[:, -1:]
    normal = (ordered - low) / np.maximum(high - low, 1e-12)
    if keep_all:
        return normal
    distinct = (np.diff(normal, axis=1) > 1e-6).sum(axis=1) >= _FEWEST
    return np.asarray(normal[distinct])


def look(material: Material) -> Iterator[Finding]:
    """Look for the withheld responses of each track in every file and unknown member."""
    for track in material.tracks:
        wanted = _wanted(material, track)
        if not wanted:
            continue
        for name, content in _contents(material):
            if (said := _found(content, wanted)) is not None:
                yield leak(
                    "withheld-elsewhere",
                    name,
                    f"it holds {said} that {track.name} withholds, perhaps rescaled or reordered.",
                    _MEND,
                )


def withheld_rows(material: Material, track: PublicArchive) -> Floats | None:
    """Withheld responses of a track, raw and standardised, of trials and of averages over repeats; None without the vault."""
    answers = withheld_answers(material, track)
    if answers is None:
        return None
    rows = np.flatnonzero(np.isfinite(answers[:, 0]))
    trials = answers[rows]
    _, image = np.unique(track.image_id[rows], return_inverse=True)
    means = np.stack([trials[image == each].mean(axis=0) for each in range(image.max() + 1)])
    both = np.concatenate([trials, means])
    return np.concatenate([both, both * Standardisation.from_recording(track.recording).response_scale])


def _wanted(material: Material, track: PublicArchive) -> list[tuple[str, Rows]]:
    rows = withheld_rows(material, track)
    answers = withheld_answers(material, track)
    if rows is None or answers is None:
        return []
    wanted = [("responses", Rows(rows))]
    strength = answers.mean(axis=1)
    for tier in np.unique(track.tier[track.tested]).tolist():
        own = np.flatnonzero((track.tier == tier) & np.isfinite(strength))
        wanted.append((f"the strength of the responses of tier {tier}", Rows(strength[own][None])))
        wanted.append((f"the mean responses of neurons in tier {tier}", Rows(answers[own].mean(axis=0)[None])))
    tests = np.flatnonzero(np.isfinite(strength))
    wanted.append(("the strength of the responses", Rows(strength[tests][None])))
    return wanted


def _contents(material: Material) -> Iterator[tuple[str, bytes]]:
    archives = {archive.file for archive in material.archives}
    for file in material.files:
        inside = any(file == a or a in file.parents for a in archives)
        if (
            not inside
            and not file.is_symlink()
            and file.stat().st_size <= _LARGEST
            and not _released(material, material.name(file))
        ):
            yield material.name(file), file.read_bytes()
    for archive in material.archives:
        with open_archive(archive.file) as opened:
            for name, _ in unknown_members(archive, opened):
                if opened.members[name].size <= _LARGEST:
                    try:
                        yield f"{archive.name}/{name}", opened.read(name)
                    except UnreadableError:  # a finding of its own
                        continue


def _released(material: Material, name: str) -> bool:
    """After the close the organiser may release the truths, and submissions are published with the results."""
    return (
        name.startswith(("results/truths/", "results/submissions/"))
        and (material.folder / "results" / "openings.json").is_file()
    )


def _found(content: bytes, wanted: list[tuple[str, Rows]]) -> str | None:
    for array in Numbers().of(content):
        for what, rows in wanted:
            if found := rows.find(array):
                return f"{len(found)} rows of {what}" if what == "responses" else what
    return None
