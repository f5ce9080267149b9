"""The seed of a simulation: the secret from which everything random follows, each purpose on its own."""

import hashlib
import hmac
import secrets

import numpy as np

from striate.errors import InputError

_GUESSABLE_BITS = 64


class Seed:
    """A seed that must not be found out while a competition runs.

    Every purpose (the images, a mouse's neurons, its noise …) has a key of its own, made from the seed with
    HMAC-SHA-256. So no purpose disturbs another (more neurons leave the images as they are), and nobody who
    works a generator's state out of what is public gets from there to the seed or to another purpose.

    Parameters
    ----------
    value
        A whole number ≥ 0; 128 random bits if not given.

    Attributes
    ----------
    value
        The number.
    secret
        Its bytes, the most significant first: the key from which those of all purposes are made.

    Raises
    ------
    InputError
        If it is not a whole number ≥ 0.
    """

    def __init__(self, value: int | None = None) -> None:
        if value is None:
            value = secrets.randbits(128)
        if type(value) is not int or value < 0:  # also refuses True
            raise InputError(f"The seed is {value!r}: give a whole number ≥ 0, or none to have one drawn.")
        self.value = value
        self.secret = value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")

    @property
    def guessable(self) -> bool:
        """Whether the seed is short enough to be found by trying."""
        return self.value.bit_length() < _GUESSABLE_BITS

    def key(self, purpose: str) -> bytes:
        """32 secret bytes for one purpose."""
        return hmac.new(self.secret, purpose.encode(), hashlib.sha256).digest()

    def generator(self, purpose: str, *numbers: int) -> np.random.Generator:
        """Make the random generator of one purpose; `numbers` tell its parts (images, blocks …) apart."""
        entropy = int.from_bytes(self.key(purpose), "big")
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy, spawn_key=numbers)))

    def __repr__(self) -> str:
        return "<Seed>"  # not its value: representations end up in logs


def as_seed(seed: "Seed | int | None") -> Seed:
    """Turn what the user gave into a `Seed`."""
    return seed if isinstance(seed, Seed) else Seed(seed)
