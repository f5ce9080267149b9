"""Data loaders by tier, for one recording or several recordings."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray

from striate._internal import notebook_html
from striate._internal.devices import resolve_device
from striate._internal.torch_defaults import torch_defaults
from striate.catalog import as_recordings
from striate.catalog.open import is_single_recording
from striate.data.augmentations import Augmentations
from striate.data.config import DataSettings, data_settings
from striate.data.dataset import TrialDataset, TrialLoader
from striate.data.memory_budget import Budget
from striate.data.multi_session import Cycle
from striate.data.preprocessing import PreparedRecording
from striate.data.sampler import BatchSampler
from striate.data.standardisation import Standardisation
from striate.data.subsets import select_training_rows, tier_rows
from striate.errors import InputError, UnknownAttributeError, shortened, validate_count, validate_seed
from striate.recordings import Recording

_TIER_PROPERTIES = ("train", "validation", "test", "final_test")  # of Loaders
_MAX_SHOWN = 6  # recordings that a representation lists


@dataclass(frozen=True)
class _Options:
    """Options of loaders that do not change the data, except for the order of training trials."""

    tiers: tuple[str, ...] | None  # as the user typed them: each recording knows its own tiers
    shuffle: bool
    seed: int
    workers: int
    pin_memory: bool
    device: torch.device


class _NotLoadedError(InputError, KeyError):
    """A KeyError, as mappings raise it, with the message of an `InputError`."""

    __str__ = Exception.__str__


class Loaders(Mapping[str, TrialLoader]):
    """Mapping from tier to loader for one recording; made by `loaders`.

    Training trials are shuffled; the trials of all other tiers are in file order. Batches have no responses if those of the
    tier are withheld.

    Attributes
    ----------
    recording
        The recording.
    settings
        Settings of the data.
    unit_ids : (N,)
        Unit id of each selected neuron, in the order of the columns of responses.
    coordinates : (N, 3)
        Cortical coordinates x, y, z of each selected neuron, in µm.
    input_shape
        Channels, height and width of the inputs.
    behavior_size
        Number of behaviour variables in a batch; 0 if behaviour is not an input.
    behavior_planes
        How many channels of the inputs, the last ones, are constant planes of behaviour.
    context_size
        Number of variables of the context of a trial; 0 if batches have none.
    measured_trials
        Number of training and validation trials whose responses are known to later trials.

    Examples
    --------
    >>> data = striate.loaders(recording, batch_size=64)  # doctest: +SKIP
    >>> list(data), len(data.train)  # doctest: +SKIP
    (['train', 'validation', 'test'], 71)
    """

    def __init__(self, recording: Recording, settings: DataSettings, options: _Options) -> None:
        self.recording = recording
        self.settings = settings
        self._options = options
        self._prepared = PreparedRecording(recording, settings, options.device)
        self.unit_ids: NDArray[np.int64] = recording.unit_ids[self._prepared.columns]
        self.coordinates: NDArray[np.float64] = recording.coordinates[self._prepared.columns]
        self.input_shape = self._prepared.input_shape
        self.behavior_size = self._prepared.behavior_size
        self.behavior_planes = self._prepared.behavior_planes
        self.context_size = self._prepared.context_size
        self.measured_trials = self._prepared.measured_trials
        self._augmentations = Augmentations(
            settings.augmentations, (self._prepared.image_channels, *self._prepared.image_size)
        )
        spec = recording.benchmark
        self._training_tier = spec.training_tier
        self._rows = {
            tier: select_training_rows(recording, settings) if tier == self._training_tier else self._tier_rows(tier)
            for tier in (recording.tiers if options.tiers is None else spec.tier_names(options.tiers))
        }
        self._loaders: dict[str, TrialLoader] = {}

    @property
    def session(self) -> str:
        """Session of the recording."""
        return self.recording.session

    @property
    def standardisation(self) -> Standardisation:
        """Standardisation of the recording, for the selected neurons."""
        return self._prepared.standardisation

    def __getitem__(self, tier: str) -> TrialLoader:
        name = self.recording.benchmark.tier_name(tier)
        if name not in self._rows:
            raise _NotLoadedError(f"Tier {name!r} of {self.session} is not loaded; loaded: {', '.join(self._rows)}.")
        if name not in self._loaders:
            measured = name not in self.recording.withheld_tiers
            trains = name == self._training_tier
            self._loaders[name] = self._loader(
                name,
                self._rows[name],
                shuffle=self._options.shuffle and trains,
                with_responses=measured,
                augmentations=self._augmentations if trains else None,
            )
        return self._loaders[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        """Return the number of tiers."""
        return len(self._rows)

    def __repr__(self) -> str:
        tiers = ", ".join(f"{tier} {rows.size}" for tier, rows in self._rows.items())
        return f"<Loaders {self.session}: {self.unit_ids.size} neurons, input {self.input_shape}, trials: {tiers}>"

    def _repr_html_(self) -> str:
        about = {"neurons": f"{self.unit_ids.size:,}", "input": " × ".join(map(str, self.input_shape))}
        rows = [
            (tier, f"{rows.size:,}", f"{-(-rows.size // self.settings.batch_size):,}", self._response_status(tier))
            for tier, rows in self._rows.items()
        ]
        tiers = notebook_html.table(("tier", "trials", "batches", "responses"), rows)
        return notebook_html.section(f"Loaders of {self.session}", notebook_html.key_value_table(about), tiers)

    def _response_status(self, tier: str) -> str:
        return "withheld" if tier in self.recording.withheld_tiers else "given"

    def __getattr__(self, name: str) -> Any:
        raise UnknownAttributeError("Loaders", name, {*dir(type(self)), *self.__dict__} - set(dir(Mapping)))

    @property
    def train(self) -> TrialLoader:
        """Training trials, shuffled in each epoch."""
        return self["train"]

    @property
    def validation(self) -> TrialLoader:
        """Validation trials, in file order."""
        return self["validation"]

    @property
    def test(self) -> TrialLoader:
        """Trials of the test tier of the live board, in file order."""
        return self["live"]

    @property
    def final_test(self) -> TrialLoader:
        """Trials of the test tier of the final board, in file order."""
        return self["final"]

    def prediction(self, tier: str) -> TrialLoader:
        """Return a loader of all trials of a tier, in file order, without responses.

        The loader is independent of the training images that the settings select, and of the tiers that were loaded.
        """
        name = self.recording.benchmark.tier_name(tier)
        return self._loader(name, self._tier_rows(name), shuffle=False, with_responses=False)

    def responses(self, tier: str) -> NDArray[np.float32]:
        """Return the standardised responses of the selected neurons to all trials of a tier, in file order.

        Returns
        -------
        (trials of the tier, N)
            Responses, in the order of the trials of `prediction`.

        Raises
        ------
        WithheldError
            If the responses of the tier are withheld.
        """
        name = self.recording.benchmark.tier_name(tier)
        if self.settings.folds is None or name in self.recording.withheld_tiers:
            return self._prepared.standardise(self.recording.measured_responses(name))
        return self._prepared.standardised_responses(self._tier_rows(name))

    def _tier_rows(self, tier: str) -> NDArray[np.int64]:
        return tier_rows(self.recording, self.settings, tier)

    def set_epoch(self, epoch: int) -> None:
        """Select the epoch, counted from 0, of the next pass over each tier."""
        for loader in self.values():
            loader.set_epoch(epoch)

    def _cache_images(self, budget: Budget) -> None:
        rows = np.unique(np.concatenate(list(self._rows.values())))
        self._prepared.cache_images(self.recording.trials["image_id"], rows, budget)

    def _cache_responses(self, budget: Budget) -> None:
        measured = [rows for tier, rows in self._rows.items() if tier not in self.recording.withheld_tiers]
        if measured:
            self._prepared.cache_responses(np.unique(np.concatenate(measured)), budget)

    def _loader(
        self,
        tier: str,
        rows: NDArray[np.int64],
        *,
        shuffle: bool,
        with_responses: bool,
        augmentations: Augmentations | None = None,
    ) -> TrialLoader:
        options = self._options
        dataset = TrialDataset(self._prepared, tier, rows, with_responses=with_responses)
        sampler = BatchSampler(
            rows.size, self.settings.batch_size, shuffle=shuffle, seed=options.seed, session=self.session
        )
        return TrialLoader(
            dataset,
            sampler,
            workers=options.workers,
            pin_memory=options.pin_memory,
            augmentations=augmentations,
        )


class SessionLoaders(Mapping[str, Loaders]):
    """Mapping from session to `Loaders` for several recordings; made by `loaders`.

    Examples
    --------
    >>> data = striate.loaders([mouse_1, mouse_2])  # doctest: +SKIP
    >>> for batches in data.cycle():  # one batch of each recording  # doctest: +SKIP
    ...     loss = sum(loss_of(batch) for batch in batches.values())
    """

    def __init__(self, each: Iterable[Loaders]) -> None:
        self._each = {loaders.session: loaders for loaders in each}

    def __getitem__(self, session: str) -> Loaders:
        if session not in self._each:
            raise _NotLoadedError(f"Recording {session!r} is not loaded; loaded: {', '.join(self._each)}.")
        return self._each[session]

    def __getattr__(self, name: str) -> Any:
        if name in {tier for loaders in self._each.values() for tier in (*loaders, *_TIER_PROPERTIES)}:
            raise UnknownAttributeError("SessionLoaders, one for each recording,", name, [f"cycle({name!r})", "cycle"])
        raise UnknownAttributeError("SessionLoaders", name, set(dir(type(self))) - set(dir(Mapping)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._each)

    def __len__(self) -> int:
        """Return the number of recordings."""
        return len(self._each)

    def __repr__(self) -> str:
        each = [f"  {loaders!r}" for loaders in self.values()]
        more = [f"  and {len(each) - _MAX_SHOWN} more"] if len(each) > _MAX_SHOWN else []
        return "\n".join(["<SessionLoaders", *each[:_MAX_SHOWN], *more, ">"])

    def _repr_html_(self) -> str:
        tiers = dict.fromkeys(tier for one in self.values() for tier in one.recording.benchmark.tier_order)
        rows = [
            (
                session,
                f"{one.unit_ids.size:,}",
                " × ".join(map(str, one.input_shape)),
                *(f"{one._rows[tier].size:,}" if tier in one._rows else "" for tier in tiers),
            )
            for session, one in self.items()
        ]
        return notebook_html.section("Loaders", notebook_html.table(("recording", "neurons", "input", *tiers), rows))

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the inputs of all recordings.

        Raises
        ------
        InputError
            If they differ between recordings.
        """
        shapes = {session: loaders.input_shape for session, loaders in self.items()}
        if len(set(shapes.values())) > 1:
            raise InputError(
                f"The recordings have inputs of different shapes ({shapes}): give an image_size, so that one core can "
                "see them all."
            )
        return next(iter(shapes.values()))

    @property
    def behavior_size(self) -> int:
        """Number of behaviour variables in a batch; 0 if behaviour is not an input."""
        return next(iter(self.values())).behavior_size

    @property
    def behavior_planes(self) -> int:
        """How many channels of the inputs, the last ones, are constant planes of behaviour."""
        return next(iter(self.values())).behavior_planes

    @property
    def context_size(self) -> int:
        """Number of variables of the context of a trial; 0 if batches have none."""
        return next(iter(self.values())).context_size

    @property
    def coordinates(self) -> dict[str, NDArray[np.float64]]:
        """Cortical coordinates of the selected neurons in µm, shape (N, 3), by session."""
        return {session: loaders.coordinates for session, loaders in self.items()}

    def cycle(self, tier: str = "train", epoch: int | None = None) -> Cycle:
        """Return an iterable over rounds of one batch from each recording; see `Cycle`."""
        return Cycle({session: loaders[tier] for session, loaders in self.items()}, epoch)

    def set_epoch(self, epoch: int) -> None:
        """Select the epoch, counted from 0, of the next pass over each tier of each recording."""
        for loaders in self.values():
            loaders.set_epoch(epoch)


@overload
def loaders(
    recordings: Recording | str | os.PathLike[str],
    settings: DataSettings | Mapping[str, Any] | None = None,
    **options: Any,
) -> Loaders: ...


@overload
def loaders(
    recordings: Iterable[Recording | str | os.PathLike[str]] | Mapping[str, Recording],
    settings: DataSettings | Mapping[str, Any] | None = None,
    **options: Any,
) -> SessionLoaders: ...


@torch_defaults()
def loaders(
    recordings: Recording | str | os.PathLike[str] | Iterable[Any] | Mapping[str, Any],
    settings: DataSettings | Mapping[str, Any] | None = None,
    *,
    tiers: Iterable[str] | None = None,
    shuffle: bool = True,
    seed: int = 0,
    workers: int = 0,
    pin_memory: bool = False,
    device: torch.device | str = "cpu",
    **overrides: Any,
) -> Loaders | SessionLoaders:
    """Make PyTorch data loaders by tier, with the standardisation that the evaluation requires.

    Inputs and responses are preprocessed once and cached in memory up to `DataSettings.cache_gib`; the rest is read
    sequentially from the disk, for many batches at a time. Each loader yields `Batch` objects.

    Parameters
    ----------
    recordings
        One recording or several: open recordings, their paths, or their names.
    settings
        Settings of the data; None for the defaults of `DataSettings`.
    tiers
        Tiers to load; None for all tiers of each recording.
    shuffle
        Whether to shuffle training trials in each epoch. Other tiers are never shuffled.
    seed
        Seed of the order of training trials, ≥ 0. The order depends on the seed, the session, the epoch and the number of
        passes within the epoch, but not on `workers`.
    workers
        Number of worker processes that prepare batches. 0 uses the calling process, which is faster for cached data.
    pin_memory
        Whether batches are in page-locked memory.
    device
        Device of cached data and batches. ``"auto"`` is the first GPU if there is one, else the CPU.
    **overrides
        Keys of `DataSettings` that replace those of `settings`.

    Returns
    -------
    Loaders or SessionLoaders
        For one recording, a mapping from tier to loader; for several recordings, a mapping from session to `Loaders`.

    Raises
    ------
    InputError
        If a setting is unknown, not allowed or contradicts another one, or the recording lacks the requested data.

    Examples
    --------
    >>> data = striate.loaders(recording, behavior=True, batch_size=64)  # doctest: +SKIP
    >>> for batch in data.train:  # doctest: +SKIP
    ...     rates = encoder(batch)
    """
    options = _options(tiers, shuffle, seed, workers, pin_memory, _device(device))
    chosen = data_settings(settings, overrides)
    opened = _check_sessions(as_recordings(recordings))
    one_alone = len(opened) == 1 and is_single_recording(recordings)
    each = [Loaders(recording, chosen, options) for recording in opened]
    budget = Budget(chosen.cache_gib, options.device)
    for one in each:  # images first: they take the longest to prepare and the least memory
        one._cache_images(budget)
    for one in each:
        one._cache_responses(budget)
    return each[0] if one_alone else SessionLoaders(each)


def _device(given: torch.device | str) -> torch.device:
    """Return the device with a given name, if it is available; "meta" always is."""
    name = str(given)
    if name == "meta":
        return torch.device(name)
    there = resolve_device(name)
    return there if name == "auto" else torch.device(given)


def _options(
    tiers: Iterable[str] | None, shuffle: bool, seed: int, workers: int, pin_memory: bool, device: torch.device
) -> _Options:
    validate_seed(seed)
    validate_count("workers", workers, minimum=0)
    if device.type != "cpu" and (workers or pin_memory):
        raise InputError(
            f"workers and pin_memory are for batches that come from RAM; leave them out with device {device}."
        )
    if tiers is not None and not isinstance(tiers, Iterable):
        raise InputError(f"tiers is {shortened(tiers)}; expected names of tiers, such as ['test'].")
    names = None if tiers is None else (tiers,) if isinstance(tiers, str) else tuple(tiers)
    if names == ():
        raise InputError("tiers is empty: name at least one, or leave it out for all.")
    return _Options(names, shuffle, seed, workers, pin_memory, device)


def _check_sessions(opened: list[Recording]) -> list[Recording]:
    sessions = [recording.session for recording in opened]
    doubled = sorted({session for session in sessions if sessions.count(session) > 1})
    if doubled or not opened:
        raise InputError(
            f"Recording {doubled[0]} is given twice: give it once." if doubled else "There are no recordings to load."
        )
    return opened
