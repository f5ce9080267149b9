"""Statistics of recordings that a run stores, so that raw inputs can be standardised without the recordings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from striate._internal.atomic_write import atomic_write
from striate._internal.safe_parsing import parse_model, read_limited
from striate.data.standardisation import Standardisation
from striate.errors import InputError

if TYPE_CHECKING:
    from striate.data import SessionLoaders
    from striate.recordings import Recording, VariableStatistics

_LARGEST_FILE = 2**24  # bytes

_Behavior = Annotated[tuple[float, ...], Field(min_length=3, max_length=3)]
_Position = Annotated[tuple[float, ...], Field(min_length=2, max_length=2)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BehaviorStatistics(_Strict):
    """Statistics of pupil dilation, its derivative and running speed, in raw units."""

    mean: _Behavior
    std: _Behavior
    median: _Behavior


class PupilStatistics(_Strict):
    """Statistics of the horizontal and vertical eye position, in raw units."""

    mean: _Position
    std: _Position
    median: _Position


class SessionInputs(_Strict):
    """Statistics that standardised the raw inputs of one recording in training.

    Attributes
    ----------
    image_shape
        Height and width of the recorded images in pixels.
    image_mean, image_std
        Mean and standard deviation of the grey values.
    behavior, pupil_center
        Statistics of behaviour and eye position; None if the model does not use them.
    """

    image_shape: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
    image_mean: float
    image_std: Annotated[float, Field(ge=0)]
    behavior: BehaviorStatistics | None
    pupil_center: PupilStatistics | None

    @classmethod
    def from_recording(cls, recording: Recording, *, behavior: bool, pupil_center: bool) -> SessionInputs:
        """Collect the statistics of a recording that the inputs of the model need."""
        standardisation, statistics = Standardisation.from_recording(recording), recording.statistics
        return cls(
            image_shape=recording.image_shape,
            image_mean=standardisation.image_mean,
            image_std=standardisation.image_std,
            behavior=BehaviorStatistics(**_summary(statistics["behavior"])) if behavior else None,
            pupil_center=PupilStatistics(**_summary(statistics["pupil_center"])) if pupil_center else None,
        )

    def standardisation(self, session: str, response_scale: NDArray[np.float64]) -> Standardisation:
        """Return the standardisation that the model was trained with."""
        behavior, pupil = self.behavior, self.pupil_center
        return Standardisation(
            session=session,
            response_scale=response_scale,
            image_mean=self.image_mean,
            image_std=self.image_std,
            behavior_std=np.array(behavior.std if behavior else (0.0, 0.0, 0.0)),
            pupil_center_mean=np.array(pupil.mean if pupil else (0.0, 0.0)),
            pupil_center_std=np.array(pupil.std if pupil else (0.0, 0.0)),
        )


class RunInputs(_Strict):
    """Statistics that standardised the raw inputs of all recordings of a run in training."""

    recordings: dict[str, SessionInputs]

    @classmethod
    def from_loaders(cls, data: SessionLoaders) -> RunInputs:
        """Collect the statistics of the recordings that the model is trained on."""
        return cls(
            recordings={
                session: SessionInputs.from_recording(
                    loaders.recording,
                    behavior=loaders.settings.behavior,
                    pupil_center=loaders.settings.pupil_center,
                )
                for session, loaders in data.items()
            }
        )

    def write(self, path: Path) -> None:
        """Write a JSON file atomically, replacing an earlier file."""
        with atomic_write(path, overwrite=True) as aside:
            aside.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> RunInputs:
        """Read a file that `write` has written.

        Raises
        ------
        InputError
            If the file is missing or damaged.
        """
        try:
            return parse_model(cls, read_limited(path, _LARGEST_FILE), path, "copy or train the run anew")
        except FileNotFoundError as error:
            raise InputError(
                f"{path.parent} does not say how its inputs were standardised (it has no {path.name}): train it anew, or use "
                "striate.predict on the recording."
            ) from error
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}): copy or train the run anew.") from error


def _summary(statistics: VariableStatistics) -> Mapping[str, Any]:
    return {
        name: np.asarray(getattr(statistics, name), dtype=np.float64).reshape(-1).tolist()
        for name in ("mean", "std", "median")
    }
