"""The fused forms for CPUs: loops that numba compiles, parallel over images, vectorised over feature maps.

Maps are read channels-last: the features of one place lie side by side, so the four places around a neuron's position
are four runs of memory. Each thread writes to images (or to sums) of its own, so nothing is added atomically, and the
same number of threads gives the same bits. Compiled code is kept on disk: only the first process on a machine waits.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from striate._internal.user_warnings import warn
from striate.models.kernels.openmp_threads import let_waiting_threads_sleep

# sums may be reordered for vectorisation, but NaN and infinity are respected
FAST = {"reassoc", "contract", "nsz", "arcp"}
# (2^f − 1) / f for f within ±½, the highest power first: minimax, relative error 1e-8
EXPONENTIAL = (1.5403512e-4, 1.3390735e-3, 9.618238e-3, 5.5503573e-2, 2.4022649e-1, 6.931472e-1)
# some of numba's threading layers do not support concurrent callers
_ONE_AT_A_TIME = Lock()


def start_threads() -> None:
    """Start numba's threads, with another threading layer if the one that the environment selects does not work.

    Raises
    ------
    RuntimeError
        If numba is told not to compile.
    ValueError
        If numba cannot start threads at all.
    """
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        raise RuntimeError("NUMBA_DISABLE_JIT is set")
    try:
        _launch()
    except ValueError:
        asked = numba.config.THREADING_LAYER  # type: ignore[attr-defined]
        numba.config.THREADING_LAYER = "default"  # type: ignore[attr-defined]
        numba.config.THREADING_LAYER_PRIORITY = ["tbb", "omp", "workqueue"]  # type: ignore[attr-defined]
        _launch()
        used = numba.threading_layer()  # type: ignore[attr-defined]
        warn(
            f"numba cannot load the threading layer that the environment asks for ({asked}), and uses {used}: install it, or unset "
            "NUMBA_THREADING_LAYER and NUMBA_THREADING_LAYER_PRIORITY."
        )
    let_waiting_threads_sleep()


def _launch() -> None:
    """Launch numba's threads without changing PyTorch's number of threads: both may share one OpenMP library."""
    threads = torch.get_num_threads()
    try:
        numba.get_num_threads()
    finally:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)


def compiled(function: Callable[..., Any], fastmath: set[str] = FAST, **options: Any) -> Any:
    """Compile a function with numba, and cache the compiled code on disk."""
    options |= {"nogil": True, "fastmath": fastmath, "error_model": "numpy"}
    try:
        return numba.njit(function, cache=True, **options)
    except RuntimeError:  # no folder for the cache is writable
        return numba.njit(function, **options)


def _corner_weights(x: Any, y: Any, width: int, height: int) -> Any:
    """Bilinear weights of the four places around a position, how they change with x and y, and where the places are.

    Places outside the map have weight 0 and stand for the nearest one inside.
    """
    x, y = min(max(x, -1e9), 1e9), min(max(y, -1e9), 1e9)  # infinity times the 0 of a map one place wide is no number
    column, row = (x + 1) / 2 * (width - 1), (y + 1) / 2 * (height - 1)
    column, row = min(max(column, -2.0), width + 1.0), min(max(row, -2.0), height + 1.0)
    left, top = int(np.floor(column)), int(np.floor(row))
    right_part, lower_part = column - left, row - top
    west, east = 1.0 * (0 <= left < width), 1.0 * (-1 <= left < width - 1)
    north, south = 1.0 * (0 <= top < height), 1.0 * (-1 <= top < height - 1)
    across = (west * (1 - right_part), east * right_part)
    down = (north * (1 - lower_part), south * lower_part)
    weights = (across[0] * down[0], across[1] * down[0], across[0] * down[1], across[1] * down[1])
    per_column, per_row = (width - 1) / 2, (height - 1) / 2
    in_x = (
        -west * down[0] * per_column,
        east * down[0] * per_column,
        -west * down[1] * per_column,
        east * down[1] * per_column,
    )
    in_y = (
        -north * across[0] * per_row,
        -north * across[1] * per_row,
        south * across[0] * per_row,
        south * across[1] * per_row,
    )
    columns = min(max(left, 0), width - 1), min(max(left + 1, 0), width - 1)
    rows = min(max(top, 0), height - 1) * width, min(max(top + 1, 0), height - 1) * width
    corners = (rows[0] + columns[0], rows[0] + columns[1], rows[1] + columns[0], rows[1] + columns[1])
    return weights, in_x, in_y, corners


_corners = compiled(_corner_weights)


def _locate_loop(at: Any, height: int, width: int, weights: Any, corners: Any) -> None:
    """Weights (N, 4) and places (N, 4) of the corners around each position; a position that is no number weighs NaN."""
    for n in range(at.shape[0]):
        x, y = at[n, 0], at[n, 1]
        known = not (np.isnan(x) or np.isnan(y))
        found, _, _, where = _corners(x if known else 0 * x, y if known else 0 * y, width, height)
        for i in range(4):
            weights[n, i] = found[i] if known else np.nan
            corners[n, i] = where[i]


_locate = compiled(_locate_loop)


def _forward_loop(maps: Any, positions: Any, features: Any, out: Any) -> None:
    number = maps.dtype.type
    images, height, width, channels = maps.shape
    neurons = features.shape[0]
    each = positions.shape[0] > 1
    # to find the corners takes longer than to read them: once, where all images share the positions
    shared_weights = np.empty((0 if each else neurons, 4), maps.dtype)
    shared_corners = np.empty((0 if each else neurons, 4), np.int32)
    if not each:
        _locate(positions[0], height, width, shared_weights, shared_corners)
    for image in numba.prange(images):
        b = np.int64(image)
        places = maps[b].reshape(height * width, channels)
        if each:
            weights, corners = np.empty((neurons, 4), maps.dtype), np.empty((neurons, 4), np.int32)
            _locate(positions[b], height, width, weights, corners)
        else:
            weights, corners = shared_weights, shared_corners
        for n in range(neurons):
            w0, w1, w2, w3 = weights[n, 0], weights[n, 1], weights[n, 2], weights[n, 3]
            p0, p1, p2, p3 = places[corners[n, 0]], places[corners[n, 1]], places[corners[n, 2]], places[corners[n, 3]]
            f = features[n]
            total = number(0)
            for c in range(channels):
                total += f[c] * (w0 * p0[c] + w1 * p1[c] + w2 * p2[c] + w3 * p3[c])
            out[b, n] = total


def _backward_loop(
    grad_output: Any, maps: Any, positions: Any, features: Any, grad_maps: Any, grad_positions: Any, grad_features: Any
) -> None:
    number = maps.dtype.type
    images, height, width, channels = maps.shape
    shares = grad_features.shape[0]
    each, needs_grad_maps = positions.shape[0] > 1, grad_maps.shape[0] > 0
    for part in numba.prange(shares):
        share = np.int64(part)
        for b in range(share * images // shares, (share + 1) * images // shares):
            places = maps[b].reshape(height * width, channels)
            of_places = grad_maps[b].reshape(height * width, channels) if needs_grad_maps else places
            at = positions[b if each else 0]
            for n in range(features.shape[0]):
                slope, x, y = grad_output[b, n], at[n, 0], at[n, 1]
                if np.isnan(x) or np.isnan(y):
                    grad_positions[b, n, :] = np.nan
                    continue
                weights, in_x, in_y, corners = _corners(x, y, width, height)
                w0, w1, w2, w3 = number(weights[0]), number(weights[1]), number(weights[2]), number(weights[3])
                p0, p1, p2, p3 = places[corners[0]], places[corners[1]], places[corners[2]], places[corners[3]]
                f, of_f = features[n], grad_features[share, n]
                s0, s1, s2, s3 = number(0), number(0), number(0), number(0)
                for c in range(channels):
                    s0 += f[c] * p0[c]
                    s1 += f[c] * p1[c]
                    s2 += f[c] * p2[c]
                    s3 += f[c] * p3[c]
                    of_f[c] += slope * (w0 * p0[c] + w1 * p1[c] + w2 * p2[c] + w3 * p3[c])
                grad_positions[b, n, 0] = slope * (in_x[0] * s0 + in_x[1] * s1 + in_x[2] * s2 + in_x[3] * s3)
                grad_positions[b, n, 1] = slope * (in_y[0] * s0 + in_y[1] * s1 + in_y[2] * s2 + in_y[3] * s3)
                if needs_grad_maps:
                    # one after another: on the border, two of the four may be the same place
                    for i in range(4):
                        weight = slope * number(weights[i])
                        of_p = of_places[corners[i]]
                        for c in range(channels):
                            of_p[c] += weight * f[c]


def _elu_of_one(x: Any) -> Any:
    """ELU of one number; exp(x) = 2^k · 2^f with f within ±½, and 2^f − 1 by a polynomial.

    Nothing branches, so that vector units take many numbers at once, and as little as can be is done to each: it is the
    operations that take the time. A number too large for the fraction of a float, added, rounds to a whole k, which
    then stands in its last bits. For x ≥ 0 it may overflow, and is not used.
    """
    below = max(x, np.float32(-87))
    shifted = below * np.float32(1.44269504) + np.float32(12582912)  # 1.5 · 2^23
    f = below * np.float32(1.44269504) - (shifted - np.float32(12582912))
    e = np.float32(EXPONENTIAL[0])
    e = e * f + np.float32(EXPONENTIAL[1])
    e = e * f + np.float32(EXPONENTIAL[2])
    e = e * f + np.float32(EXPONENTIAL[3])
    e = e * f + np.float32(EXPONENTIAL[4])
    e = e * f + np.float32(EXPONENTIAL[5])
    e = e * f
    bits = (np.float32(shifted).view(np.int32) << np.int32(23)) + np.int32(0x3F800000)
    power = np.int32(bits).view(np.float32)
    return (e * power + (power - np.float32(1))) if x <= 0 else x  # where it is NaN, x


# whoever uses it is compiled with this: to add and subtract the same number would cancel, where it shall round
NOT_REASSOCIATED = FAST - {"reassoc"}
elu_of_one = compiled(_elu_of_one, fastmath=NOT_REASSOCIATED, inline="always")


def _elu_loop(values: Any, parts: int) -> None:
    """Apply ELU in place."""
    for index in numba.prange(parts):
        part = values[index * values.size // parts : (index + 1) * values.size // parts]
        for i in range(part.size):
            part[i] = elu_of_one(part[i])


_elu = compiled(_elu_loop, parallel=True, fastmath=NOT_REASSOCIATED)
_forward = compiled(_forward_loop, parallel=True)
_backward = compiled(_backward_loop, parallel=True)


def forward(maps: Tensor, positions: Tensor, features: Tensor) -> Tensor:
    """Compute `sample_and_project` without the bias; positions are (1 or B, N, 2)."""
    values = _channels_last(maps)
    out = maps.new_empty((len(values), len(features)))
    with threads():
        _forward(values, array(positions), array(features), out.numpy())
    return out


def elu_(values: Tensor) -> None:
    """Apply ELU in place to a dense tensor in single precision."""
    flat = values.as_strided((values.numel(),), (1,)).numpy()
    with threads() as number:
        _elu(flat, number)


def backward(
    grad_output: Tensor, maps: Tensor, positions: Tensor, features: Tensor, needs_grad_maps: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of maps (empty if not needed), positions and features from that of the output, (B, N)."""
    values = _channels_last(maps)
    grad_maps = maps.new_zeros(values.shape if needs_grad_maps else (0, *values.shape[1:]))
    grad_positions = maps.new_zeros((len(values), len(features), 2))
    with threads() as number:
        grad_features = maps.new_zeros((min(number, max(1, len(values))), *features.shape))
        written = grad_maps.numpy(), grad_positions.numpy(), grad_features.numpy()
        _backward(array(grad_output), values, array(positions), array(features), *written)
    if len(positions) == 1 and len(values) != 1:  # the same positions for all images
        grad_positions = grad_positions.sum(dim=0, keepdim=True)
    return grad_maps.permute(0, 3, 1, 2), grad_positions, grad_features.sum(dim=0)


@contextmanager
def threads() -> Iterator[int]:
    """Use as many threads as PyTorch, and restore PyTorch's number of threads, which numba may change through OpenMP."""
    of_torch = torch.get_num_threads()
    available: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    threads = max(1, min(of_torch, available))
    with _ONE_AT_A_TIME:
        numba.set_num_threads(threads)
        try:
            yield threads
        finally:
            if torch.get_num_threads() != of_torch:
                torch.set_num_threads(of_torch)


def _channels_last(maps: Tensor) -> NDArray[Any]:
    return array(maps.permute(0, 2, 3, 1))


def array(tensor: Tensor) -> NDArray[Any]:
    """Values side by side, as numba takes them."""
    values: NDArray[Any] = tensor.detach().contiguous().numpy()
    return values
