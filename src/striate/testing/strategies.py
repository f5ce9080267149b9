"""Hypothesis strategies that draw recordings (needs `hypothesis`)."""

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from striate.recordings import Recording


@st.composite
def recordings(
    draw: st.DrawFn, *, largest_neurons: int = 6, largest_trials: int = 12, session: str = "1-1-1"
) -> Recording:
    """Draw a small valid recording: any numbers of neurons and trials, image sizes and types, ids and tiers.

    Parameters
    ----------
    draw
        Given by Hypothesis.
    largest_neurons, largest_trials
        Upper limits; there are at least one neuron and four trials.
    session
        Name of the session.

    Returns
    -------
    Recording
        In memory, with at least one training, validation and test trial.
    """
    neurons = draw(st.integers(1, largest_neurons))
    trials = draw(st.integers(4, largest_trials))
    height, width = draw(st.integers(2, 6)), draw(st.integers(2, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    tiers = np.array(["train", "validation", "test", "train"] + ["train", "test"] * trials)[:trials]
    image_id = np.arange(trials)
    tests = np.flatnonzero(tiers == "test")
    image_id[tests] = tests[0]  # all test trials repeat one image
    pictures = rng.integers(0, 256, (trials, 1, height, width)).astype(draw(st.sampled_from([np.uint8, np.float32])))
    if draw(st.booleans()) and pictures.dtype == np.float32:
        pictures = pictures * np.float32(0.5)
    order = rng.permutation(trials)
    hidden = draw(st.booleans())
    trial_idx = np.array([f"{i:032x}" for i in range(trials)]) if hidden else rng.permutation(trials * 3)[:trials]
    scale = draw(st.sampled_from([0.0, 1e-3, 1.0, 1e4]))
    return Recording(
        session,
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
        rng.exponential(1.0, (trials, neurons)).astype(draw(st.sampled_from([np.float32, np.float64]))) * scale,
        rng.normal(0, 10, (trials, 3)),
        rng.normal(100, 5, (trials, 2)),
    )
