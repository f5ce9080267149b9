"""Sampler of batches: trials are shuffled in each epoch, reproducibly."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from striate.data.subsets import seed_sequence
from striate.errors import InputError

Positions = NDArray[np.int64]


class BatchSampler(Sampler[Positions]):
    """Split trials into batches; the last batch may be smaller, and no trial is dropped.

    The order depends only on the seed, the session, the epoch and the number of passes within the epoch. It does not depend on
    the number of workers or on earlier epochs, so that training can resume at any epoch.

    Parameters
    ----------
    trials
        Number of trials; batches consist of positions from 0 to trials − 1.
    batch_size
        Number of trials in a batch.
    shuffle
        Whether to shuffle; otherwise positions are ascending.
    seed
        Seed of the order, ≥ 0.
    session
        Session of the recording, so that recordings are shuffled independently.

    Examples
    --------
    >>> [batch.tolist() for batch in BatchSampler(5, 2, shuffle=False)]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, trials: int, batch_size: int, *, shuffle: bool, seed: int = 0, session: str = "") -> None:
        self._trials = trials
        self._shuffle = shuffle
        self.batch_size = batch_size
        self._seed = seed
        self._session = session
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Select the epoch, counted from 0, of the next pass.

        Raises
        ------
        InputError
            If `epoch` is negative.
        """
        if epoch < 0:
            raise InputError(f"Epochs are counted from 0, got {epoch}.")
        self._epoch = epoch
        self._starts = 0

    def pass_seed(self) -> list[int]:
        """Return the seed of the next pass, from the seed, the session, the epoch and the number of passes within the epoch."""
        return seed_sequence(self._seed, self._session, self._epoch, self._starts)

    def __len__(self) -> int:
        """Return the number of batches."""
        return -(-self._trials // self.batch_size)

    def __iter__(self) -> Iterator[Positions]:
        order = np.arange(self._trials)
        if self._shuffle:
            order = np.random.default_rng(self.pass_seed()).permutation(order)
        self._starts += (
            1  # counted at the first batch, because a loader with workers makes an iterator that it never reads
        )
        for start in range(0, self._trials, self.batch_size):
            yield order[start : start + self.batch_size]
