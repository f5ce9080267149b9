"""Common ways to shuffle trials with a seed, and the first numbers that each draws, for thousands of seeds at once.

A shuffle fixes two places of a permutation with the first two numbers it draws. So these two identify a seed, and
only the few that agree with an order are tried in full.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_CHUNK = 4096  # seeds
_WORDS = 12  # of 32 bits, that are drawn of each seed
_WORD = 0xFFFFFFFF
_SEEDED = 624  # words of the state of a Mersenne Twister


@dataclass(frozen=True)
class Shuffle:
    """One way to shuffle `n` things with a seed.

    Attributes
    ----------
    called
        With ``{}`` for the seed.
    permutation
        Of a seed and a number of things.
    candidates
        Of first draws, an order, and the indices of the seeds to try: which seeds may have given the order.
    """

    called: str
    permutation: Callable[[int, int], Array]
    candidates: Callable[["FirstDraws", Array], Array]


class FirstDraws:
    """First numbers that common generators draw for some seeds.

    Parameters
    ----------
    seeds
        Whole numbers ≥ 0.

    Attributes
    ----------
    legacy : (S, 12) uint32
        Of ``numpy.random.RandomState`` and ``torch.Generator``, which seed a Mersenne Twister in one way (seeds of more than 32 bits are
        cut).
    python : (S, 12) uint32
        Of ``random.Random``.
    numpy : (S, 6) uint64
        Of ``numpy.random.default_rng``.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self.seeds = list(seeds)
        self.legacy = _chunks(self.seeds, _legacy)
        self.python = _chunks(self.seeds, _python)
        self.numpy = pcg64_outputs(self.seeds, 6)


def pcg64_outputs(seeds: Sequence[int], count: int) -> Array:
    """First raw numbers of ``PCG64(SeedSequence(seed))`` for each seed, (S, count) uint64."""
    states = _seed_sequences(seeds)
    found = np.empty((len(states), count), dtype=np.uint64)
    multiplier, wrap = 0x2360ED051FC65DA44385DF649FCCF645, (1 << 128) - 1
    for row, words in enumerate(states.tolist()):
        high, low, above, below = (words[2 * i] | words[2 * i + 1] << 32 for i in range(4))
        increment = ((above << 64 | below) << 1 | 1) & wrap
        state = ((increment + (high << 64 | low)) * multiplier + increment) & wrap
        for column in range(count):
            state = (state * multiplier + increment) & wrap
            value, turn = (state >> 64 ^ state) & (1 << 64) - 1, state >> 122
            found[row, column] = (value >> turn | value << (64 - turn)) & (1 << 64) - 1 if turn else value
    return found


def _seed_sequences(seeds: Sequence[int]) -> Array:
    """Eight words of each ``numpy.random.SeedSequence``, (S, 8) uint32; see its documentation for the algorithm."""
    length = max(4, max((seed.bit_length() for seed in seeds), default=0) // 32 + 1)
    raw = b"".join(seed.to_bytes(4 * length, "little") for seed in seeds)
    entropy = np.frombuffer(raw, "<u4").reshape(len(seeds), length).astype(np.uint32)
    needed = np.maximum(np.max(np.where(entropy != 0, np.arange(1, length + 1), 0), axis=1, initial=0), 4)
    constant = 0x43B0D7E5

    def hashed(values: Array) -> Array:
        nonlocal constant
        values = values ^ np.uint32(constant)
        constant = constant * 0x931E8875 & _WORD
        values = values * np.uint32(constant)
        return np.asarray(values ^ values >> np.uint32(16))

    def mixed(x: Array, y: Array) -> Array:
        result: Array = x * np.uint32(0xCA01F9DD) - y * np.uint32(0x4973F715)
        return np.asarray(result ^ result >> np.uint32(16))

    pool = [hashed(entropy[:, i]) for i in range(4)]
    for source in range(4):
        for target in range(4):
            if source != target:
                pool[target] = mixed(pool[target], hashed(pool[source]))
    for source in range(4, length):
        for target in range(4):
            pool[target] = np.where(needed > source, mixed(pool[target], hashed(entropy[:, source])), pool[target])
    constant = 0x8B51F9DD
    words = []
    for i in range(8):
        values = pool[i % 4] ^ np.uint32(constant)
        constant = constant * 0x58F38DED & _WORD
        values = values * np.uint32(constant)
        words.append(values ^ values >> np.uint32(16))
    return np.stack(words, axis=1)


def _chunks(seeds: list[int], first: Callable[[list[int]], Array]) -> Array:
    parts = [first(seeds[start : start + _CHUNK]) for start in range(0, len(seeds), _CHUNK)]
    return np.concatenate(parts) if parts else np.empty((0, _WORDS), np.uint32)


def _twister(seeds: Array) -> Array:
    """State of a Mersenne Twister (``init_genrand``) for each seed, (624, S) uint32."""
    state = np.empty((_SEEDED, len(seeds)), dtype=np.uint32)
    state[0] = seeds
    for i in range(1, _SEEDED):
        before = state[i - 1]
        state[i] = np.uint32(1812433253) * (before ^ before >> np.uint32(30)) + np.uint32(i)
    return state


def _drawn(state: Array) -> Array:
    words = []
    for k in range(_WORDS):
        y = (state[k] & np.uint32(0x80000000)) | (state[k + 1] & np.uint32(0x7FFFFFFF))
        y = state[k + 397] ^ (y >> np.uint32(1)) ^ (y & np.uint32(1)) * np.uint32(0x9908B0DF)
        y = y ^ y >> np.uint32(11)
        y = y ^ (y << np.uint32(7) & np.uint32(0x9D2C5680))
        y = y ^ (y << np.uint32(15) & np.uint32(0xEFC60000))
        words.append(y ^ y >> np.uint32(18))
    return np.stack(words, axis=1)


def _legacy(seeds: list[int]) -> Array:
    return _drawn(_twister(np.array([seed & _WORD for seed in seeds], dtype=np.uint32)))


def _python(seeds: list[int]) -> Array:
    """``random.Random``: ``init_by_array`` of the words of the seed; those of more than 64 bits are drawn one by one."""
    values = np.array([seed & (2**64 - 1) for seed in seeds], dtype=np.uint64)
    low, high = (values & np.uint64(_WORD)).astype(np.uint32), (values >> np.uint64(32)).astype(np.uint32)
    found = np.empty((len(seeds), _WORDS), dtype=np.uint32)
    for wide in (False, True):
        rows = np.flatnonzero((high > 0) == wide)
        if len(rows):
            found[rows] = _by_array([low[rows], high[rows]] if wide else [low[rows]])
    for row, seed in enumerate(seeds):
        if seed >= 2**64:
            generator = random.Random(seed)
            found[row] = [generator.getrandbits(32) for _ in range(_WORDS)]
    return found


def _by_array(keys: list[Array]) -> Array:
    count = len(keys[0])
    state = _twister(np.full(count, 19650218, dtype=np.uint32))
    i, j = 1, 0
    for _ in range(_SEEDED):
        before = state[i - 1]
        state[i] = (state[i] ^ (before ^ before >> np.uint32(30)) * np.uint32(1664525)) + keys[j] + np.uint32(j)
        i, j = i + 1, (j + 1) % len(keys)
        if i >= _SEEDED:
            state[0], i = state[_SEEDED - 1], 1
    for _ in range(_SEEDED - 1):
        before = state[i - 1]
        state[i] = (state[i] ^ (before ^ before >> np.uint32(30)) * np.uint32(1566083941)) - np.uint32(i)
        i += 1
        if i >= _SEEDED:
            state[0], i = state[_SEEDED - 1], 1
    state[0] = 0x80000000
    return _drawn(state)


def _two_below(first: Array, second: Array, limit: int) -> tuple[Array, Array]:
    """First number below a limit, and of those drawn after it the first below one less; −1 where there is none.

    Parameters
    ----------
    first, second : (S, W)
        The same draws, as they are cut for either limit.
    limit
        Number of things.
    """
    rows = np.arange(len(first))
    fits = first < limit
    at = fits.argmax(axis=1)
    one = np.where(fits.any(axis=1), first[rows, at].astype(np.int64), -1)
    later = (second < limit - 1) & (np.arange(second.shape[1])[None] > at[:, None])
    two = np.where(later.any(axis=1), second[rows, later.argmax(axis=1)].astype(np.int64), -1)
    return one, two


def _from_the_end(one: Array, two: Array, order: Array) -> Array:
    """Seeds of a shuffle that fills the last place first: place n − 1 from draw `one`, place n − 2 from `two`."""
    second = np.where(two == one, len(order) - 1, two)
    # Where too few numbers were drawn, a seed stays among those to try.
    return np.flatnonzero((one == order[-1]) & ((second == order[-2]) | (two < 0)) | (one < 0))


def _from_the_start(one: Array, two: Array, order: Array, moved: Array) -> Array:
    return np.flatnonzero((one == order[0]) & ((moved == order[1]) | (two < 0)) | (one < 0))


def _mask(limit: int) -> int:
    return int((1 << limit.bit_length()) - 1)


def _masked_shuffle(words: Array, order: Array) -> Array:
    """Fisher and Yates with rejection of what exceeds a mask: `RandomState` and `Generator` of NumPy."""
    count = len(order)
    cut = [words & np.uint32(_mask(limit)) for limit in (count - 1, count - 2)]
    return _from_the_end(*_two_below(cut[0], cut[1], count), order)


def _legacy_shuffle(draws: FirstDraws, order: Array) -> Array:
    return _masked_shuffle(draws.legacy, order)


def _numpy_shuffle(draws: FirstDraws, order: Array) -> Array:
    halves = [draws.numpy & np.uint64(_WORD), draws.numpy >> np.uint64(32)]
    words = np.stack(halves, axis=2).reshape(len(draws.numpy), -1).astype(np.uint32)
    return _masked_shuffle(words, order)


def _python_draws(draws: FirstDraws, count: int) -> tuple[Array, Array]:
    """`Random._randbelow` of `count`, then of one less."""
    cut = [draws.python >> np.uint32(32 - limit.bit_length()) for limit in (count, count - 1)]
    return _two_below(cut[0], cut[1], count)


def _python_shuffle(draws: FirstDraws, order: Array) -> Array:
    return _from_the_end(*_python_draws(draws, len(order)), order)


def _python_sample(draws: FirstDraws, order: Array) -> Array:
    """The pool's last thing takes the place of each that is drawn."""
    one, two = _python_draws(draws, len(order))
    return _from_the_start(one, two, order, np.where(two == one, len(order) - 1, two))


def _torch_shuffle(draws: FirstDraws, order: Array) -> Array:
    """Each thing is swapped with one behind it."""
    one = draws.legacy[:, 0].astype(np.int64) % len(order)
    two = 1 + draws.legacy[:, 1].astype(np.int64) % (len(order) - 1)
    return _from_the_start(one, two, order, np.where(two == one, 0, two))


def _sorted(values: Array, order: Array) -> Array:
    """Seeds whose first numbers would have about the ranks that the first things have, and the order of these."""
    count = len(order)
    ranks = np.argsort(order)[: values.shape[1]]
    share = (ranks + 0.5) / count
    near = np.abs(values - share) < 6 * np.sqrt(share * (1 - share) / count) + 2 / count
    same = (np.argsort(values, axis=1) == np.argsort(ranks)).all(axis=1)
    return np.flatnonzero(near.all(axis=1) & same)


def _legacy_sorted(draws: FirstDraws, order: Array) -> Array:
    high, low = draws.legacy[:, ::2] >> np.uint32(5), draws.legacy[:, 1::2] >> np.uint32(6)
    return _sorted((high * 67108864.0 + low) / 9007199254740992.0, order)


def _numpy_sorted(draws: FirstDraws, order: Array) -> Array:
    return _sorted((draws.numpy >> np.uint64(11)) / 9007199254740992.0, order)


def _python_permutation(seed: int, count: int) -> Array:
    things = list(range(count))
    random.Random(seed).shuffle(things)
    return np.array(things)


def _torch_permutation(seed: int, count: int) -> Array:
    import torch

    generator = torch.Generator().manual_seed(seed & (2**63 - 1))
    return np.asarray(torch.randperm(count, generator=generator).numpy())


SHUFFLES = (
    Shuffle("numpy.random.default_rng({})", lambda s, n: np.random.default_rng(s).permutation(n), _numpy_shuffle),
    Shuffle(
        "numpy.random.RandomState({})", lambda s, n: np.random.RandomState(s & _WORD).permutation(n), _legacy_shuffle
    ),
    Shuffle("random.Random({})", _python_permutation, _python_shuffle),
    Shuffle("torch.randperm with the seed {}", _torch_permutation, _torch_shuffle),
    Shuffle(
        "random.Random({}).sample",
        lambda s, n: np.array(random.Random(s).sample(range(n), n)),
        _python_sample,
    ),
    Shuffle(
        "sorting the numbers of numpy.random.default_rng({})",
        lambda s, n: np.random.default_rng(s).random(n).argsort(),
        _numpy_sorted,
    ),
    Shuffle(
        "sorting the numbers of numpy.random.RandomState({}), as MATLAB does",
        lambda s, n: np.random.RandomState(s & _WORD).random_sample(n).argsort(),
        _legacy_sorted,
    ),
)
