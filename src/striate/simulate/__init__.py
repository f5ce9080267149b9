"""Simulated recordings: populations whose truth is known, written like real ones.

Natural-like images are shown to model mice: V1-like neurons on a retinotopic map, gains that follow behaviour,
receptive fields that follow the eyes, noise like that of deconvolved calcium traces. The truth (expected responses,
receptive fields, what a recording withholds) is kept apart, so that every tool of striate can be checked against it.
The room itself can be called, for one recording: ``striate.simulate(neurons=300, track="sensorium+")``.
"""

import sys
from types import ModuleType
from typing import Any

from striate.simulate.config import TRACKS, PopulationSettings, RecordingSettings, Track, split_settings
from striate.simulate.ground_truth import SimulatedTruth
from striate.simulate.multi_session import FIRST_ANIMAL, SimulationFiles, benchmark, write_benchmark
from striate.simulate.oracle import ORACLE_INPUTS, expected_given_image, measured_responses, oracle_scores
from striate.simulate.population import Population, population
from striate.simulate.recording import Simulation, recording
from striate.simulate.seeds import Seed

__all__ = [
    "FIRST_ANIMAL",
    "ORACLE_INPUTS",
    "TRACKS",
    "Population",
    "PopulationSettings",
    "RecordingSettings",
    "Seed",
    "SimulatedTruth",
    "Simulation",
    "SimulationFiles",
    "Track",
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
    """Lets `striate.simulate` be both this room and the function that simulates one recording."""

    def __call__(self, *, seed: Seed | int | None = None, **settings: Any) -> Simulation:
        """Simulate one recording in memory, with the truth about it.

        Parameters
        ----------
        seed
            Secret from which everything follows; 128 random bits if not given.
        **settings
            Any of those of `PopulationSettings` (neurons, reliability …) and `RecordingSettings` (train, track …).

        Returns
        -------
        Simulation

        Raises
        ------
        InputError
            If a setting is unknown or impossible.
        """
        of_neurons, of_recording = split_settings(settings)
        return recording(of_recording, of_neurons, seed)


simulate = sys.modules[__name__]
simulate.__class__ = _CallableModule
