"""The trials of one tier as a PyTorch dataset: positions in, one batch out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from striate._internal.torch_defaults import torch_defaults
from striate.data.batch import Batch
from striate.data.sampler import BatchSampler

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from striate.data.preprocessing import PreparedRecording

_AHEAD = 256 * 2**20  # bytes of prepared inputs and responses that are read at a time


class TrialDataset(Dataset[Batch]):
    """Trials of one tier; indexed with positions among them it gives one `Batch` of those trials.

    Attributes
    ----------
    session, tier
        Where the trials are from.
    rows : (T,)
        Row number of each trial in the recording.
    with_responses
        Whether batches carry responses: false where those are withheld, or not asked for.
    """

    def __init__(
        self, prepared: PreparedRecording, tier: str, rows: NDArray[np.int64], *, with_responses: bool
    ) -> None:
        self.session = prepared.session
        self.tier = tier
        self.with_responses = with_responses
        self._prepared = prepared
        self.rows = rows

    def __len__(self) -> int:
        """Return the number of trials."""
        return self.rows.size

    @property
    def not_kept(self) -> int:
        """Bytes a trial that are not in memory and have to be prepared for each batch."""
        return self._prepared.not_kept(self.rows, with_responses=self.with_responses)

    @torch_defaults()
    def __getitem__(self, positions: int | Sequence[int] | NDArray[np.int64]) -> Batch:
        index = np.atleast_1d(self.rows[np.asarray(positions, dtype=np.int64)])
        images, behavior, pupil_center = self._prepared.inputs(index)
        responses = self._prepared.responses(index) if self.with_responses else None
        where = torch.from_numpy(index).to(images.device)
        return Batch(self.session, self.tier, where, images, responses, behavior, pupil_center)


class TrialLoader(DataLoader[Batch]):
    """A PyTorch loader of whole batches of one tier.

    Its `sampler` (a `BatchSampler`) says which trials make up each batch; ``loader.set_epoch(e)`` makes the
    next pass that of epoch e, whatever was drawn before.
    """

    sampler: BatchSampler
    dataset: TrialDataset

    def __init__(self, dataset: TrialDataset, sampler: BatchSampler, *, workers: int, pin_memory: bool) -> None:
        super().__init__(
            dataset,
            batch_size=None,
            sampler=sampler,
            num_workers=workers,
            collate_fn=_as_it_is,
            pin_memory=pin_memory,
            persistent_workers=workers > 0,
            generator=torch.Generator(),  # its own, so that loading draws nothing from the global one
        )

    def __repr__(self) -> str:
        data = self.dataset
        return f"<TrialLoader {data.session} {data.tier}: {len(data)} trials in {len(self)} batches>"

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of an epoch, counted from 0."""
        self.sampler.set_epoch(epoch)

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        size = self.dataset.not_kept
        if self.num_workers or self.pin_memory or not size:
            with torch_defaults():
                return super().__iter__()
        return self._read_in_order(max(1, _AHEAD // (size * self.sampler.batch_size)))

    def _read_in_order(self, batches: int) -> Iterator[Batch]:
        """Read the trials of several batches in the order of the file, and then deal them to their batches.

        The batches are those of the sampler, trial by trial, so a recording that does not fit into memory trains
        as one that does; a disk only reads forwards instead of here and there.
        """
        order = iter(self.sampler)
        while window := list(islice(order, batches)):
            positions = np.concatenate(window)
            in_file_order = np.argsort(positions, kind="stable")
            read = self.dataset[positions[in_file_order]]
            places = np.argsort(in_file_order, kind="stable")
            for part in np.split(places, np.cumsum([one.size for one in window])[:-1]):
                yield read.some(torch.from_numpy(part).to(read.images.device))
            del read  # before the next ones are read


def _as_it_is(batch: Any) -> Any:
    return batch
