"""Which trials make up each batch: shuffled anew each epoch, and the same again whenever that epoch is repeated."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from striate.data.subsets import seed_of
from striate.errors import InputError

Positions = NDArray[np.int64]


class BatchSampler(Sampler[Positions]):
    """Split trials into batches; the last one may be shorter, none is dropped.

    The order depends on the seed, the session, the epoch and on how often the loader has been started within
    the epoch, and on nothing else: not on the number of workers, not on what was drawn in earlier epochs. So
    training can resume at any epoch.

    Parameters
    ----------
    trials
        Number of trials to split; batches are made of their positions, 0 to trials − 1.
    batch_size
        Trials in a batch.
    shuffle
        Whether to shuffle; else the positions ascend.
    seed
        Seed of the order, ≥ 0.
    session
        Name of the recording, so that several recordings are shuffled independently.
    """

    def __init__(self, trials: int, batch_size: int, *, shuffle: bool, seed: int = 0, session: str = "") -> None:
        self._trials = trials
        self._shuffle = shuffle
        self.batch_size = batch_size
        self._seed = seed
        self._session = session
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of an epoch, counted from 0.

        Raises
        ------
        InputError
            If `epoch` is negative.
        """
        if epoch < 0:
            raise InputError(f"Epochs are counted from 0, got {epoch}.")
        self._epoch = epoch
        self._starts = 0

    def __len__(self) -> int:
        """Return the number of batches."""
        return -(-self._trials // self.batch_size)

    def __iter__(self) -> Iterator[Positions]:
        order = np.arange(self._trials)
        if self._shuffle:
            seed = seed_of(self._seed, self._session, self._epoch, self._starts)
            order = np.random.default_rng(seed).permutation(order)
        self._starts += 1  # counted at the first batch: a loader with workers makes one iterator that it never reads
        for start in range(0, self._trials, self.batch_size):
            yield order[start : start + self.batch_size]
