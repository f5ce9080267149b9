"""The ground truth of a simulated recording, which is kept separate from the recording."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate._internal import notebook_html
from striate._internal.atomic_write import atomic_write
from striate._internal.paths import expand_path
from striate.errors import InputError, shortened
from striate.recordings import Recording, npy_format

_FORMAT = "striate simulated truth 1"
_NEURON_PREFIX = "neurons/"
_MAX_BYTES = 2**36  # total size of the arrays
_NOT_ARRAYS = ("session", "track", "seed", "neurons")


@dataclass(frozen=True, eq=False)
class SimulatedTruth:
    """The ground truth of a simulated recording. Trials and neurons have the same order as in the recording.

    Attributes
    ----------
    session
        Session of the recording.
    track
        Track of the recording; None for a pre-training recording.
    seed
        Seed of the simulation, as an integer.
    trial_idx : (T,)
        Trial indices of the recording.
    order : (T,)
        Position of each trial in the order of presentation.
    expected : (T, N) float32
        Expected response of each trial given its image, behaviour and eye position, in raw units.
    withheld : (W,)
        Rows of the trials whose responses the recording withholds.
    withheld_responses : (W, N) float32
        Measured responses of these trials, in raw units.
    behavior : (T, K)
        Behaviour, also where the recording withholds it.
    pupil_center : (T, 2), or (T, 0) if the benchmark has none
        Eye positions, also where the recording withholds them.
    gaze : (T, 2)
        Shift of all receptive fields in each trial, in pixels (x, y).
    centers : (N, 2)
        Receptive-field centres in pixels (x, y), for a gaze straight ahead.
    neurons : DataFrame, N rows
        Properties of the neurons; see `Population.neurons`.

    Examples
    --------
    >>> import striate
    >>> settings = {"neurons": 5, "train": 20, "validation": 5, "test_images": 4, "repeats": 3, "image_shape": (18, 32)}
    >>> truth = striate.simulate(**settings, seed=1).truth
    >>> truth.centers.shape
    (5, 2)
    """

    session: str
    track: str | None
    seed: int
    trial_idx: NDArray[Any]
    order: NDArray[np.int64]
    expected: NDArray[np.float32]
    withheld: NDArray[np.int64]
    withheld_responses: NDArray[np.float32]
    behavior: NDArray[np.float32]
    pupil_center: NDArray[np.float32]
    gaze: NDArray[np.float64]
    centers: NDArray[np.float64]
    neurons: pd.DataFrame

    def __repr__(self) -> str:  # without the seed, because representations end up in logs
        return f"<SimulatedTruth {self.session}: {self.expected.shape[0]} trials × {self.expected.shape[1]} neurons>"

    def _repr_html_(self) -> str:
        facts = {
            "track": self.track or "none: nothing is withheld",
            "expected responses": f"{self.expected.shape[0]:,} trials × {self.expected.shape[1]:,} neurons",
            "withheld trials": f"{len(self.withheld):,}",
        }
        return notebook_html.section(f"Ground truth of {self.session}", notebook_html.key_value_table(facts))

    def reveal(self, recording: Recording) -> Recording:
        """Return a copy of the recording with everything that it withholds, except the order of its trials.

        The copy keeps the statistics of images and responses, so that standardised values stay the same. The statistics of
        behaviour and eye position are computed from the data.

        Parameters
        ----------
        recording
            Recording of this ground truth.

        Raises
        ------
        InputError
            If this is not the ground truth of the recording.

        Examples
        --------
        >>> import striate
        >>> settings = {"neurons": 5, "train": 20, "validation": 5, "test_images": 4, "final_images": 4, "repeats": 3}
        >>> simulation = striate.simulate(**settings, track="sensorium", image_shape=(18, 32), seed=1)
        >>> sorted(simulation.recording.withheld_tiers)
        ['final_test', 'test']
        >>> simulation.truth.reveal(simulation.recording).withheld_tiers
        frozenset()
        """
        self.validate_recording(recording)
        responses = np.array(recording.responses, dtype=np.float32)
        responses[self.withheld] = self.withheld_responses
        return Recording(
            session=recording.session,
            neurons=recording.neurons,
            trials=recording.trials,
            images=recording.images,
            responses=responses,
            behavior=self.behavior,
            pupil_center=self.pupil_center,
            statistics={name: recording.statistics[name] for name in ("images", "responses")},
            benchmark=recording.benchmark,
        )

    def validate_recording(self, recording: Recording) -> None:
        """Raise `InputError` if this is not the ground truth of the recording."""
        same = (
            self.session == recording.session
            and np.array_equal(self.trial_idx.astype(str), recording.trials["trial_idx"].to_numpy().astype(str))
            and np.array_equal(self.neurons["unit_id"].to_numpy(), recording.unit_ids)
        )
        if not same:
            raise InputError(
                f"This is the truth about another recording: it has session {self.session}, {self.expected.shape[0]} trials "
                f"and {self.expected.shape[1]} neurons; the recording is {recording!r}. Use the truth that was written with it."
            )

    def write(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the ground truth as one ``.npz`` file (NumPy arrays, no pickle).

        Parameters
        ----------
        path
            Path of the file.
        overwrite
            Whether to replace an existing file.

        Returns
        -------
        Path
            Path of the written file.

        Raises
        ------
        InputError
            If the file exists and `overwrite` is False, or it cannot be written.
        """
        target = expand_path(path)
        with atomic_write(target, overwrite=overwrite) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **self._arrays())
        return target

    def _arrays(self) -> dict[str, NDArray[Any]]:
        # The seed is stored as text, because it may have more than 64 bits.
        texts = {"format": _FORMAT, "session": self.session, "track": self.track or "", "seed": str(self.seed)}
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _NOT_ARRAYS}
        columns = {f"{_NEURON_PREFIX}{name}": _to_storable(self.neurons[name]) for name in self.neurons.columns}
        return {name: np.asarray(value) for name, value in {**texts, **plain, **columns}.items()}

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "SimulatedTruth":
        """Read a ground truth that `write` wrote.

        Parameters
        ----------
        path
            Path of the ``.npz`` file.

        Raises
        ------
        InputError
            If the file is missing, damaged, or not a ground truth.
        """
        try:
            with expand_path(path).open("rb") as file:
                return cls._from_arrays(npy_format.read_npz(file, _MAX_BYTES))
        except FileNotFoundError:
            raise InputError(f"There is no truth file {path}.") from None
        except (OSError, ValueError, TypeError, KeyError, OverflowError) as error:
            reason = shortened(str(error).rstrip("."), 100)
            raise InputError(
                f"{path} is not a truth file of a simulation, or it is damaged ({reason}): write it again with the same seed."
            ) from None

    @classmethod
    def _from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "SimulatedTruth":
        if str(arrays["format"]) != _FORMAT:
            raise ValueError(f"its format is {arrays['format']}, not {_FORMAT}")
        columns = {
            name.removeprefix(_NEURON_PREFIX): v for name, v in arrays.items() if name.startswith(_NEURON_PREFIX)
        }
        plain = {f.name: arrays[f.name] for f in fields(cls) if f.name not in _NOT_ARRAYS}
        truth = cls(
            session=str(arrays["session"]),
            track=str(arrays["track"]) or None,
            seed=int(str(arrays["seed"])),
            neurons=pd.DataFrame(columns),
            **plain,
        )
        truth._validate()
        return truth

    def _validate(self) -> None:
        trials, neurons, hidden = len(self.trial_idx), len(self.neurons["unit_id"]), len(self.withheld)
        shapes = {
            "trial_idx": (trials,),
            "order": (trials,),
            "expected": (trials, neurons),
            "withheld": (hidden,),
            "withheld_responses": (hidden, neurons),
            "behavior": (trials, *self.behavior.shape[1:2]),
            "pupil_center": (trials, min(2, *self.pupil_center.shape[1:2], 2)),
            "gaze": (trials, 2),
            "centers": (neurons, 2),
        }
        for name, shape in shapes.items():
            if name != "trial_idx" and getattr(self, name).dtype.kind not in "iuf":
                raise ValueError(f"{name} holds {getattr(self, name).dtype}, not numbers")
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has the shape {getattr(self, name).shape}, not {shape}")
        if hidden and (self.withheld.min() < 0 or self.withheld.max() >= trials):
            raise ValueError(f"withheld trials are not among its {trials}")


def _to_storable(column: "pd.Series[Any]") -> NDArray[Any]:
    values = column.to_numpy()
    return values if values.dtype.kind in "biuf" else np.array(values.tolist(), dtype=np.str_)
