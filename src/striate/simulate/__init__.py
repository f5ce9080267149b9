"""Simulated recordings: populations with a known ground truth, written like measured recordings.

Natural-like images are shown to model mice: V1-like neurons on a retinotopic map, with gains that depend on behaviour,
receptive fields that move with the eyes, and noise like that of deconvolved calcium traces. The ground truth (expected
responses, receptive fields, and everything that a recording withholds) is kept in a separate object, so that results of
striate can be compared with it. The package is callable: ``striate.simulate(neurons=300)`` simulates one recording.
"""

import sys
from types import ModuleType
from typing import Any

from striate.simulate.config import PopulationSettings, RecordingSettings, split_settings
from striate.simulate.ground_truth import SimulatedTruth
from striate.simulate.multi_session import FIRST_ANIMAL, SimulationFiles, benchmark, write_benchmark
from striate.simulate.oracle import ORACLE_INPUTS, expected_given_image, measured_responses, oracle_scores
from striate.simulate.population import Population, population
from striate.simulate.recording import Simulation, recording
from striate.simulate.seeds import Seed

__all__ = [
    "FIRST_ANIMAL",
    "ORACLE_INPUTS",
    "Population",
    "PopulationSettings",
    "RecordingSettings",
    "Seed",
    "SimulatedTruth",
    "Simulation",
    "SimulationFiles",
    "benchmark",
    "expected_given_image",
    "measured_responses",
    "oracle_scores",
    "population",
    "recording",
    "simulate",
    "write_benchmark",
]


class _CallableModule(ModuleType):
    """Makes `striate.simulate` both this package and the function that simulates one recording."""

    def __call__(self, *, seed: Seed | int | None = None, **settings: Any) -> Simulation:
        """Simulate one recording in memory, with its ground truth.

        Parameters
        ----------
        seed
            Seed of all random numbers (default: 128 random bits).
        **settings
            Fields of `PopulationSettings` (``neurons``, ``reliability`` …) and of `RecordingSettings` (``benchmark``,
            ``train``, ``track`` …).

        Returns
        -------
        Simulation
            The recording and its ground truth.

        Raises
        ------
        InputError
            If a setting is unknown or invalid.

        Examples
        --------
        >>> import striate
        >>> simulation = striate.simulate(
        ...     neurons=5, train=20, validation=5, test_images=4, repeats=3, image_shape=(18, 32), seed=1
        ... )
        >>> simulation.recording.responses.shape == simulation.truth.expected.shape
        True
        """
        population_settings, recording_settings = split_settings(settings)
        return recording(recording_settings, population_settings, seed)


simulate = sys.modules[__name__]
simulate.__class__ = _CallableModule
