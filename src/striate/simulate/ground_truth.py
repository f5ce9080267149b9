"""The truth about a simulated recording, kept apart from it."""

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
_NEURON = "neurons/"
_LARGEST = 2**36  # bytes of all arrays
_NOT_ARRAYS = ("session", "track", "seed", "neurons")


@dataclass(frozen=True, eq=False)
class SimulatedTruth:
    """What only the maker of a simulated recording knows. Rows are the trials, columns the neurons of the recording.

    Attributes
    ----------
    session
        The recording that it belongs to.
    track
        Its track; None for a pre-training scan.
    seed
        The seed from which everything follows.
    trial_idx : (T,)
        Trial indices as the recording gives them.
    order : (T,)
        Place of each trial in the order of presentation.
    expected : (T, N) float32
        Expected response of each trial given its image, behaviour and eye position, raw units.
    withheld : (W,)
        Rows of the trials whose responses the recording withholds.
    withheld_responses : (W, N) float32
        Their measured responses, raw units.
    behavior : (T, 3)
        Behaviour, whether or not the recording withholds it.
    pupil_center : (T, 2)
        Eye positions, likewise.
    gaze : (T, 2)
        Shift of all receptive fields in pixels (x, y).
    centers : (N, 2)
        Receptive-field centres in pixels (x, y) for a gaze straight ahead.
    neurons : DataFrame, N rows
        Everything else about the neurons; see `Population`.
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

    def __repr__(self) -> str:  # without the seed: representations end up in logs
        return f"<SimulatedTruth {self.session}: {self.expected.shape[0]} trials × {self.expected.shape[1]} neurons>"

    def _repr_html_(self) -> str:
        about = {
            "track": self.track or "none: nothing is withheld",
            "expected responses": f"{self.expected.shape[0]:,} trials × {self.expected.shape[1]:,} neurons",
            "withheld trials": f"{len(self.withheld):,}",
        }
        return notebook_html.section(f"Truth about {self.session}", notebook_html.key_value_table(about))

    def reveal(self, recording: Recording) -> Recording:
        """Return the recording with everything that it withholds, except the order of its trials.

        Its statistics are those of the given recording for responses and images, so that standardised responses
        stay the same, and computed anew for behaviour and eye position.

        Raises
        ------
        InputError
            If it is not the recording that this truth belongs to.
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
        )

    def validate_recording(self, recording: Recording) -> None:
        """Raise `InputError` unless this is the truth about that recording."""
        same = (
            self.session == recording.session
            and np.array_equal(self.trial_idx.astype(str), recording.trials["trial_idx"].to_numpy().astype(str))
            and np.array_equal(self.neurons["unit_id"].to_numpy(), recording.unit_ids)
        )
        if not same:
            raise InputError(
                f"This is the truth about another recording: it has session {self.session}, {self.expected.shape[0]} trials "
                f"and {self.expected.shape[1]} neurons; the recording is {recording!r}. Take the one written with it."
            )

    def write(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the truth as one ``.npz`` file (NumPy arrays, no pickle).

        Raises
        ------
        InputError
            If something stands there already, or it cannot be written.
        """
        target = expand_path(path)
        with atomic_write(target, overwrite=overwrite) as aside, aside.open("wb") as file:
            np.savez(file, allow_pickle=False, **self._arrays())
        return target

    def _arrays(self) -> dict[str, NDArray[Any]]:
        # as text: the seed may have any number of bits
        texts = {"format": _FORMAT, "session": self.session, "track": self.track or "", "seed": str(self.seed)}
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _NOT_ARRAYS}
        columns = {f"{_NEURON}{name}": _plain(self.neurons[name]) for name in self.neurons.columns}
        return {name: np.asarray(value) for name, value in {**texts, **plain, **columns}.items()}

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "SimulatedTruth":
        """Read what `write` wrote.

        Raises
        ------
        InputError
            If the file is missing, damaged, or not such a file.
        """
        try:
            with expand_path(path).open("rb") as file:
                return cls._of_arrays(npy_format.read_npz(file, _LARGEST))
        except FileNotFoundError:
            raise InputError(f"There is no truth file {path}.") from None
        except (OSError, ValueError, TypeError, KeyError, OverflowError) as error:
            reason = shortened(str(error).rstrip("."), 100)
            raise InputError(
                f"{path} is not a truth file of a simulation, or it is damaged ({reason}): write it anew with the same seed."
            ) from None

    @classmethod
    def _of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "SimulatedTruth":
        if str(arrays["format"]) != _FORMAT:
            raise ValueError(f"its format is {arrays['format']}, not {_FORMAT}")
        columns = {name.removeprefix(_NEURON): v for name, v in arrays.items() if name.startswith(_NEURON)}
        plain = {f.name: arrays[f.name] for f in fields(cls) if f.name not in _NOT_ARRAYS}
        truth = cls(
            session=str(arrays["session"]),
            track=str(arrays["track"]) or None,
            seed=int(str(arrays["seed"])),
            neurons=pd.DataFrame(columns),
            **plain,
        )
        truth._require_consistent()
        return truth

    def _require_consistent(self) -> None:
        trials, neurons, hidden = len(self.trial_idx), len(self.neurons["unit_id"]), len(self.withheld)
        shapes = {
            "trial_idx": (trials,),
            "order": (trials,),
            "expected": (trials, neurons),
            "withheld": (hidden,),
            "withheld_responses": (hidden, neurons),
            "behavior": (trials, 3),
            "pupil_center": (trials, 2),
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


def _plain(column: "pd.Series[Any]") -> NDArray[Any]:
    values = column.to_numpy()
    return values if values.dtype.kind in "biuf" else np.array(values.tolist(), dtype=np.str_)
