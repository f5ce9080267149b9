"""PyTorch dataset and loader of the trials of one tier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
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
    from torch import Tensor

    from striate.data.augmentations import Augmentations
    from striate.data.preprocessing import PreparedRecording

_READ_AHEAD = 256 * 2**20  # bytes of inputs and responses that are read and prepared at a time


class TrialDataset(Dataset[Batch]):
    """Trials of one tier. Indexing with positions of trials returns a `Batch`.

    Attributes
    ----------
    session, tier
        Session of the recording, and tier of the trials.
    rows : (T,)
        Row number of each trial in the recording.
    with_responses
        Whether batches have responses: false if they are withheld or were not requested.
    image_channels
        Number of channels of the images, without those of behaviour.
    """

    def __init__(
        self, prepared: PreparedRecording, tier: str, rows: NDArray[np.int64], *, with_responses: bool
    ) -> None:
        self.session = prepared.session
        self.tier = tier
        self.with_responses = with_responses
        self._prepared = prepared
        self.rows = rows
        self.image_channels = prepared.image_channels
        self._targets: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        """Return the number of trials."""
        return self.rows.size

    @property
    def device(self) -> torch.device:
        """Device of the batches."""
        return self._prepared.device

    @property
    def uncached_bytes(self) -> int:
        """Bytes per trial that are not cached, and are prepared anew for each batch."""
        return self._prepared.uncached_bytes(self.rows, with_responses=self.with_responses)

    @torch_defaults()
    def __getitem__(self, positions: int | Sequence[int] | NDArray[np.int64]) -> Batch:
        chosen = np.atleast_1d(np.asarray(positions, dtype=np.int64))
        batch = self.inputs(self.rows[chosen])
        return replace(batch, responses=self._responses(chosen)) if self.with_responses else batch

    @torch_defaults()
    def inputs(self, rows: NDArray[np.int64]) -> Batch:
        """Return the inputs of trials of any tier, by their row numbers, without responses."""
        images, behavior, pupil_center = self._prepared.inputs(rows)
        where, context = torch.from_numpy(rows).to(images.device), self._prepared.context(rows)
        return Batch(self.session, self.tier, where, images, None, behavior, pupil_center, context=context)

    @torch_defaults()
    def with_images(self, images: Tensor, rows: NDArray[np.int64]) -> Batch:
        """Return other images as if they had been shown in trials of the recording, without responses.

        Parameters
        ----------
        images : (B, C, h, w)
            Standardised images.
        rows : (B,)
            Row numbers of the trials whose behaviour, eye position and context are used.
        """
        images, behavior, pupil_center = self._prepared.other_inputs(images, rows)
        where, context = torch.from_numpy(rows).to(images.device), self._prepared.context(rows)
        return Batch(self.session, self.tier, where, images, None, behavior, pupil_center, context=context)

    def set_targets(self, targets: NDArray[np.float32]) -> None:
        """Give batches these responses, (T, N), instead of the measured ones: what models are fitted to."""
        self._targets = targets

    def _responses(self, positions: NDArray[np.int64]) -> Tensor:
        if self._targets is None:
            return self._prepared.responses(self.rows[positions])
        return torch.from_numpy(self._targets[positions]).to(self._prepared.device)


class TrialLoader(DataLoader[Batch]):
    """A PyTorch loader of whole batches of one tier, augmented if it is the training tier and the settings say so.

    Its `sampler` (a `BatchSampler`) chooses the trials of each batch. ``loader.set_epoch(epoch)`` selects the order of trials
    of the next pass, independently of earlier passes.

    Examples
    --------
    >>> import striate
    >>> recording = striate.simulate(neurons=10)  # doctest: +SKIP
    >>> loader = striate.loaders(recording, batch_size=64).train  # doctest: +SKIP
    >>> next(iter(loader)).images.shape  # doctest: +SKIP
    torch.Size([64, 1, 36, 64])
    """

    sampler: BatchSampler
    dataset: TrialDataset

    def __init__(
        self,
        dataset: TrialDataset,
        sampler: BatchSampler,
        *,
        workers: int,
        pin_memory: bool,
        augmentations: Augmentations | None = None,
    ) -> None:
        super().__init__(
            dataset,
            batch_size=None,
            sampler=sampler,
            num_workers=workers,
            collate_fn=_identity,
            pin_memory=pin_memory,
            persistent_workers=workers > 0,
            generator=torch.Generator(),  # its own generator, so that loading does not change the global one
        )
        self._augmentations = augmentations

    def __repr__(self) -> str:
        data = self.dataset
        return f"<TrialLoader {data.session} {data.tier}: {len(data)} trials in {len(self)} batches>"

    def set_epoch(self, epoch: int) -> None:
        """Select the epoch, counted from 0, of the next pass."""
        self.sampler.set_epoch(epoch)

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        return self._augmented() if self._augmentations else self._batches()

    def _augmented(self) -> Iterator[Batch]:
        """Augment each batch in this process, so that it does not depend on the number of workers."""
        assert self._augmentations is not None
        pass_seed = self.sampler.pass_seed()
        for number, batch in enumerate(self._batches()):
            seed = np.random.SeedSequence([*pass_seed, number]).generate_state(1, np.uint64)
            augmented = self._augmentations(batch, int(seed[0] >> 1))
            yield augmented.pin_memory() if self.pin_memory else augmented

    def _batches(self) -> Iterator[Batch]:
        size = self.dataset.uncached_bytes
        if self.num_workers or self.pin_memory or not size:
            with torch_defaults():
                return super().__iter__()
        return self._read_in_order(max(1, _READ_AHEAD // (size * self.sampler.batch_size)))

    def _read_in_order(self, batches: int) -> Iterator[Batch]:
        """Read the trials of several batches in file order, then distribute them to their batches.

        The batches are exactly those of the sampler, but the disk reads sequentially.
        """
        order = iter(self.sampler)
        while window := list(islice(order, batches)):
            positions = np.concatenate(window)
            in_file_order = np.argsort(positions, kind="stable")
            read = self.dataset[positions[in_file_order]]
            places = np.argsort(in_file_order, kind="stable")
            for part in np.split(places, np.cumsum([one.size for one in window])[:-1]):
                yield read.take(torch.from_numpy(part).to(read.images.device))
            del read  # frees the memory before the next read


def _identity(batch: Any) -> Any:
    return batch
