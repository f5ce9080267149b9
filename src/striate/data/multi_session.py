"""Several recordings in turn: one batch of each a round."""

from collections.abc import Iterator, Mapping

from striate.data.batch import Batch
from striate.data.dataset import TrialLoader
from striate.errors import InputError, WithheldError


class Cycle:
    """Rounds of one batch of each recording, until the longest loader is exhausted.

    A shorter loader starts again, newly shuffled, when it is exhausted: the order of training in the
    baselines of SENSORIUM 2022. Iterating yields, a round, the batches by session, in the order of `loaders`.

    Parameters
    ----------
    loaders
        The loader of each recording, by session.
    epoch
        The epoch that each pass is; None to go on from where the loaders stand.

    Raises
    ------
    InputError
        If there are no loaders.
    WithheldError
        If the responses of any of them are withheld: cycling is for training.
    """

    def __init__(self, loaders: Mapping[str, TrialLoader], epoch: int | None = None) -> None:
        if not loaders:
            raise InputError("There are no recordings to cycle through: give at least one.")
        for session, loader in loaders.items():
            if not loader.dataset.with_responses:
                raise WithheldError(
                    f"Tier {loader.dataset.tier!r} of {session} comes without responses (they are withheld, or it was "
                    "loaded for prediction), so it cannot be trained on: train on tier 'train'."
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
    """Cycle through the loaders of several recordings; see `Cycle`."""
    return Cycle(loaders, epoch)
