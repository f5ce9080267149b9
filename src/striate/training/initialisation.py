"""Initialise an encoder from its recordings: readout positions by retinotopy, biases by mean responses."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from striate._internal.progress_bars import progress_bar
from striate.data import Loaders, SessionLoaders
from striate.models import Encoder
from striate.models.readouts import GaussianReadout
from striate.training.recipe import InitialisationSettings
from striate.training.retinotopy_estimation import estimate_retinotopy

# larger numbers take longer and hardly change the estimate
_TRIALS, _NEURONS = 4000, 2000
_BORDER = 0.95  # the position network ends with a hyperbolic tangent, which never reaches 1


def initialise(encoder: Encoder, data: SessionLoaders, settings: InitialisationSettings, seed: int) -> dict[str, Any]:
    """Initialise readout positions and biases of an encoder from its recordings.

    Parameters
    ----------
    encoder
        Encoder with untrained readouts; it is changed in place.
    data
        Loaders of its recordings. Only training trials are used.
    settings
        Settings of the initialisation.
    seed
        Seed of the estimation of the retinotopy.

    Returns
    -------
    dict
        Estimated retinotopy by session, for the provenance of the run.
    """
    facts: dict[str, Any] = {}
    if settings == InitialisationSettings(positions="random", biases="zero"):
        return facts
    with progress_bar("Estimating the start from the recordings", len(data)) as advance:
        for session, loaders in data.items():
            readout = encoder.readout(session)
            if settings.positions == "retinotopy":
                facts[session] = _set_positions(readout, loaders, encoder.core.map_shape, seed)
            if settings.biases == "mean":
                _set_biases(readout, loaders.responses("train").mean(axis=0))
            advance(1)
    return facts


def _set_positions(readout: GaussianReadout, loaders: Loaders, map_shape: tuple[int, int], seed: int) -> dict[str, Any]:
    cortical = readout.cortical_positions.cpu().numpy()
    neurons = _evenly_spaced(len(cortical), _NEURONS)
    dataset = loaders.train.dataset
    batches = [dataset[part] for part in np.array_split(_evenly_spaced(len(dataset), _TRIALS), 32) if part.size]
    images = torch.cat([batch.images[:, 0].cpu() for batch in batches])
    responses = np.concatenate([batch.measured_responses().cpu().numpy()[:, neurons] for batch in batches])
    found = estimate_retinotopy(images, responses, cortical[neurons], map_shape, seed)
    _fit_positions(readout, found.positions(cortical))
    return {
        "matrix": found.matrix.round(4).tolist(),
        "offset": found.offset.round(4).tolist(),
        "evidence": round(found.evidence, 3),
        "evidence_elsewhere": round(found.evidence_elsewhere, 3),
    }


def _fit_positions(readout: GaussianReadout, positions: NDArray[np.float64]) -> None:
    """Fit the position network to the given positions."""
    network = readout.position_network
    device = readout.cortical_positions.device
    target = torch.as_tensor(positions, dtype=torch.float32, device=device).clamp(-_BORDER, _BORDER).atanh()
    optimiser = torch.optim.LBFGS(network.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def error() -> float:
        optimiser.zero_grad()
        value = (network(readout.cortical_positions) - target).square().mean()
        value.backward()
        return float(value.detach())

    optimiser.step(error)  # type: ignore[no-untyped-call]
    optimiser.zero_grad()


def _set_biases(readout: GaussianReadout, mean: NDArray[np.float32]) -> None:
    """Set the biases to the inverse of ELU + 1 at each neuron's mean response."""
    rate = torch.as_tensor(mean).clamp(min=1e-3)
    with torch.no_grad():
        readout.bias.copy_(torch.where(rate > 1, rate - 1, rate.log()))


def _evenly_spaced(count: int, most: int) -> NDArray[np.int64]:
    """Return at most `most` evenly spaced indices."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
