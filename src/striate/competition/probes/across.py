"""From one file to another: a recording behind two names, a trial in two places, behaviour that another file gives away."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from striate.benchmarks import is_default
from striate.competition.leaks import leak
from striate.competition.probes.material import Material
from striate.competition.probes.public_archive import PublicArchive
from striate.competition.probes.withheld_elsewhere import Rows, withheld_rows
from striate.data.standardisation import Standardisation
from striate.errors import listed
from striate.recordings.checks.report import Finding, Severity

_SAME_RESPONSES = 0.999  # correlation of the responses of two trials that makes them one
_SAME_REST = 0.98  # the same without the neurons that responded most
_NEURONS, _ROOM = 512, 0.05  # neurons that are compared first, and by how much their correlation may be smaller
_SAME_PLACES = 0.2  # share of neurons at the very same place that makes two recordings one


def look(material: Material) -> Iterator[Finding]:
    """Compare every archive with every other, and with itself."""
    for one, other in combinations(material.archives, 2):
        yield from _recording_twice(one, other)
        yield from _animal_again(material, one, other)
    yield from _trials(material)
    for track in material.tracks:
        yield from _withheld_trials(material, track)
        yield from _behavior(material, track)


def _recording_twice(one: PublicArchive, other: PublicArchive) -> Iterator[Finding]:
    evidence = []
    if one.session == other.session:
        evidence.append(f"both are session {one.session}")
    places = [{tuple(row) for row in a.recording.coordinates.round(2).tolist()} for a in (one, other)]
    shared = len(places[0] & places[1])
    if shared > _SAME_PLACES * min(len(p) for p in places):
        evidence.append(f"{shared} of {len(places[0])} neurons lie at the very same places")
    for variable, called in (("behavior", "behaviour"), ("pupil_center", "eye position")):
        both = [set(archive.moods[variable].tolist()) for archive in (one, other) if variable in archive.moods]
        same = set.intersection(*both) - {""} if len(both) == 2 else set()
        if len(same) > 3:
            evidence.append(f"{len(same)} trials have the same {called}")
    if evidence:
        message = f"it is the same recording as {other.name}: {'; '.join(evidence)}."
        yield leak(
            "recording-twice", one.name, message, "Take one of them out: what one withholds stands in the other."
        )


def _animal_again(material: Material, one: PublicArchive, other: PublicArchive) -> Iterator[Finding]:
    """Another recording of the same animal may have the same neurons, whose responses to test images are public there."""
    if not (one.is_track or other.is_track) or one.session == other.session:
        return
    if not (same := sorted(_animals(one) & _animals(other))):
        return
    why = material.declared("animal-again")
    message = f"animal {listed(same)} was also recorded for {other.name}, and the same neurons may be in both"
    message += f". By design: {why}" if why else ": public responses may tell withheld ones."
    mend = "" if why else "Take another animal, or declare animal-again."
    yield leak("animal-again", one.name, message, mend, Severity.NOTE if why else None)


def _animals(archive: PublicArchive) -> set[str]:
    """Animals that an archive names: in the table of neurons and, in SENSORIUM 2022, in the name of the session."""
    neurons = archive.recording.neurons
    named = set(neurons["animal_id"].astype(str)) if "animal_id" in neurons else set()
    if is_default(archive.recording.benchmark):
        named.add(archive.session.split("-")[0])
    return named - {"0"}


def _trials(material: Material) -> Iterator[Finding]:
    """Public trials with the very same responses, in one file or in two."""
    owner: dict[str, tuple[PublicArchive, int]] = {}
    found: dict[tuple[str, str], list[str]] = {}
    for archive in material.archives:
        for trial, signature in enumerate(archive.trial.tolist()):
            if not signature:
                continue
            first, row = owner.setdefault(signature, (archive, trial))
            if (first, row) != (archive, trial):
                found.setdefault((first.name, archive.name), []).append(f"{row} and {trial}")
    for (name, other), pairs in found.items():
        where = "the same file" if name == other else other
        message = f"{len(pairs)} trials have exactly the same responses as a trial of {where}: trials {listed(pairs)}."
        yield leak("same-trial", name, message, "Keep each trial once.")


def _withheld_trials(material: Material, track: PublicArchive) -> Iterator[Finding]:
    """Withheld responses in a public place: by the vault's hashes, and by correlation where they were rescaled."""
    if track.mapping is None or material.vault is None or material.rules is None:
        return
    hidden = set(track.mapping.trial[track.tested].tolist()) - {""}
    called = material.rules.track_of(track.session)
    assert called is not None
    known = withheld_rows(material, track)
    withheld = None if known is None else _Withheld(known)
    for archive in material.archives:
        rows = np.flatnonzero(archive.recording.responses.any(axis=1))
        same = [int(row) for row in rows if archive.trial[row] in hidden]
        if (
            not same
            and known is not None
            and withheld is not None
            and archive.recording.responses.shape[1] == known.shape[1]
        ):
            same = withheld.among(archive, rows)
        if same:
            message = f"the responses of {len(same)} of its trials are those that track {called.name!r} withholds: trials {listed(same)}."
            yield leak("same-trial", archive.name, message, "Take them out, and start again if they were public.")


class _Withheld:
    """Withheld responses, prepared once for the comparison with many trials."""

    def __init__(self, rows: NDArray[np.float64]) -> None:
        self.rows = rows
        self.sorted = Rows(rows)
        width = rows.shape[1]
        self._some = np.random.default_rng(0).permutation(width)[:_NEURONS]
        self._unit = _unit(rows[:, self._some]).astype(np.float32)
        self._least = _SAME_RESPONSES - (_ROOM if width > _NEURONS else 0)

    def among(self, archive: PublicArchive, rows: NDArray[np.int64]) -> list[int]:
        """Public trials whose responses are withheld ones, in any unit and order of the neurons."""
        scale = Standardisation.from_recording(archive.recording)
        found: set[int] = set()
        for start in range(0, len(rows), 512):
            block = rows[start : start + 512]
            responses = np.asarray(archive.recording.responses[block], dtype=np.float64)
            standardised = scale.responses(responses).astype(np.float64)
            for values in (responses, standardised):
                found |= set(block[self.sorted.find(values)].tolist())
            found |= set(block[self._alike(standardised)].tolist())
        return sorted(found)

    def _alike(self, given: NDArray[np.float64]) -> list[int]:
        """Rows that correlate with a withheld one, and still do without the neurons that responded most."""
        some = _unit(given[:, self._some]).astype(np.float32) @ self._unit.T
        found = []
        for row, other in np.argwhere(some > self._least).tolist():
            least = np.argsort(self.rows[other])[: max(3, int(0.7 * self.rows.shape[1]))]
            if _correlation(given[row], self.rows[other]) > _SAME_RESPONSES and (
                _correlation(given[row, least], self.rows[other, least]) > _SAME_REST
            ):
                found.append(row)
        return found


def _correlation(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    return float(_unit(one[None])[0] @ _unit(two[None])[0])


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12))


def _behavior(material: Material, track: PublicArchive) -> Iterator[Finding]:
    """Behaviour that a track withholds, in any other archive or file of the folder."""
    if track.mapping is None:
        return
    from striate.competition.fingerprints import row_hashes

    for variable in track.withhold:
        values = getattr(track.mapping, variable)
        hidden = set(row_hashes(values).tolist()) - {""}
        for archive in material.archives:
            if archive is not track and len(same := hidden & set(archive.moods[variable].tolist())) > 3:
                message = f"{len(same)} trials have the {variable} that {track.name} withholds."
                yield leak(
                    "behavior-elsewhere", archive.name, message, "Take the file out, and start again if it was public."
                )
        pieces = [
            row.tobytes() for v in (np.float32, np.float64) for row in np.asarray(values[::7], dtype=v) if row.all()
        ]
        for file in material.files:
            if file.suffix.lower() == ".zip" or file.stat().st_size > 2**28:
                continue
            content = file.read_bytes()
            if sum(piece in content for piece in pieces[:200]) > 3:
                message = f"it contains {variable} that {track.name} withholds."
                yield leak(
                    "behavior-elsewhere", material.name(file), message, "Remove it, and start again if it was public."
                )
