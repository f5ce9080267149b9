"""Distillation: a model, the student, learns what another one predicts, its teacher.

The targets of training trials are mixtures of the measured responses and the predictions of the teacher. Further images, which were
not shown to the animal, have the predictions of the teacher alone as targets. Everything that is drawn follows from the seed of the training,
the recording and the epoch, so that a training that was interrupted goes on with the same images.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from striate._internal.progress_bars import progress_bar
from striate.data import Batch, SessionLoaders, loaders
from striate.data.subsets import seed_sequence
from striate.errors import InputError, describe_type, listed, option
from striate.training.ensemble import Ensemble
from striate.training.ensemble_members import weights_hash
from striate.training.ensemble_module import same_inputs
from striate.training.environment import folder_name
from striate.training.open_run import open_run
from striate.training.recipe import DistillationSettings
from striate.training.run import Run
from striate.training.trained_model import TrainedModel
from striate.training.unlabelled_images import ImagePool, load_images, refuse_test_images, withheld_images

if TYPE_CHECKING:
    from striate.recordings import Recording

_BLOCK = 256  # trials whose predictions are computed together


@dataclass(frozen=True)
class WeightedBatch:
    """Images without measured responses, whose responses are the targets of the teacher, and their weight in the loss."""

    batch: Batch
    weight: float


class Distillation:
    """A teacher and what it teaches.

    Parameters
    ----------
    settings
        Settings of the distillation.
    teacher
        The trained model.
    data
        Loaders of the student.
    seed
        Seed of the training.
    device
        Device of the computation.

    Attributes
    ----------
    facts
        What the provenance of the student records: teacher, images and their hashes.

    Raises
    ------
    InputError
        If the teacher does not predict all neurons that the student learns, images cannot be read, or are images of test tiers though the
        benchmark does not allow it.
    """

    def __init__(
        self,
        settings: DistillationSettings,
        teacher: TrainedModel,
        data: SessionLoaders,
        *,
        seed: int,
        device: torch.device,
    ) -> None:
        teacher.require_finished()
        self._settings = settings
        self._data = data
        self._seed = seed
        self._columns = {session: _columns(teacher, data, session) for session in data}
        recordings = [one.recording for one in data.values()]
        of_student = next(iter(data.values())).settings.model_copy(update={"image_size": data.input_shape[1:]})
        self._teacher_data = (
            data
            if same_inputs(of_student, teacher.data)
            else loaders(recordings, teacher.data.for_prediction(), tiers=("train",), cache_gib=0.0, device=device)
        )
        self._pools = self._image_pools(recordings)
        self._drawn: dict[str, tuple[int, NDArray[np.int64], NDArray[np.int64]]] = {}
        self._module = teacher.module().to(device).eval().requires_grad_(False)
        self.facts = self._facts(teacher, recordings)

    @classmethod
    def from_settings(
        cls,
        settings: DistillationSettings | None,
        teacher: object,
        data: SessionLoaders,
        *,
        seed: int,
        device: torch.device,
    ) -> Distillation | None:
        """Return the distillation of a recipe; None if it has none.

        Parameters
        ----------
        settings
            The table ``[distillation]``.
        teacher
            The trained model, if it is open already, or was given by its path.
        data, seed, device
            As in the constructor.
        """
        if settings is None:
            return None
        if not isinstance(teacher, TrainedModel | str | os.PathLike | None):
            raise InputError(f"teacher is {describe_type(teacher)}; expected a run, an ensemble, or its folder.")
        if isinstance(teacher, TrainedModel):
            return cls(settings, teacher, data, seed=seed, device=device)
        if settings.teacher is None:
            raise InputError(
                "The recipe has a table [distillation], but no teacher: name a run or an ensemble "
                f"({option('--teacher', 'teacher=…')}, or distillation.teacher), or leave the table out."
            )
        return cls(settings, open_run(settings.teacher), data, seed=seed, device=device)

    def set_targets(self) -> None:
        """Give training trials their targets: mixtures of measured responses and predictions of the teacher."""
        weight = np.float32(self._settings.weight)
        if weight == 0:
            return
        for session, one in self._data.items():
            dataset = one.train.dataset
            targets = np.empty((len(dataset), one.unit_ids.size), dtype=np.float32)
            with progress_bar(f"Teacher of {session}", len(dataset)) as advance:
                for start in range(0, len(dataset), _BLOCK):
                    positions = np.arange(start, min(start + _BLOCK, len(dataset)))
                    measured = dataset[positions].measured_responses().cpu().numpy()
                    rates = self._rates(self._teacher_data[session].train.dataset.inputs(dataset.rows[positions]))
                    targets[positions] = (1 - weight) * measured + weight * rates.cpu().numpy()
                    advance(positions.size)
            dataset.set_targets(targets)

    def batch(self, session: str, epoch: int, number: int, rounds: int) -> WeightedBatch | None:
        """Return the images of one round of an epoch, with the predictions of the teacher as responses; None if there are none.

        Parameters
        ----------
        session
            Session of the recording.
        epoch
            Epoch, counted from 0.
        number, rounds
            Number of the round, from 0, and number of rounds of an epoch.
        """
        pool, count = self._pools.get(session), self._settings.per_epoch
        here = slice(number * count // rounds, (number + 1) * count // rounds)
        if pool is None or here.start == here.stop:
            return None
        positions, rows = (each[here] for each in self._draw(session, epoch))
        batch = self._shown(self._data, session, pool, positions, rows)
        same = self._teacher_data is self._data
        taught = batch if same else self._shown(self._teacher_data, session, pool, positions, rows)
        return WeightedBatch(replace(batch, responses=self._rates(taught)), self._settings.images_weight)

    def _shown(
        self,
        data: SessionLoaders,
        session: str,
        pool: ImagePool,
        positions: NDArray[np.int64],
        rows: NDArray[np.int64],
    ) -> Batch:
        """Return images of the pool in the states of some trials."""
        one = data[session]
        dataset = one.train.dataset
        images = pool.inputs(positions, one.input_shape[1:], one.standardisation)
        return dataset.with_images(images.to(dataset.device), rows)

    def _draw(self, session: str, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Draw the images of an epoch, and the training trial whose behaviour and eye position each gets.

        No image is drawn again before all of them have been drawn.
        """
        if self._drawn.get(session, (-1,))[0] != epoch:
            images, count = len(self._pools[session]), self._settings.per_epoch
            rng = np.random.default_rng(seed_sequence(self._seed, session, "unlabelled", epoch))
            passes = [rng.permutation(images) for _ in range(-(-count // images))]
            rows = rng.choice(self._data[session].train.dataset.rows, count)
            self._drawn[session] = (epoch, np.concatenate(passes)[:count], rows)
        return self._drawn[session][1:]

    def _rates(self, batch: Batch) -> torch.Tensor:
        """Predict the responses of the neurons of the student."""
        with torch.inference_mode():
            rates: torch.Tensor = self._module(batch).float()
        columns = self._columns[batch.session]
        if columns is not None:
            rates = rates[:, torch.from_numpy(columns).to(rates.device)]
        return rates.clone()  # outside inference mode, so that gradients may be computed with it

    def _image_pools(self, recordings: list[Recording]) -> dict[str, ImagePool]:
        """Return the images of each recording; none if the settings ask for none."""
        settings = self._settings
        pools: dict[str, ImagePool] = {}
        made: dict[Any, ImagePool] = {}
        for recording in recordings:
            session, parts = recording.session, []
            if settings.images is not None:
                sizes = [data[session].input_shape[1:] for data in (self._data, self._teacher_data)]
                key = recording.image_shape, max(sizes)
                if key not in made:
                    stimulus = recording.benchmark.stimulus
                    made[key] = load_images(settings.images, settings.pool, 0, *key, stimulus)
                if not settings.withheld_images:
                    refuse_test_images(made[key], recording)
                parts += made[key].parts
            if settings.withheld_images:
                parts.append(withheld_images(recording))
            if parts:
                pools[session] = ImagePool(parts)
        return pools

    def _facts(self, teacher: TrainedModel, recordings: list[Recording]) -> dict[str, Any]:
        members = teacher.members if isinstance(teacher, Ensemble) else [teacher]
        hashes = [weights_hash(member.folder) for member in members]
        images = hashlib.sha256("".join(pool.fingerprint() for pool in self._pools.values()).encode()).hexdigest()
        withheld = {
            recording.session: len(withheld_images(recording))
            for recording in recordings
            if self._settings.withheld_images
        }
        return {
            "teacher": {
                "run": folder_name(teacher.folder),
                "kind": "run" if isinstance(teacher, Run) else "ensemble",
                "weights_sha256": hashlib.sha256("".join(hashes).encode()).hexdigest()
                if len(hashes) > 1
                else hashes[0],
                "protocol": teacher.protocol,
            },
            "images": {"number": {s: len(pool) for s, pool in self._pools.items()}, "sha256": images}
            if self._pools
            else None,
            "withheld_images": withheld or None,
            "trained_on_validation": teacher.trained_on_validation,
        }


def _columns(teacher: TrainedModel, data: SessionLoaders, session: str) -> NDArray[np.int64] | None:
    """Return the columns of the teacher's predictions that are the neurons of the student; None for all, in the same order.

    Raises
    ------
    InputError
        If the teacher does not predict these neurons in the same units.
    """
    if session not in teacher.sessions:
        raise InputError(
            f"The teacher {teacher.folder} does not know recording {session}, only {listed(teacher.sessions, 8)}: train on these, or give "
            "another teacher."
        )
    known, wanted = teacher.unit_ids(session), data[session].unit_ids
    column_of = {unit: column for column, unit in enumerate(known.tolist())}
    if absent := [unit for unit in wanted.tolist() if unit not in column_of]:
        raise InputError(
            f"The teacher {teacher.folder} does not predict the neurons {listed(absent, 5)} of {session}: select neurons that it predicts, or "
            "give another teacher."
        )
    columns = np.array([column_of[unit] for unit in wanted.tolist()], dtype=np.int64)
    scale = teacher.standardisation(session).response_scale[columns]
    if not np.allclose(scale, data[session].standardisation.response_scale, rtol=1e-6, atol=0):
        raise InputError(
            f"The teacher {teacher.folder} was trained on another version of recording {session}, whose responses have another scale: train it "
            "on the same files."
        )
    return None if np.array_equal(known, wanted) else columns
