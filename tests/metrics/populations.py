"""Made-up responses, predictions and image ids of one tier."""

import numpy as np
from hypothesis import strategies as st


def population(seed=0, images=8, neurons=6, most_repeats=6, least_repeats=2, noise=1.0, dtype=np.float64, behavior=0.3):
    """Ragged repeats in random order; responses are noisy copies of what the predictions are about."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(least_repeats, most_repeats + 1, images)
    image_ids = np.repeat(rng.choice(5000, images, replace=False), counts)
    tuning = np.repeat(rng.gamma(2.0, 1.0, (images, neurons)), counts, axis=0)
    responses = tuning + noise * rng.gamma(1.0, 1.0, tuning.shape)
    predictions = tuning * 0.8 + 0.1 + behavior * rng.random(tuning.shape)
    order = rng.permutation(len(image_ids))
    return responses[order].astype(dtype), predictions[order].astype(dtype), image_ids[order]


populations = st.builds(
    population,
    seed=st.integers(0, 2**32 - 1),
    images=st.integers(2, 12),
    neurons=st.integers(1, 7),
    most_repeats=st.integers(2, 9),
    noise=st.sampled_from([0.1, 1.0, 4.0]),
    dtype=st.sampled_from([np.float32, np.float64]),
    behavior=st.sampled_from([0.0, 0.5]),
)
