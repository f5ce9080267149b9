"""Look for withheld responses by what a file holds, whatever it is called and packed in, and without knowing them.

What anybody may know of a track is how its responses would look: one value a neuron, for at least as many images as the smaller of the
two withheld tiers has. An array, a table or a text that could hold so many is suspicious, and so is a file of that size that cannot be
looked into. Who has the vault knows the responses, too: then each row is compared with them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from striate.competition.fingerprints import response_hashes
from striate.errors import InputError

if TYPE_CHECKING:
    from striate.competition.vault import Vault
    from striate.submissions.trial_table import TrialIds

_BLOCK = 2**22  # values that are looked at together
_NUMBERS = "fiuc"


@dataclass(frozen=True)
class Population:
    """The neurons of a track, and what is withheld of them.

    Attributes
    ----------
    track
        Whose.
    neurons
        How many.
    images
        Images of the smaller withheld tier: fewer rows hold no whole tier, be it of averages over repeats.
    hashes
        Of the withheld trials' responses, raw and standardised; known only where the vault is.
    """

    track: str
    neurons: int
    images: int
    hashes: frozenset[str] = frozenset()

    @property
    def values(self) -> int:
        """How many values the smallest withheld tier has."""
        return self.neurons * self.images


@dataclass(frozen=True)
class Suspicion:
    """What makes a file suspicious.

    Attributes
    ----------
    why
        The end of a sentence.
    certain
        Whether it is known to be a secret, so that nobody can allow it.
    """

    why: str
    certain: bool = False


class SuspicionError(Exception):
    """What was looked at is suspicious: there is no need to look further."""

    def __init__(self, why: str, *, certain: bool = False) -> None:
        super().__init__(why)
        self.suspicion = Suspicion(why, certain)


def populations(keys: "Mapping[str, TrialIds]", vault: "Vault | None" = None) -> list[Population]:
    """What must not be published, from the public keys of the tracks; with the vault, also what it is.

    Raises
    ------
    InputError
        If the vault is that of another competition.
    """
    found = []
    for track, own in keys.items():
        images = min(len(np.unique(own.image_id[own.tier == tier])) for tier in np.unique(own.tier))
        population = Population(track, len(own.unit_ids), images)
        found.append(replace(population, hashes=_withheld_hashes(vault, track, own)) if vault else population)
    return found


def _withheld_hashes(vault: "Vault", track: str, keys: "TrialIds") -> frozenset[str]:
    if keys.session not in vault.mappings or track not in vault.live:
        raise InputError(
            f"The vault is that of another competition: it knows no track {track} of recording {keys.session}."
        )
    mapping, asked = vault.mappings[keys.session], set(map(str, keys.trial_idx.tolist()))
    hashes = {hash_ for tier in (vault.live, vault.final) for hash_ in response_hashes(tier[track].responses).tolist()}
    for names in (vault.public_index(keys.session), mapping.original.astype(str).tolist()):
        if asked <= set(names):  # as published, trials have one or the other name
            hashes |= {hash_ for name, hash_ in zip(names, mapping.trial.tolist(), strict=True) if name in asked}
            break
    return frozenset(hashes - {""})


class Tally:
    """Counts what could be responses, over all parts of a file, and over all files that are looked at with it.

    Parameters
    ----------
    populations
        What must not be published.
    """

    def __init__(self, populations: Iterable[Population]) -> None:
        self.populations = list(populations)
        self._rows: Counter[str] = Counter()
        self._columns: Counter[int] = Counter()

    @property
    def capacity(self) -> int:
        """Bytes below which a file cannot hold the responses of a withheld tier, however it is packed: one bit a value."""
        return min((each.values // 8 for each in self.populations), default=0)

    def next_file(self) -> None:
        """Count columns anew: those of one file belong together, and rows of several do, too."""
        self._columns.clear()

    def opaque(self, size: int, where: str, what: str) -> None:
        """Count something of a size in bytes that cannot be looked into.

        Raises
        ------
        SuspicionError
            If it is large enough to hold responses.
        """
        if self.populations and size >= self.capacity:
            raise SuspicionError(f"{where} {what}, so that nobody can tell what it holds")

    def array(self, shape: tuple[int, ...], dtype: "np.dtype[Any]", where: str, read: Callable[[], Any]) -> None:
        """Count an array.

        Parameters
        ----------
        shape, dtype
            Its own.
        where
            What it is called.
        read
            Opens it, to be sliced; asked for only where the shape could be that of responses.

        Raises
        ------
        SuspicionError
            If what was counted so far could be the responses of a withheld tier.
        """
        size = int(np.prod(shape, dtype=object))
        if dtype.kind not in _NUMBERS:
            if dtype.kind not in "bSUmM":
                self.opaque(size * dtype.itemsize, where, "holds values of a kind that is not looked into")
            return
        for each in self.populations:
            axes = [axis for axis, length in enumerate(shape) if length == each.neurons]
            if axes:
                self._count(each, _blocks(read, shape, axes[-1]), where, shape)
            elif len(shape) == 1 and dtype.kind == "f" and size >= each.values:
                raise SuspicionError(
                    f"{where} has {size:,} numbers, as many as the responses of track {each.track} to a withheld tier"
                )

    def columns(self, number: int, length: int, where: str) -> None:
        """Count columns of numbers, each of which could be a neuron.

        Raises
        ------
        SuspicionError
            If there are as many of this length as a track has neurons, or as withheld images where each row could be a neuron.
        """
        self._columns[length] += number
        for each in self.populations:
            upright = self._columns[length] >= each.neurons and length >= each.images
            if upright or (length == each.neurons and self._columns[length] >= each.images):
                raise SuspicionError(
                    f"{where} is one of {self._columns[length]:,} columns of {length:,} numbers: track {each.track} has "
                    f"{each.neurons:,} neurons, and responses to {each.images:,} images or more are withheld"
                )

    def rows(self, values: NDArray[Any], where: str) -> None:
        """Count rows (…, M) of numbers.

        Raises
        ------
        SuspicionError
            If they are as long as a track has neurons, and too many.
        """
        for each in self.populations:
            if values.shape[-1] == each.neurons:
                self._count(each, iter([values]), where, values.shape)

    def numbers(self, count: int, where: str) -> None:
        """Count numbers in no order that can be told.

        Raises
        ------
        SuspicionError
            If they are too many.
        """
        for each in self.populations:
            if count >= each.values:
                raise SuspicionError(
                    f"{where} has {count:,} numbers or more, as many as the responses of track {each.track} to a withheld tier"
                )

    def _count(self, each: Population, blocks: Iterator[NDArray[Any]], where: str, shape: tuple[int, ...]) -> None:
        suspicious = False
        for block in blocks:
            if each.hashes and not each.hashes.isdisjoint(response_hashes(block).tolist()):
                raise SuspicionError(
                    f"{where} holds responses of track {each.track} that are withheld: the vault knows them",
                    certain=True,
                )
            with np.errstate(invalid="ignore"):
                self._rows[each.track] += int(np.any((block != 0) & ~np.isnan(block), axis=1).sum())
            suspicious = self._rows[each.track] >= each.images
            if suspicious and not each.hashes:
                break
        if suspicious:
            raise SuspicionError(
                f"{where} ({' × '.join(map(str, shape))}) has a value for each of the {each.neurons:,} neurons of track {each.track}, "
                f"and so many rows, with those before it, that they could be responses to {each.images:,} images"
            )


def _blocks(read: Callable[[], Any], shape: tuple[int, ...], axis: int) -> Iterator[NDArray[Any]]:
    """An array as rows that run along one of its axes, some at a time."""
    array = read()
    if len(shape) == 1:
        yield np.asarray(array[:])[None]
        return
    other = 0 if axis else 1
    step = max(1, _BLOCK // max(1, int(np.prod(shape, dtype=object)) // max(1, shape[other])))
    for start in range(0, shape[other], step):
        part: list[slice] = [slice(None)] * len(shape)
        part[other] = slice(start, start + step)
        yield np.moveaxis(np.asarray(array[tuple(part)]), axis, -1).reshape(-1, shape[axis])
