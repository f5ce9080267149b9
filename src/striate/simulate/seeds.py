"""The secret seed of a simulation, with an independent random generator for each purpose."""

import hashlib
import hmac
import secrets

import numpy as np

from striate.errors import InputError

_GUESSABLE_BITS = 64  # a shorter seed can be found by exhaustive search


class Seed:
    """A seed that must stay secret while a competition runs.

    Every purpose (images, the neurons of a mouse, their noise …) has its own key, derived from the seed with HMAC-SHA-256.
    Purposes are therefore independent: a different number of neurons does not change the images. The state of a generator,
    if it is recovered from public data, reveals neither the seed nor the generators of other purposes.

    Parameters
    ----------
    value
        An integer ≥ 0 (default: 128 random bits).

    Attributes
    ----------
    value
        The seed as an integer.
    secret
        The seed as big-endian bytes, from which all keys are derived.

    Raises
    ------
    InputError
        If `value` is not an integer ≥ 0.

    Examples
    --------
    >>> from striate.simulate import Seed
    >>> seed = Seed(1)
    >>> bool(seed.generator("images", 3).random() == seed.generator("images", 3).random())
    True
    >>> seed
    <Seed>
    """

    def __init__(self, value: int | None = None) -> None:
        if value is None:
            value = secrets.randbits(128)
        if type(value) is not int or value < 0:  # also refuses True
            raise InputError(f"The seed is {value!r}: give a whole number ≥ 0, or none to draw one.")
        self.value = value
        self.secret = value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")

    @property
    def guessable(self) -> bool:
        """Whether the seed is short enough to be found by exhaustive search."""
        return self.value.bit_length() < _GUESSABLE_BITS

    def key(self, purpose: str) -> bytes:
        """Return the secret key of one purpose, 32 bytes."""
        return hmac.new(self.secret, purpose.encode(), hashlib.sha256).digest()

    def generator(self, purpose: str, *numbers: int) -> np.random.Generator:
        """Return the random generator of one purpose.

        Parameters
        ----------
        purpose
            Name of the purpose.
        *numbers
            Indices of a part of the purpose, such as the id of an image.
        """
        entropy = int.from_bytes(self.key(purpose), "big")
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy, spawn_key=numbers)))

    def __repr__(self) -> str:
        return "<Seed>"  # without the value, because representations end up in logs


def as_seed(seed: "Seed | int | None") -> Seed:
    """Convert an integer, a `Seed` or None (128 random bits) to a `Seed`.

    Examples
    --------
    >>> as_seed(7).value
    7
    """
    return seed if isinstance(seed, Seed) else Seed(seed)
