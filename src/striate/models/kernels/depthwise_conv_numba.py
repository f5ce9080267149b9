"""The gradient of a depth-wise convolution in its weights, on a CPU.

Each weight's gradient is a sum over all images and places: it is bound by what the machine multiplies, if the sums stay
in registers. Threads take images of their own and sum by themselves, and their sums are added in order: the same number
of threads gives the same bits.
"""

from typing import Any

import numba
import numpy as np
from torch import Tensor

from striate.models.kernels.readout_numba import array, compiled, threads
from striate.models.kernels.separable_core_llvm import LANES, SUPPORTED, collect, slopes

__all__ = ["KERNELS", "LANES", "SUPPORTED", "weight_gradient"]

KERNELS = (3, 5, 7)  # kernel sizes whose rows of sums fit into registers
_slopes_3, _slopes_5, _slopes_7 = slopes(3), slopes(5), slopes(7)


def _weight_loop(grad_maps: Any, maps: Any, padded: Any, totals: Any, out: Any) -> None:
    """Sums of each share of the images, `out` (shares, C / lanes, k, k, lanes), zero before.

    Slopes and maps are (B, H, W, C). Each share has `padded` (C / lanes, H, W + k − 1, lanes), zero on the border, and
    `totals` (k, k, lanes).
    """
    images, height, width, channels = maps.shape
    shares, groups, kernel = out.shape[0], out.shape[1], out.shape[2]
    margin = kernel // 2
    for part in numba.prange(shares):
        share = np.int64(part)
        total = totals[share]
        for b in range(share * images // shares, (share + 1) * images // shares):
            for group in range(groups):
                inside = padded[share, group]
                for y in range(height):
                    place = maps[b, y].ctypes.data + 4 * group * LANES
                    collect(place, channels, width, inside[y].ctypes.data + 4 * margin * LANES)
                total[:] = 0
                for y in range(height):
                    slope = grad_maps[b, y].ctypes.data + 4 * group * LANES
                    for i in range(max(0, margin - y), min(kernel, height + margin - y)):
                        source, sums = inside[y + i - margin].ctypes.data, total[i].ctypes.data
                        if kernel == 7:
                            _slopes_7(slope, channels, source, width, sums)
                        elif kernel == 5:
                            _slopes_5(slope, channels, source, width, sums)
                        else:
                            _slopes_3(slope, channels, source, width, sums)
                out[share, group] += (
                    total  # summed by image: pairwise sums have a smaller rounding error than one long sum
                )


_weights = compiled(_weight_loop, parallel=True, fastmath=set())


def weight_gradient(grad_maps: Tensor, maps: Tensor, kernel: int) -> Tensor:
    """Return the gradient of the weights, (C, 1, k, k), from that of the output and the input maps, (B, C, H, W)."""
    images, channels, height, width = maps.shape
    groups = channels // LANES
    with threads() as number:
        shares = min(number, max(1, images))
        padded = maps.new_zeros((shares, groups, height, width + kernel - 1, LANES))
        totals = maps.new_empty((shares, kernel, kernel, LANES))
        out = maps.new_zeros((shares, groups, kernel, kernel, LANES))
        given = (array(tensor.permute(0, 2, 3, 1)) for tensor in (grad_maps, maps))
        _weights(*given, padded.numpy(), totals.numpy(), out.numpy())
    return out.sum(dim=0).permute(0, 3, 1, 2).reshape(channels, 1, kernel, kernel)
