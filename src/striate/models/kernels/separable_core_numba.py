"""The forward pass of a separable core on a CPU, image by image and row by row.

An image goes through all layers before the next one begins, and through most of them row by row. Of what lies between
the layers only two maps exist at a time, padded with zeros, which fit into the cache that a thread has for itself; the
rest are rows. Threads take images of their own, and each image is computed the same wherever it stands in a batch.
"""

from typing import Any

import numba
import numpy as np
from torch import Tensor

from striate.models.kernels.readout_numba import array, compiled, threads
from striate.models.kernels.separable_core_llvm import BLOCK, COLUMNS, LANES, PLACES, SUPPORTED, products, sums

__all__ = ["BLOCK", "SUPPORTED", "core"]

_products_many, _products_two, _products_one = products(PLACES), products(2), products(1)
_sums_many, _sums_some, _sums_one = sums(COLUMNS), sums(4), sums(1)


def _row_product(
    source: int,
    sizes: tuple[int, int, int],
    strides: tuple[int, int, int],
    s_place: int,
    places: int,
    weights: int,
    channels: int,
    bias: int,
    target: int,
    t_place: int,
    t_vector: int,
    nonlinear: bool,
) -> None:
    """All places and channels of a row, block by block."""
    for c in range(0, channels, BLOCK):
        w, b, p = weights + 4 * c, bias + 4 * c, 0
        to = target + 4 * t_vector * (c // LANES)
        (n_i, n_j, n_k), (s_i, s_j, s_k) = sizes, strides
        while p + PLACES <= places:
            a, t = source + 4 * s_place * p, to + 4 * t_place * p
            _products_many(a, n_i, s_i, n_j, s_j, n_k, s_k, s_place, w, channels, b, t, t_place, t_vector, nonlinear)
            p += PLACES
        while p + 2 <= places:
            a, t = source + 4 * s_place * p, to + 4 * t_place * p
            _products_two(a, n_i, s_i, n_j, s_j, n_k, s_k, s_place, w, channels, b, t, t_place, t_vector, nonlinear)
            p += 2
        if p < places:
            a, t = source + 4 * s_place * p, to + 4 * t_place * p
            _products_one(a, n_i, s_i, n_j, s_j, n_k, s_k, s_place, w, channels, b, t, t_place, t_vector, nonlinear)


def _row_sum(source: int, s_row: int, kernel: int, columns: int, weights: int, target: int) -> None:
    """All columns of a row, for one vector of channels."""
    x = 0
    while x + COLUMNS <= columns:
        _sums_many(source + 4 * LANES * x, s_row, kernel, weights, target + 4 * LANES * x)
        x += COLUMNS
    while x + 4 <= columns:
        _sums_some(source + 4 * LANES * x, s_row, kernel, weights, target + 4 * LANES * x)
        x += 4
    while x < columns:
        _sums_one(source + 4 * LANES * x, s_row, kernel, weights, target + 4 * LANES * x)
        x += 1


_product = compiled(_row_product, fastmath=set())
_sum = compiled(_row_sum, fastmath=set())


def _core_loop(
    images: Any,
    first: Any,
    first_bias: Any,
    before: Any,
    spatial: Any,
    after: Any,
    bias: Any,
    nonlinear: bool,
    padded: Any,
    rows: Any,
    out: Any,
) -> None:
    """Forward pass of all images.

    Images are (B, planes, h, w), `out` is (1, B, H, W, C) for the maps of the last layer, or (1 + layers, B, H, W, C) for those of
    every layer. Weights have their output channels last: `first`
    (planes, k, k, C); `before` and `after`, the point-wise ones of each hidden layer, (layers, C, C); `spatial`
    (layers, C / lanes, k, k, lanes). Each thread has `padded` (2, C / lanes, H + k − 1, W + k − 1, lanes), zero on the
    border, for the maps between the point-wise and the depth-wise convolutions, and `rows` (2, W · C).
    """
    planes, pixels = images.shape[1], images.shape[3]
    side, channels = first.shape[1], first.shape[3]
    every, height, width = out.shape[0] > 1, out.shape[2], out.shape[3]
    layers, groups, kernel = spatial.shape[0], spatial.shape[1], spatial.shape[2]
    wide = width + kernel - 1
    s_group, s_row, inside = (height + kernel - 1) * wide * LANES, wide * LANES, (kernel // 2) * (wide + 1) * LANES
    nothing = np.zeros(channels, np.float32)
    for image in numba.prange(images.shape[0]):
        b, thread = np.int64(image), numba.get_thread_id()  # type: ignore[attr-defined]
        seen, shown = images[b].ctypes.data, out[0, b].ctypes.data
        maps = padded[thread, 0].ctypes.data, padded[thread, 1].ctypes.data
        summed, row = rows[thread, 0].ctypes.data, rows[thread, 1].ctypes.data
        for y in range(height):
            result = row if layers and not every else shown + 4 * y * width * channels
            sizes, strides = (planes, side, side), (images.shape[2] * pixels, pixels, 1)
            _product(
                seen + 4 * y * pixels,
                sizes,
                strides,
                1,
                width,
                first.ctypes.data,
                channels,
                first_bias.ctypes.data,
                result,
                channels,
                LANES,
                nonlinear,
            )
            if layers:
                _product(
                    result,
                    (1, 1, channels),
                    (0, 0, 1),
                    channels,
                    width,
                    before[0].ctypes.data,
                    channels,
                    nothing.ctypes.data,
                    maps[0] + 4 * (inside + y * s_row),
                    LANES,
                    s_group,
                    False,
                )
        for layer in range(layers):
            source, target = maps[layer % 2], maps[(layer + 1) % 2]
            last = layer == layers - 1
            if every:
                shown = out[layer + 1, b].ctypes.data
            for y in range(height):
                for group in range(groups):
                    _sum(
                        source + 4 * (group * s_group + y * s_row),
                        s_row,
                        kernel,
                        width,
                        spatial[layer, group].ctypes.data,
                        summed + 4 * group * width * LANES,
                    )
                result = shown + 4 * y * width * channels if last or every else row
                _product(
                    summed,
                    (1, groups, LANES),
                    (0, width * LANES, 1),
                    LANES,
                    width,
                    after[layer].ctypes.data,
                    channels,
                    bias[layer].ctypes.data,
                    result,
                    channels,
                    LANES,
                    nonlinear,
                )
                if not last:
                    _product(
                        result,
                        (1, 1, channels),
                        (0, 0, 1),
                        channels,
                        width,
                        before[layer + 1].ctypes.data,
                        channels,
                        nothing.ctypes.data,
                        target + 4 * (inside + y * s_row),
                        LANES,
                        s_group,
                        False,
                    )


_core = compiled(_core_loop, parallel=True, fastmath=set())


def core(
    images: Tensor,
    first: Tensor,
    first_bias: Tensor,
    before: Tensor,
    spatial: Tensor,
    after: Tensor,
    bias: Tensor,
    nonlinear: bool,
    every: bool = False,
) -> list[Tensor]:
    """Maps of the last layer, or of every layer, each (B, C, H, W), channels-last, of images (B, planes, h, w).

    Weights are PyTorch's: `first` (C, planes, k, k); those of the hidden layers, if any, stacked: `before` and `after`
    (layers, C, C), output channels first, `spatial` (layers, C, k, k). `bias` is that of `after`.
    """
    channels, side = first.shape[0], first.shape[2]
    layers, kernel = len(spatial), spatial.shape[-1]
    height, width = images.shape[2] - side + 1, images.shape[3] - side + 1
    out = images.new_empty((1 + layers if every else 1, len(images), height, width, channels))
    spatial = spatial.reshape(layers, channels // LANES, LANES, kernel, kernel).permute(0, 1, 3, 4, 2)
    with threads() as number:
        shape = (number, 2, channels // LANES, height + kernel - 1, width + kernel - 1, LANES)
        padded, rows = images.new_zeros(shape), images.new_empty((number, 2, width * channels))
        weights = first.permute(1, 2, 3, 0), first_bias, before.mT, spatial, after.mT, bias
        _core(array(images), *map(array, weights), nonlinear, padded.numpy(), rows.numpy(), out.numpy())
    return list(out.permute(0, 1, 4, 2, 3))
