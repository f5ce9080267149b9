"""The fused forms for GPUs: kernels that Triton compiles.

Forward, a program takes a block of neurons of one image. Backward, it takes a block of neurons through all images, so
that it can sum the gradient in their features by itself; only that in the maps, where neurons overlap, is added
atomically, and so depends in its last bits on the order in which the programs run.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

_NEURONS = 16  # number of neurons of a program


@triton.jit
def _corner(row, column, rows: tl.constexpr, columns: tl.constexpr):
    """Where a place lies in a map, and whether it does (places outside stand for the nearest inside)."""
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    row = tl.minimum(tl.maximum(row, 0), rows - 1)
    column = tl.minimum(tl.maximum(column, 0), columns - 1)
    return row * columns + column, inside


@triton.jit
def _grid(at, of_neurons, present, height: tl.constexpr, width: tl.constexpr):
    """Positions of neurons in units of places: column, row and the whole places to their upper left."""
    x = tl.load(at + of_neurons * 2, mask=present, other=0.0)
    y = tl.load(at + of_neurons * 2 + 1, mask=present, other=0.0)
    # far outside is as good as just outside, and does not overflow the whole numbers; NaN stays
    column = tl.clamp((x + 1) / 2 * (width - 1), -2.0, width + 1.0, propagate_nan=tl.PropagateNan.ALL)
    row = tl.clamp((y + 1) / 2 * (height - 1), -2.0, height + 1.0, propagate_nan=tl.PropagateNan.ALL)
    left, top = tl.floor(column), tl.floor(row)
    return column - left, row - top, left.to(tl.int32), top.to(tl.int32)


@triton.jit
def _neurons(features, neurons, channels: tl.constexpr, channel_block: tl.constexpr, neuron_block: tl.constexpr):
    """The neurons that a program takes, their channels, which of both there are, and the neurons' features."""
    n = tl.program_id(0) * neuron_block + tl.arange(0, neuron_block)
    present = n < neurons
    c = tl.arange(0, channel_block)
    mask = present[:, None] & (c < channels)[None, :]
    f = tl.load(features + n[:, None] * channels + c[None, :], mask=mask, other=0.0)
    return n, present, c, mask, f


@triton.jit
def _forward(
    maps,
    positions,
    features,
    out,
    neurons,
    position_stride,
    height: tl.constexpr,
    width: tl.constexpr,
    channels: tl.constexpr,
    channel_block: tl.constexpr,
    neuron_block: tl.constexpr,
):
    image = tl.program_id(1)
    n, present, c, mask, f = _neurons(features, neurons, channels, channel_block, neuron_block)
    right, lower, left, top = _grid(positions + image * position_stride, n, present, height, width)
    maps += image * height * width * channels
    total = tl.zeros((neuron_block, channel_block), dtype=out.dtype.element_ty)
    for i in tl.static_range(4):
        down: tl.constexpr = i // 2
        across: tl.constexpr = i % 2
        place, inside = _corner(top + down, left + across, height, width)
        weight = (lower if down else 1 - lower) * (right if across else 1 - right)
        at = maps + place[:, None] * channels + c[None, :]
        value = tl.load(at, mask=mask & inside[:, None], other=0.0)
        total += weight[:, None] * value
    tl.store(out + image * neurons + n, tl.sum(total * f, axis=1), mask=present)


@triton.jit
def _backward(
    grad_output,
    maps,
    positions,
    features,
    grad_maps,
    grad_positions,
    grad_features,
    images,
    neurons,
    position_stride,
    needs_grad_maps: tl.constexpr,
    height: tl.constexpr,
    width: tl.constexpr,
    channels: tl.constexpr,
    channel_block: tl.constexpr,
    neuron_block: tl.constexpr,
):
    n, present, c, mask, f = _neurons(features, neurons, channels, channel_block, neuron_block)
    of_f = tl.zeros((neuron_block, channel_block), dtype=maps.dtype.element_ty)
    # each program takes a share of the images; one program for all would leave most of the GPU idle
    share, shares = tl.program_id(1), tl.num_programs(1)
    for image in range(share, images, shares):
        offset = image * height * width * channels
        right, lower, left, top = _grid(positions + image * position_stride, n, present, height, width)
        slope = tl.load(grad_output + image * neurons + n, mask=present, other=0.0)
        in_x = tl.zeros((neuron_block,), dtype=maps.dtype.element_ty)
        in_y = tl.zeros((neuron_block,), dtype=maps.dtype.element_ty)
        for i in tl.static_range(4):
            down: tl.constexpr = i // 2
            across: tl.constexpr = i % 2
            place, inside = _corner(top + down, left + across, height, width)
            vertical = lower if down else 1 - lower
            horizontal = right if across else 1 - right
            there = place[:, None] * channels + c[None, :]
            on_map = mask & inside[:, None]
            value = tl.load(maps + offset + there, mask=on_map, other=0.0)
            weight = slope * vertical * horizontal
            of_f += weight[:, None] * value
            if needs_grad_maps:
                tl.atomic_add(grad_maps + offset + there, weight[:, None] * f, mask=on_map)
            projected = tl.sum(value * f, axis=1)
            in_x += vertical * (projected if across else -projected)
            in_y += horizontal * (projected if down else -projected)
        at = grad_positions + (image * neurons + n) * 2
        tl.store(at, slope * in_x * ((width - 1) / 2), mask=present)
        tl.store(at + 1, slope * in_y * ((height - 1) / 2), mask=present)
    at = grad_features + (share * neurons + n[:, None]) * channels + c[None, :]
    tl.store(at, of_f, mask=mask)


def forward(maps: Tensor, positions: Tensor, features: Tensor) -> Tensor:
    """Compute `sample_and_project` without the bias; positions are (1 or B, N, 2)."""
    values, positions, features = _channels_last(maps), positions.contiguous(), features.contiguous()
    out = values.new_empty((len(values), len(features)))
    grid = (triton.cdiv(len(features), _NEURONS), len(values))
    _forward[grid](values, positions, features, out, len(features), _stride(positions), **_sizes(values))
    return out


def backward(
    grad_output: Tensor, maps: Tensor, positions: Tensor, features: Tensor, needs_grad_maps: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of maps (empty if not needed), positions and features from that of the output, (B, N)."""
    values, positions, features = _channels_last(maps), positions.contiguous(), features.contiguous()
    images, neurons = len(values), len(features)
    grad_maps = torch.zeros_like(values) if needs_grad_maps else values[:0]
    grad_positions = values.new_empty((images, neurons, 2))
    shares = min(images, 8)
    grad_features = values.new_empty((shares, *features.shape))
    grid = (triton.cdiv(neurons, _NEURONS), shares)
    _backward[grid](
        grad_output.contiguous(),
        values,
        positions,
        features,
        grad_maps,
        grad_positions,
        grad_features,
        images,
        neurons,
        _stride(positions),
        needs_grad_maps=needs_grad_maps,
        **_sizes(values),
    )
    if len(positions) == 1 and images != 1:  # the same positions for all images
        grad_positions = grad_positions.sum(dim=0, keepdim=True)
    return grad_maps.permute(0, 3, 1, 2), grad_positions, grad_features.sum(dim=0)


def _stride(positions: Tensor) -> int:
    """From the positions of one image to those of the next."""
    return positions.stride(0) if len(positions) > 1 else 0


def _sizes(values: Tensor) -> dict[str, Any]:
    _, height, width, channels = values.shape
    block = triton.next_power_of_2(channels)
    return {"height": height, "width": width, "channels": channels, "channel_block": block, "neuron_block": _NEURONS}


def _channels_last(maps: Tensor) -> Tensor:
    return maps.permute(0, 2, 3, 1).contiguous()
