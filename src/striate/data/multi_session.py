"""Training batches of several recordings: each round has one batch of each recording."""

from collections.abc import Iterator, Mapping

from striate.data.batch import Batch
from striate.data.dataset import TrialLoader
from striate.errors import InputError, WithheldError


class Cycle:
    """Iterate over rounds of one batch from each recording, until the longest loader is exhausted.

    A shorter loader is shuffled and restarted when it is exhausted, as in the baselines of SENSORIUM 2022. Each round is a
    dict of batches by session, in the order of `loaders`.

    Parameters
    ----------
    loaders
        The loader of each recording, by session.
    epoch
        Epoch of each pass; None to continue with the current epoch of the loaders.

    Raises
    ------
    InputError
        If there are no loaders.
    WithheldError
        If a loader has no responses.

    Examples
    --------
    >>> import striate
    >>> data = striate.loaders([mouse_1, mouse_2])  # doctest: +SKIP
    >>> for batches in Cycle({session: one.train for session, one in data.items()}):  # doctest: +SKIP
    ...     loss = sum(loss_of(batch) for batch in batches.values())
    """

    def __init__(self, loaders: Mapping[str, TrialLoader], epoch: int | None = None) -> None:
        if not loaders:
            raise InputError("There are no recordings to cycle through: give at least one.")
        for session, loader in loaders.items():
            if not loader.dataset.with_responses:
                raise WithheldError(
                    f"Tier {loader.dataset.tier!r} of {session} comes without responses (they are withheld, or it was "
                    "loaded for prediction), so it cannot be trained on: train on the training tier."
                )
        self._loaders = dict(loaders)
        self._epoch = epoch

    def __len__(self) -> int:
        """Return the number of rounds."""
        return max(len(loader) for loader in self._loaders.values())

    def __iter__(self) -> Iterator[dict[str, Batch]]:
        if self._epoch is not None:
            for loader in self._loaders.values():
                loader.set_epoch(self._epoch)
        passes = {session: iter(loader) for session, loader in self._loaders.items()}
        for _ in range(len(self)):
            batches = {}
            for session, loader in self._loaders.items():
                batch = next(passes[session], None)
                if batch is None:
                    passes[session] = iter(loader)
                    batch = next(passes[session])
                batches[session] = batch
            yield batches


def cycle(loaders: Mapping[str, TrialLoader], epoch: int | None = None) -> Cycle:
    """Return a `Cycle` through the loaders of several recordings.

    Parameters
    ----------
    loaders
        Loader of each recording, by session.
    epoch
        Epoch of each pass; None to continue with the current epoch of the loaders.
    """
    return Cycle(loaders, epoch)
