"""Seeds that can be found by trying: of the names of trials, of simulated neurons, and of the order of the files."""

import hmac
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from striate._internal.progress_bars import progress_bar
from striate.competition.leaks import leak
from striate.competition.probes.folder import seeds_in
from striate.competition.probes.generators import SHUFFLES, FirstDraws, pcg64_outputs
from striate.competition.probes.material import Material
from striate.competition.probes.public_archive import PublicArchive
from striate.competition.probes.serial import resemblance
from striate.recordings.checks.report import Finding
from striate.simulate.seeds import Seed

_SMALL = 20_000
_SHUFFLES = 2_000
_YEARS = range(2015, 2031)
_UNIT_IDS = 12  # fewer are rebuilt by chance
_LARGEST_TEXT = 2**20  # bytes
_FEWEST = 20  # files whose order no chance gives
_LONGEST = 50_000  # trials
_MEND = (
    "Make the data anew from 128 random bits (`striate simulate` without --seed), and start again if they were public."
)


def look(material: Material) -> Iterator[Finding]:
    """Try small numbers, years and dates, and whatever the folder's texts call a seed."""
    named = _named(material)
    candidates = _candidates(named)
    draws = FirstDraws(candidates)
    secrets = [Seed(value).secret for value in candidates]
    with progress_bar("trying seeds", len(material.archives)) as advance:
        for archive in material.archives:
            yield from _simulated(archive, candidates, secrets)
            yield from _names(archive, candidates, secrets)
            found = list(_shuffled(archive, draws))
            yield from found or _undone(archive, [*named, *range(_SHUFFLES // 20), *_YEARS])
            advance(1)


def _named(material: Material) -> list[int]:
    """Seeds that the texts of the folder name, in any writing."""
    named: list[int] = []
    for file in material.files:
        if file.suffix.lower() not in (".zip", ".npy", ".png", ".h5"):
            with file.open("rb") as opened:
                named += seeds_in(material, file, opened.read(_LARGEST_TEXT))
    return list(dict.fromkeys(named))


def _candidates(named: list[int]) -> list[int]:
    dates = [y * 10_000 + m * 100 + d for y in _YEARS for m in range(1, 13) for d in range(1, 32)]
    words = [123456, 1234567, 12345678, 123456789, 31337, 2**31 - 1, 2**32 - 1, 987654321, 0xDEADBEEF, 0xC0FFEE]
    return list(dict.fromkeys([*named, *range(_SMALL), *dates, *words]))


def _simulated(archive: PublicArchive, candidates: list[int], secrets: list[bytes]) -> Iterator[Finding]:
    """Whether a seed of `striate simulate` gives the unit ids of this mouse, and with them everything about it."""
    wanted = archive.recording.unit_ids
    if len(wanted) < _UNIT_IDS:
        return
    purpose = f"neurons of {archive.session}: unit ids"
    message = purpose.encode()
    entropies = [int.from_bytes(hmac.digest(secret, message, "sha256"), "big") for secret in secrets]
    # The first id is geometric: how many parts of the unit interval, each 0.4 of the one before, the first number passes.
    uniform = (pcg64_outputs(entropies, 1)[:, 0] >> np.uint64(11)) / 9007199254740992.0
    passed = 1 - 0.4 ** np.array([int(wanted[0]) - 1, int(wanted[0])], dtype=np.float64)
    near = (uniform > passed[0] - 1e-9) & (uniform < passed[1] + 1e-9)
    for value in (candidates[row] for row in np.flatnonzero(near).tolist()):
        ids = np.cumsum(Seed(value).generator(purpose).geometric(0.6, len(wanted)))
        if np.array_equal(ids, wanted):
            said = f"it was simulated from the seed {value}: anybody can simulate it again, including what is withheld."
            yield leak("small-seed", archive.name, said, _MEND)
            return


def _names(archive: PublicArchive, candidates: list[int], secrets: list[bytes]) -> Iterator[Finding]:
    """Whether a seed gives the key that names the trials."""
    names = archive.recording.trials["trial_idx"].to_numpy()
    if names.dtype.kind in "iu":
        return
    known = frozenset(names.astype(str).tolist())
    numbers = [str(n).encode() for n in (len(names) // 2, 2 * len(names) // 3)]
    purpose = f"trial_idx of {archive.session}".encode()
    for value, secret in zip(candidates, secrets, strict=True):
        key = hmac.digest(secret, purpose, "sha256")
        for number in numbers:
            if hmac.digest(key, number, "sha256")[:16].hex() in known:
                message = (
                    f"the names of its trials come from the seed {value}, from which anybody can recover their order."
                )
                yield leak("small-seed", f"{archive.name}/meta/trials/trial_idx.npy", message, _MEND)
                return


def _shuffled(archive: PublicArchive, draws: FirstDraws) -> Iterator[Finding]:
    """Whether the files, or those of one tier, were shuffled by a common generator with a small seed."""
    for what, order in _orders(archive):
        for shuffle in SHUFFLES:
            for row in shuffle.candidates(draws, order).tolist():
                value = draws.seeds[row]
                if np.array_equal(shuffle.permutation(value, len(order)), order):
                    message = f"its {what} were shuffled by {shuffle.called.format(value)}: anybody can undo that."
                    yield leak("small-seed", archive.name, message, _MEND)
                    return


def _orders(archive: PublicArchive) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Orders that a shuffle may have made: of all files and of those of each tier, and how to undo them."""
    known: list[NDArray[np.int64]] = []
    if archive.mapping is not None:
        known.append(np.asarray(archive.mapping.row))
    if archive.order is not None and not any(np.array_equal(archive.order, each) for each in known):
        known.append(np.asarray(archive.order))
    parts = [("files", np.arange(len(archive.tier)))]
    parts += [(f"files of tier {t}", np.flatnonzero(archive.tier == t)) for t in np.unique(archive.tier).tolist()]
    for what, rows in parts:
        for order in known:
            if len(order) == len(archive.tier) and len(rows) > _FEWEST:
                undone = np.argsort(order[rows])
                yield what, np.argsort(undone)
                yield what, undone


def _undone(archive: PublicArchive, seeds: list[int]) -> Iterator[Finding]:
    """As an outsider: undo the shuffle of each seed, and see whether trials then resemble their neighbours."""
    count = len(archive.tier)
    if not (archive.is_track or archive.recording.trials["trial_idx"].dtype.kind not in "iu") or count > _LONGEST:
        return
    rows = np.arange(count)
    for shuffle in SHUFFLES[:4]:
        for value in seeds:
            order = shuffle.permutation(value, count)
            for key in (order, np.argsort(order)):
                if (alike := resemblance(archive, key, rows)) is not None:
                    message = f"its files were shuffled by {shuffle.called.format(value)}: undoing that puts similar trials next to each other (r = {alike:.2f})."
                    yield leak("small-seed", archive.name, message, _MEND)
                    return
