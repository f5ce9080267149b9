"""Initialise an encoder from its recordings: readout positions by retinotopy, biases by mean responses, modulators as they like."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from striate._internal.progress_bars import progress_bar
from striate.data import Batch, Loaders, SessionLoaders
from striate.errors import InputError
from striate.models import Encoder, MapGeometry, Nonlinearity, Readout
from striate.models.readouts import cortical_positions
from striate.training.recipe import InitialisationSettings
from striate.training.retinotopy_estimation import estimate_retinotopy

# larger numbers take longer and hardly change the estimate
_TRIALS, _NEURONS = 4000, 2000


def initialise(encoder: nn.Module, data: SessionLoaders, settings: InitialisationSettings, seed: int) -> dict[str, Any]:
    """Initialise readout positions and biases of an encoder from its recordings.

    Parameters
    ----------
    encoder
        Encoder with untrained readouts; it is changed in place. Another module is left as it is.
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

    Raises
    ------
    InputError
        If the settings ask for something that the model does not have.
    """
    facts: dict[str, Any] = {}
    if isinstance(encoder, Encoder):
        if not encoder.core.frozen and (found := encoder.core.initialise()):  # that of another run is frozen
            facts["core"] = found
        _initialise_modulators(encoder, data)
    if settings == InitialisationSettings(positions="random", biases="zero"):
        return facts
    if not isinstance(encoder, Encoder):
        key, value = ("positions", "random") if settings.positions != "random" else ("biases", "zero")
        raise InputError(
            f"initialisation.{key} = {getattr(settings, key)!r} needs an encoder of striate, and the model is a {type(encoder).__name__}: set "
            f"initialisation.{key} = {value!r}."
        )
    with progress_bar("Estimating the start from the recordings", len(data)) as advance:
        for session, loaders in data.items():
            readout = encoder.readout(session)
            if settings.positions == "retinotopy":
                facts[session] = _set_positions(readout, loaders, encoder.core.geometry, seed)
            if settings.biases == "mean":
                _set_biases(readout, encoder.nonlinearity, loaders.responses("train").mean(axis=0))
            advance(1)
    return facts


def _initialise_modulators(encoder: Encoder, data: SessionLoaders) -> None:
    """Let the modulators of each recording estimate what they take from its training trials."""
    for session, loaders in data.items():
        for modulator in encoder.modulators_of(session):
            modulator.initialise(_training_batches(loaders))


def _training_batches(loaders: Loaders) -> Iterator[Batch]:
    dataset, size = loaders.train.dataset, loaders.settings.batch_size
    chosen = _evenly_spaced(len(dataset), _TRIALS)
    return (dataset[chosen[start : start + size]] for start in range(0, chosen.size, size))


def _set_positions(readout: Readout, loaders: Loaders, geometry: MapGeometry, seed: int) -> dict[str, Any]:
    cortical = cortical_positions(loaders.coordinates)
    neurons = _evenly_spaced(len(cortical), _NEURONS)
    dataset = loaders.train.dataset
    batches = [dataset[part] for part in np.array_split(_evenly_spaced(len(dataset), _TRIALS), 32) if part.size]
    channels = dataset.image_channels
    images = torch.cat([batch.images[:, :channels].mean(1).cpu() for batch in batches])  # brightness over all channels
    responses = np.concatenate([batch.measured_responses().cpu().numpy()[:, neurons] for batch in batches])
    found = estimate_retinotopy(images, responses, cortical[neurons], geometry, seed)
    readout.set_positions(found.positions(cortical))
    return {
        "matrix": found.matrix.round(4).tolist(),
        "offset": found.offset.round(4).tolist(),
        "evidence": round(found.evidence, 3),
        "evidence_elsewhere": round(found.evidence_elsewhere, 3),
    }


def _set_biases(readout: Readout, nonlinearity: Nonlinearity, mean: NDArray[np.float32]) -> None:
    """Set the biases so that, without the contribution of the features, each neuron's rate is its mean response."""
    if readout.bias is None:
        raise InputError(
            f'The readout {readout.settings.type!r} has no biases to initialise: set initialisation.biases = "zero".'
        )
    with torch.no_grad():
        readout.bias.copy_(nonlinearity.inverse(torch.as_tensor(mean).clamp(min=1e-3)))


def _evenly_spaced(count: int, most: int) -> NDArray[np.int64]:
    """Return at most `most` evenly spaced indices."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
