"""Seeds of common generators are told apart by their first draws, which agree with the generators themselves."""

import random

import numpy as np
import pytest

from striate.competition.probes.generators import SHUFFLES, FirstDraws, pcg64_outputs

SEEDS = [0, 1, 77, 2022, 20210601, 2**32 - 1]


@pytest.fixture(scope="module")
def draws():
    return FirstDraws(SEEDS)


def test_first_draws_are_those_of_the_generators(draws):
    for row, seed in enumerate(SEEDS):
        assert draws.legacy[row].tolist() == np.random.RandomState(seed).randint(0, 2**32, 12, dtype=np.uint32).tolist()
        generator = random.Random(seed)
        assert draws.python[row].tolist() == [generator.getrandbits(32) for _ in range(12)]
        assert draws.numpy[row].tolist() == np.random.default_rng(seed).bit_generator.random_raw(6).tolist()


def test_long_seeds_are_drawn_from_as_well():
    seeds = [2**40 + 7, 2**64 + 1, 2**255 + 3, 5]
    wanted = [np.random.Generator(np.random.PCG64(np.random.SeedSequence(s))).bit_generator.random_raw() for s in seeds]
    assert pcg64_outputs(seeds, 1)[:, 0].tolist() == wanted


@pytest.mark.parametrize("shuffle", SHUFFLES, ids=lambda shuffle: shuffle.called)
@pytest.mark.parametrize("count", [20, 114, 1000])
def test_the_seed_of_a_shuffle_is_among_the_candidates(shuffle, count, draws):
    for row, seed in enumerate(SEEDS):
        candidates = shuffle.candidates(draws, shuffle.permutation(seed, count)).tolist()
        assert row in candidates
    few = [len(shuffle.candidates(draws, np.random.default_rng([9, i]).permutation(count))) for i in range(20)]
    assert sum(few) <= 2 * len(SEEDS), "most seeds are told apart without trying"
