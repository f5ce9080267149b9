"""Estimate the retinotopic map of a recording from responses, before training.

Neighbouring neurons in cortex have neighbouring receptive fields, and within the field of view of a microscope the map from
cortex to screen is approximately affine. Its six parameters are estimated from all neurons together, because the responses of
a single neuron are too noisy: each neuron's responses are correlated with brightness and contrast at every position, and a
random search finds the affine map that maximises the mean squared correlation at the neurons' positions.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from striate.models import MapGeometry

_SCALES = (1 / 64, 1 / 32)  # scales of brightness and contrast, as fractions of the image width
_ROUNDS, _CANDIDATES, _KEPT = (
    30,
    2000,
    50,
)  # rounds of the search, candidates of a round, candidates that survive a round
_FIRST, _FINER = 20_000, 0.85


@dataclass(frozen=True)
class Retinotopy:
    """Affine map from cortex to the feature maps: position = offset + matrix · cortical position.

    Attributes
    ----------
    matrix : (2, 2)
        Rows: horizontal and vertical position in the feature maps, −1 to 1. Columns: normalised cortical x and y.
    offset : (2,)
        Position of a neuron at the centre of the recorded area.
    evidence
        Mean squared correlation at the neurons' positions, divided by its value expected by chance, minus 1.
    evidence_elsewhere
        The same after a random permutation of the neurons' cortical positions, as a control.
    """

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]
    evidence: float
    evidence_elsewhere: float

    def positions(self, cortical: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the position of each neuron in the feature maps, (N, 2), from its cortical position, (N, 2)."""
        return self.offset + cortical @ self.matrix.T


def estimate_retinotopy(
    images: Tensor,
    responses: NDArray[np.float32],
    cortical: NDArray[np.float32],
    geometry: MapGeometry,
    seed: int,
) -> Retinotopy:
    """Estimate the affine map from cortex to the feature maps.

    Parameters
    ----------
    images : (T, h, w)
        Brightness of the training images.
    responses : (T, N)
        Responses to the training images.
    cortical : (N, 2)
        Cortical positions of the neurons, from `cortical_positions`.
    geometry
        Where the locations of the feature maps look in the image.
    seed
        Seed of the random search.

    Returns
    -------
    Retinotopy
        The affine map and its evidence.
    """
    rows, columns = (_covered_pixels(geometry, axis, images.shape[axis - 2]) for axis in (0, 1))
    evidence = _evidence(images, responses, rows, columns)
    random = np.random.default_rng(seed)
    found = random.normal(0, 0.3, (_FIRST, 6))
    found[:, :2] = random.uniform(-0.9, 0.9, (_FIRST, 2))
    scores = _scores(evidence, cortical, found)
    for round_ in range(_ROUNDS):
        kept = found[np.argsort(-scores)[:_KEPT]]
        steps = random.normal(0, 0.15 * _FINER**round_, (_CANDIDATES, 6))
        found = np.concatenate([kept, kept[random.integers(0, len(kept), _CANDIDATES)] + steps])
        scores = _scores(evidence, cortical, found)
    best = found[np.argmax(scores)][None]
    elsewhere = _scores(evidence, cortical[random.permutation(len(cortical))], best)
    scale, shift = _to_map(geometry, rows, columns)
    matrix, offset = best[0, 2:].reshape(2, 2) * scale[:, None], best[0, :2] * scale + shift
    return Retinotopy(matrix, offset, float(scores.max()), float(elsewhere[0]))


def _scores(
    evidence: NDArray[np.float32], cortical: NDArray[np.float32], maps: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean evidence at the neurons' positions under each affine map, (K, 6); positions outside count as 0."""
    neurons, height, width = evidence.shape
    offset, matrix = maps[:, :2], maps[:, 2:].reshape(-1, 2, 2)
    total = np.zeros(len(maps))
    for start in range(0, len(maps), 1000):
        part = slice(start, start + 1000)
        places = offset[part, None] + cortical @ matrix[part].transpose(0, 2, 1)
        columns = np.rint((places[..., 0] + 1) / 2 * (width - 1)).astype(np.int64)
        rows = np.rint((places[..., 1] + 1) / 2 * (height - 1)).astype(np.int64)
        inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
        found = evidence[np.arange(neurons), rows.clip(0, height - 1), columns.clip(0, width - 1)]
        total[part] = np.where(inside, found, 0).mean(axis=1)
    return total


def _covered_pixels(geometry: MapGeometry, axis: int, length: int) -> range:
    """Return the rows (axis 0) or columns (axis 1) of the image between the centres of the first and the last location."""
    first = geometry.offset[axis]
    last = first + geometry.stride[axis] * (geometry.shape[axis] - 1)
    start = min(max(0, math.ceil(first)), length - 1)
    return range(start, max(start + 1, min(length, math.floor(last) + 1)))


def _to_map(geometry: MapGeometry, rows: range, columns: range) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scale and shift that convert positions within the covered pixels, −1 to 1, to positions in the map."""
    corners = geometry.from_pixels([[columns[0], rows[0]], [columns[-1], rows[-1]]])
    return (corners[1] - corners[0]) / 2, (corners[1] + corners[0]) / 2


def _evidence(images: Tensor, responses: NDArray[np.float32], rows: range, columns: range) -> NDArray[np.float32]:
    """Return the evidence of each neuron at each covered pixel, (N, rows, columns)."""
    trials = len(images)
    varying = _standardised(responses)
    total = np.zeros((varying.shape[1], len(rows), len(columns)), dtype=np.float32)
    for scale in _SCALES:
        width = scale * images.shape[-1]
        smooth = _blurred(images[:, None], width)
        fine = _blurred(images[:, None], width / 2) - smooth
        contrast = _blurred(fine.square(), 1.5 * width).sqrt()
        for feature in (smooth, contrast):
            covered = feature[:, 0, rows.start : rows.stop, columns.start : columns.stop]
            values = _standardised(covered.reshape(trials, -1).numpy())
            correlations = varying.T @ values / trials
            total += (trials * correlations**2 - 1).reshape(total.shape).astype(np.float32)
    pooled = _blurred(torch.from_numpy(total)[:, None], 1.5 * _SCALES[0] * images.shape[-1])
    return np.asarray(pooled[:, 0].numpy() / (2 * len(_SCALES)), dtype=np.float32)


def _standardised(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standardise each column to mean 0 and standard deviation 1; constant columns become 0."""
    centred = values - values.mean(axis=0)
    spread = centred.std(axis=0)
    return np.asarray(centred / np.where(spread > 1e-6, spread, np.inf), dtype=np.float32)


def _blurred(images: Tensor, width: float) -> Tensor:
    """Blur images, (T, 1, h, w), with a Gaussian of standard deviation `width` pixels and reflected borders."""
    reach = min(max(1, round(3 * width)), min(images.shape[-2:]) - 1)
    kernel = torch.exp(-(torch.arange(-reach, reach + 1) ** 2) / (2 * width**2))
    kernel /= kernel.sum()
    padded = F.pad(images, (reach, reach, reach, reach), mode="reflect")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
