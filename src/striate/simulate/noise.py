"""The noise of deconvolved calcium responses: many exact zeros, and a heavy tail."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def measure(
    expected: Floats, burst: NDArray[np.floating], shape: NDArray[np.floating], rng: np.random.Generator
) -> Floats:
    """Draw responses around what is expected.

    A compound Poisson–gamma law (Tweedie; Jørgensen 1987, J. R. Stat. Soc. B 49, 127): a Poisson number of bursts,
    each of gamma-distributed size. The mean is `expected`; the variance is ``expected · burst · (1 + 1/shape)``;
    responses are exactly 0 with probability ``exp(−expected / burst)``.

    Parameters
    ----------
    expected : (T, N)
        Expected response of each trial, ≥ 0.
    burst : (N,)
        Mean size of one burst of each neuron, in the units of its responses.
    shape : (N,)
        Shape of the gamma distribution of its bursts; the smaller, the heavier the tail.

    Returns
    -------
    (T, N) float32
    """
    counts = rng.poisson(expected / np.asarray(burst, dtype=np.float64))
    trial, neuron = np.nonzero(counts)
    responses = np.zeros(expected.shape, dtype=np.float32)
    sizes = rng.standard_gamma(counts[trial, neuron] * np.asarray(shape, dtype=np.float64)[neuron])
    responses[trial, neuron] = sizes * (np.asarray(burst, dtype=np.float64) / shape)[neuron]
    return responses
