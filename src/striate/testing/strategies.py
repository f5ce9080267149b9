"""Hypothesis strategies that draw recordings (needs `hypothesis`)."""

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from striate.benchmarks import Benchmark, load_benchmark
from striate.recordings import Recording


@st.composite
def recordings(
    draw: st.DrawFn,
    *,
    largest_neurons: int = 6,
    largest_trials: int = 12,
    session: str | None = None,
    benchmark: Benchmark | None = None,
) -> Recording:
    """Draw a small valid recording: any numbers of neurons and trials, image sizes and types, ids and tiers.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    largest_neurons, largest_trials
        Upper limits; there are at least one neuron and four trials.
    session
        Name of the session; the example of the benchmark if left out.
    benchmark
        Benchmark of the recording (default: SENSORIUM 2022).

    Returns
    -------
    Recording
        In memory, with at least one training, validation and test trial.
    """
    spec = load_benchmark(benchmark)
    channels, (low, high) = spec.image_channels, spec.stimulus.range
    neurons = draw(st.integers(1, largest_neurons))
    trials = draw(st.integers(4, largest_trials))
    height = spec.stimulus.height or draw(st.integers(2, 6))
    width = spec.stimulus.width or draw(st.integers(2, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    train, test = spec.training_tier, draw(st.sampled_from(spec.test_tiers or (spec.training_tier,)))
    tiers = np.array([train, spec.validation_tier, test, train] + [train, test] * trials)[:trials]
    image_id = np.arange(trials)
    tests = np.flatnonzero(np.isin(tiers, spec.test_tiers))
    image_id[tests] = tests[:1]  # all test trials repeat one image
    pictures = rng.integers(0, 256, (trials, channels, height, width)).astype(
        draw(st.sampled_from([np.uint8, np.float32]))
    )
    if (low, high) != (0, 255):
        pictures = (low + pictures * ((high - low) / 255)).astype(np.float32)
    elif draw(st.booleans()) and pictures.dtype == np.float32:
        pictures = pictures * np.float32(0.5)
    order = rng.permutation(trials)
    hidden = draw(st.booleans())
    trial_idx = np.array([f"{i:032x}" for i in range(trials)]) if hidden else rng.permutation(trials * 3)[:trials]
    scale = draw(st.sampled_from([0.0, 1e-3, 1.0, 1e4]))
    minimum = spec.responses.minimum or 0.0
    return Recording(
        session or spec.sessions.example,
        pd.DataFrame(
            {
                "unit_id": rng.permutation(neurons * 10)[:neurons],
                "area": rng.choice(["V1", "LM"], neurons),
                "x": rng.normal(0, 300, neurons),
                "y": rng.normal(0, 300, neurons),
                "z": rng.uniform(100, 400, neurons),
            }
        ),
        pd.DataFrame({"tier": tiers[order], "image_id": image_id[order], "trial_idx": trial_idx}),
        pictures[image_id][order],
        rng.exponential(1.0, (trials, neurons)).astype(draw(st.sampled_from([np.float32, np.float64]))) * scale
        + minimum,
        rng.normal(0, 10, (trials, len(spec.behavior_names))),
        rng.normal(100, 5, (trials, len(spec.pupil_center_names))),
        benchmark=spec,
    )
