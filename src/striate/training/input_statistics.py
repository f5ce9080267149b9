"""Statistics of recordings that a run stores, so that raw inputs can be standardised without the recordings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from striate._internal.atomic_write import atomic_write
from striate._internal.safe_parsing import parse_model, read_limited
from striate.benchmarks import BenchmarkSpec, is_default, load_benchmark
from striate.data.standardisation import Standardisation
from striate.errors import InputError

if TYPE_CHECKING:
    from striate.data import SessionLoaders
    from striate.recordings import Recording, VariableStatistics

_LARGEST_FILE = 2**24  # bytes

_Components = Annotated[tuple[float, ...], Field(max_length=256)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ComponentStatistics(_Strict):
    """Statistics of each component of a variable, in raw units."""

    mean: _Components
    std: _Components
    median: _Components


class SessionInputs(_Strict):
    """Statistics that standardised the raw inputs of one recording in training.

    Attributes
    ----------
    image_shape
        Height and width of the recorded images in pixels.
    image_mean, image_std
        Mean and standard deviation of the pixel values: one of each channel, or one of all.
    behavior, pupil_center
        Statistics of behaviour and eye position; None if the model does not use them.
    benchmark
        Benchmark of the recording; None for SENSORIUM 2022.
    """

    image_shape: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
    image_mean: float | _Components
    image_std: Annotated[float, Field(ge=0)] | _Components
    behavior: ComponentStatistics | None
    pupil_center: ComponentStatistics | None
    benchmark: BenchmarkSpec | None = None

    @model_validator(mode="after")
    def _components_are_those_of_the_benchmark(self) -> Self:
        channels = self.spec.image_channels
        shapes = {np.shape(self.image_mean), np.shape(self.image_std)}
        if shapes not in ({()}, {(channels,)}):
            raise ValueError(f"image_mean and image_std need one value, or one for each of {channels} channels")
        for name, components in self.spec.components.items():
            statistics: ComponentStatistics | None = getattr(self, name)
            if statistics and {len(statistics.mean), len(statistics.std), len(statistics.median)} != {len(components)}:
                raise ValueError(f"{name} has {len(components)} components, and their statistics have another number")
        return self

    @property
    def spec(self) -> BenchmarkSpec:
        """Benchmark of the recording."""
        return self.benchmark or load_benchmark()

    @classmethod
    def from_recording(cls, recording: Recording, *, behavior: bool, pupil_center: bool) -> SessionInputs:
        """Collect the statistics of a recording that the inputs of the model need."""
        statistics = recording.statistics
        images = _summary(statistics["images"])
        single = np.ndim(statistics["images"].mean) == 0 or len(images["mean"]) == 1
        return cls(
            image_shape=recording.image_shape,
            image_mean=images["mean"][0] if single else tuple(images["mean"]),
            image_std=images["std"][0] if single else tuple(images["std"]),
            behavior=ComponentStatistics(**_summary(statistics["behavior"])) if behavior else None,
            pupil_center=ComponentStatistics(**_summary(statistics["pupil_center"])) if pupil_center else None,
            benchmark=None if is_default(recording.benchmark) else recording.benchmark,
        )

    def standardisation(self, session: str, response_scale: NDArray[np.float64]) -> Standardisation:
        """Return the standardisation that the model was trained with."""
        statistics: dict[str, Any] = {"images": SimpleNamespace(mean=self.image_mean, std=self.image_std)}
        statistics |= {name: getattr(self, name) for name in self.spec.components if getattr(self, name) is not None}
        return Standardisation.from_statistics(session, self.spec, statistics, response_scale)


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
