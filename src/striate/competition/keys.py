"""What follows from the seed of a competition: keys, salts, random choices; each purpose has its own."""

import hmac
from collections.abc import Sequence

from striate.errors import InputError
from striate.simulate.seeds import Seed


class CompetitionSeed(Seed):
    """The secret of a competition: 128 random bits, kept in the vault.

    Raises
    ------
    InputError
        If a value is given that could be found by trying.
    """

    def __init__(self, value: int | None = None) -> None:
        super().__init__(value)
        if self.guessable:
            raise InputError(
                f"The seed of a competition has {self.value.bit_length()} bits, so that it can be found by trying, and all "
                "that is withheld with it: give none, and 128 random bits are drawn."
            )

    def trial_key(self, session: str) -> bytes:
        """32 bytes that turn trial indices of a recording into their public names."""
        return self.key(f"trial_idx of {session}")

    def salt(self, purpose: str) -> bytes:
        """16 bytes that hide what a commitment commits to until they are published."""
        return self.key(f"salt of {purpose}")[:16]

    @property
    def simulation(self) -> Seed:
        """Seed of the recordings themselves, where they are simulated."""
        return Seed(int.from_bytes(self.key("simulation")[:16], "big"))


def hidden_indices(key: bytes, indices: Sequence[object]) -> list[str]:
    """Public names of trials: HMAC-SHA-256 of their indices, 32 hexadecimal digits like the MD5 of 2022.

    An unkeyed hash of a small number is undone by hashing all small numbers; this one is not without the key.
    """
    return [hmac.digest(key, str(index).encode(), "sha256")[:16].hex() for index in indices]
