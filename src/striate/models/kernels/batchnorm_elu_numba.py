"""Batch normalisation and ELU on a CPU: two passes over the maps forward, and two backward.

Taken one after the other, they read and write each map seven times, and memory is what they wait for. Maps are (P, C):
the channels of a place side by side, the places of all images one after another. Each thread takes places of its own and
sums by itself, and the sums are added in order, so that the same number of threads gives the same bits. Long sums are
taken a block at a time in single precision and added up in double precision.
"""

from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from striate.models.kernels.readout_numba import NOT_REASSOCIATED, array, compiled, elu_of_one, threads

_BLOCK = 256  # number of pixels that are summed in single precision


def _moments_loop(maps: Any, pivots: Any, sums: Any) -> None:
    """Sums of x − pivot and of its square, (shares, 2, C); a pivot near the mean, so that no digits cancel."""
    places, channels = maps.shape
    shares = sums.shape[0]
    for part in numba.prange(shares):
        share = np.int64(part)
        first, second = np.empty(channels, np.float32), np.empty(channels, np.float32)
        stop = (share + 1) * places // shares
        for start in range(share * places // shares, stop, _BLOCK):
            first[:] = 0
            second[:] = 0
            for p in range(start, min(start + _BLOCK, stop)):
                for c in range(channels):
                    x = maps[p, c] - pivots[c]
                    first[c] += x
                    second[c] += x * x
            for c in range(channels):
                sums[share, 0, c] += first[c]
                sums[share, 1, c] += second[c]


def _forward_loop(maps: Any, scale: Any, bias: Any, out: Any, shares: int) -> None:
    """Compute ELU(x · scale + bias)."""
    places, channels = maps.shape
    for part in numba.prange(shares):
        share = np.int64(part)
        for p in range(share * places // shares, (share + 1) * places // shares):
            for c in range(channels):
                out[p, c] = elu_of_one(maps[p, c] * scale[c] + bias[c])


def _slopes_loop(grad_output: Any, values: Any, maps: Any, mean: Any, sums: Any) -> None:
    """Sum the gradients before the ELU, whose derivative follows from its values, and their products with x − mean."""
    places, channels = maps.shape
    shares = sums.shape[0]
    for part in numba.prange(shares):
        share = np.int64(part)
        first, second = np.empty(channels, np.float32), np.empty(channels, np.float32)
        stop = (share + 1) * places // shares
        for start in range(share * places // shares, stop, _BLOCK):
            first[:] = 0
            second[:] = 0
            for p in range(start, min(start + _BLOCK, stop)):
                for c in range(channels):
                    slope = grad_output[p, c] * (min(values[p, c], np.float32(0)) + np.float32(1))
                    first[c] += slope
                    second[c] += slope * (maps[p, c] - mean[c])
            for c in range(channels):
                sums[share, 0, c] += first[c]
                sums[share, 1, c] += second[c]


def _backward_loop(
    grad_output: Any, values: Any, maps: Any, mean: Any, scale: Any, tilt: Any, offset: Any, out: Any, shares: int
) -> None:
    """Compute gradient · scale + (x − mean) · tilt + offset."""
    places, channels = maps.shape
    for part in numba.prange(shares):
        share = np.int64(part)
        for p in range(share * places // shares, (share + 1) * places // shares):
            for c in range(channels):
                slope = grad_output[p, c] * (min(values[p, c], np.float32(0)) + np.float32(1))
                out[p, c] = slope * scale[c] + (maps[p, c] - mean[c]) * tilt[c] + offset[c]


_moments = compiled(_moments_loop, parallel=True)
_forward = compiled(_forward_loop, parallel=True, fastmath=NOT_REASSOCIATED)
_slopes = compiled(_slopes_loop, parallel=True)
# With reassociation, the code of the process that compiles rounds otherwise than the same code from the cache.
_backward = compiled(_backward_loop, parallel=True, fastmath=NOT_REASSOCIATED)


def forward(maps: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return ELU of the normalised maps (B, C, H, W), and mean and biased variance of each channel, in double precision."""
    rows = _rows(maps)
    channels, places = maps.shape[1], len(rows)
    out = maps.new_empty((len(maps), *maps.shape[2:], channels))
    with threads() as number:
        pivots, sums = rows[0].copy(), maps.new_zeros((number, 2, channels), dtype=torch.float64)
        _moments(rows, pivots, sums.numpy())
        first, second = sums.sum(dim=0) / places
        mean, variance = first + torch.from_numpy(pivots), (second - first.square()).clamp(min=0)
        scale = weight.detach() * (variance + eps).rsqrt()
        shift = bias.detach() - mean * scale
        _forward(rows, array(scale.float()), array(shift.float()), _rows(out.permute(0, 3, 1, 2)), number)
    return out.permute(0, 3, 1, 2), mean, variance


def backward(
    grad_output: Tensor, values: Tensor, maps: Tensor, mean: Tensor, variance: Tensor, weight: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of maps, weight and bias from that of the output of `forward`."""
    given = _rows(grad_output), _rows(values), _rows(maps)
    channels, places = maps.shape[1], len(given[0])
    out = maps.new_empty((len(maps), *maps.shape[2:], channels))
    centre = array(mean.float())
    with threads() as number:
        sums = maps.new_zeros((number, 2, channels), dtype=torch.float64)
        _slopes(*given, centre, sums.numpy())
        grad_bias, of_product = sums.sum(dim=0)
        inverse = (variance + eps).rsqrt()
        scale = weight.detach() * inverse
        tilt, offset = -scale * inverse.square() * of_product / places, -scale * grad_bias / places
        factors = (array(factor.float()) for factor in (scale, tilt, offset))
        _backward(*given, centre, *factors, _rows(out.permute(0, 3, 1, 2)), number)
    return out.permute(0, 3, 1, 2), (of_product * inverse).float(), grad_bias.float()


def _rows(maps: Tensor) -> Any:
    return array(maps.permute(0, 2, 3, 1)).reshape(-1, maps.shape[1])
