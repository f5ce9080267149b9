"""Names of trials: what can be undone is undone, and what has a secret key is not."""

import hashlib
import hmac
import secrets

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.competition.probes.indices import _ENCODINGS, _HASHES, undo

COUNT = 200


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    encoding=st.sampled_from(sorted(_ENCODINGS)),
    hashed=st.sampled_from(sorted(set(_HASHES) - {"no hash", "CRC-32", "Adler-32"})),
    length=st.sampled_from([16, 32, 64]),
    first=st.integers(0, 50),
    seed=st.integers(0, 1000),
)
def test_a_hash_of_small_numbers_is_undone(encoding, hashed, length, first, seed):
    """Whatever the encoding, the hash, where it is cut, where numbers begin, and which trials were lost."""
    lost = np.random.default_rng(seed).random(COUNT) < 0.1
    numbers = [first + n for n in range(COUNT) if not lost[n]]
    names = {n: _HASHES[hashed](_ENCODINGS[encoding](n))[:length] for n in numbers}
    found = undo(frozenset(names.values()), COUNT, [])
    assert found is not None
    assert len(set(found[1].values())) > 0.5 * len(set(names.values()))


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(
    word=st.sampled_from(["11-1-1", "sensorium", "secret"]),
    joint=st.sampled_from(["", "-", "_", ":"]),
    before=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_a_salt_that_can_be_guessed_does_not_help(word, joint, before, seed):
    kept = np.flatnonzero(np.random.default_rng(seed).random(COUNT) > 0.1)
    texts = [f"{word}{joint}{n}" if before else f"{n}{joint}{word}" for n in kept]
    names = frozenset(hashlib.sha256(text.encode()).hexdigest() for text in texts)
    found = undo(names, COUNT, ["mouse", word])
    assert found is not None
    assert len(found[1]) == len(kept)


@pytest.mark.slow
def test_a_key_that_nobody_knows_does():
    for _ in range(5):
        key = secrets.token_bytes(32)
        names = frozenset(hmac.digest(key, str(n).encode(), "sha256")[:16].hex() for n in range(COUNT))
        assert undo(names, COUNT, ["11-1-1", "sensorium", "secret"]) is None
