"""Seeds that can be found by trying: of the names of trials, of simulated neurons, and of the order of the files."""

import hmac
import random
from collections.abc import Iterator

import numpy as np

from striate.competition.leaks import leak
from striate.competition.probes.folder import seeds_in
from striate.competition.probes.material import Material
from striate.competition.probes.public_archive import PublicArchive
from striate.progress import progress
from striate.recordings.findings import Finding
from striate.simulate.seeds import Seed

_SMALL = 20_000
_SHUFFLES = 2_000
_YEARS = range(2015, 2031)
_UNIT_IDS = 12  # of the first neurons, that a seed must rebuild
_MEND = (
    "Make the data anew from 128 random bits (`striate simulate` without --seed), and start again if they were public."
)


def look(material: Material) -> Iterator[Finding]:
    """Try small numbers, years and dates, and whatever the folder's texts call a seed."""
    candidates = _candidates(material)
    with progress("trying seeds", len(material.archives)) as advance:
        for archive in material.archives:
            yield from _simulated(archive, candidates)
            yield from _names(archive, candidates)
            yield from _shuffled(archive)
            advance(1)


def _candidates(material: Material) -> list[int]:
    dates = [y * 10_000 + m * 100 + d for y in _YEARS for m in range(1, 13) for d in range(1, 32)]
    named: list[int] = []
    for file in material.files:
        if file.suffix.lower() in (
            ".json",
            ".toml",
            ".txt",
            ".md",
            ".csv",
            ".yaml",
            ".yml",
            ".ini",
            ".log",
            ".cfg",
            "",
        ):
            named += seeds_in(material, file, file.read_bytes()[: 2**20])
    words = [123456, 1234567, 12345678, 123456789, 31337, 2**31 - 1, 2**32 - 1, 987654321]
    return list(dict.fromkeys([*named, *range(_SMALL), *dates, *words]))


def _simulated(archive: PublicArchive, candidates: list[int]) -> Iterator[Finding]:
    """Whether a seed of `striate simulate` gives the unit ids of this mouse, and with them everything about it."""
    wanted = archive.recording.unit_ids[:_UNIT_IDS]
    if len(wanted) < _UNIT_IDS:
        return
    for value in candidates:
        rng = Seed(value).generator(f"neurons of {archive.session}: unit ids")
        if rng.geometric(0.6) == wanted[0] and np.array_equal(
            np.cumsum(
                Seed(value)
                .generator(f"neurons of {archive.session}: unit ids")
                .geometric(0.6, len(archive.recording.unit_ids))
            ),
            archive.recording.unit_ids,
        ):
            message = (
                f"it was simulated from the seed {value}: anybody can simulate it again, the withheld part included."
            )
            yield leak("small-seed", archive.name, message, _MEND)
            return


def _names(archive: PublicArchive, candidates: list[int]) -> Iterator[Finding]:
    """Whether a seed gives the key that names the trials."""
    names = archive.recording.trials["trial_idx"].to_numpy()
    if names.dtype.kind in "iu":
        return
    known = frozenset(names.astype(str).tolist())
    numbers = [str(n).encode() for n in (1, len(names) // 3, len(names) // 2, 2 * len(names) // 3)]
    for value in candidates:
        key = Seed(value).key(f"trial_idx of {archive.session}")
        if any(hmac.digest(key, number, "sha256")[:16].hex() in known for number in numbers):
            message = f"the names of its trials come from the seed {value}, which gives the order of the trials back."
            yield leak("small-seed", f"{archive.name}/meta/trials/trial_idx.npy", message, _MEND)
            return


def _shuffled(archive: PublicArchive) -> Iterator[Finding]:
    """Whether the files were shuffled by a common generator with a small seed."""
    count = len(archive.tier)
    orders = []
    if archive.mapping is not None:
        orders.append(np.asarray(archive.mapping.row))
    if archive.order is not None:
        orders.append(np.asarray(archive.order))
    if not orders:
        return
    for value in range(_SHUFFLES):
        drawn = {
            f"numpy.random.default_rng({value})": np.random.default_rng(value).permutation(count),
            f"numpy.random.RandomState({value})": np.random.RandomState(value).permutation(count),
        }
        if value < 200:
            shuffled = list(range(count))
            random.Random(value).shuffle(shuffled)
            drawn[f"random.Random({value})"] = np.array(shuffled)
        for generator, permutation in drawn.items():
            for order in orders:
                if len(order) == count and (
                    np.array_equal(order, permutation) or np.array_equal(order, np.argsort(permutation))
                ):
                    message = f"its files were shuffled by {generator}: anybody can undo that."
                    yield leak("small-seed", archive.name, message, _MEND)
                    return
