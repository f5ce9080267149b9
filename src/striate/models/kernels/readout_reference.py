"""Reference implementation, in PyTorch, of `striate.models.kernels.sample_and_project`.

It defines the result of the fused kernels, and replaces them where they do not work.
"""

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

_BLOCK_BYTES = 64 * 2**20  # memory of the sampled features of one block of neurons
_KEPT_BYTES = 512 * 2**20  # memory of the sampled features that are kept for the backward pass


def sample_and_project(maps: Tensor, positions: Tensor, features: Tensor, bias: Tensor) -> Tensor:
    """Sample feature maps and project them; see `striate.models.kernels.sample_and_project`.

    Notes
    -----
    Neurons are processed in blocks to limit the memory of intermediate values. The sampled features, which the backward pass
    needs (0.25 GB for 7,776 neurons, 128 images and 64 maps), are recomputed there if they would take more than 0.5 GB.
    """
    batch, channels = maps.shape[:2]
    neuron_bytes = maps.element_size() * max(1, batch * channels)
    width = max(1, _BLOCK_BYTES // neuron_bytes)
    recompute = torch.is_grad_enabled() and len(features) * neuron_bytes > _KEPT_BYTES
    blocks = []
    for start in range(0, max(1, len(features)), width):
        part = slice(start, start + width)
        block = (maps, positions[..., part, :], features[part], bias[part])
        if recompute:
            blocks.append(checkpoint(_block, *block, use_reentrant=False, preserve_rng_state=False))
        else:
            blocks.append(_block(*block))
    return blocks[0] if len(blocks) == 1 else torch.cat(blocks, dim=1)


def _block(maps: Tensor, positions: Tensor, features: Tensor, bias: Tensor) -> Tensor:
    batch, channels, height, width = maps.shape
    if positions.ndim == 2:  # one grid for all images: fold the batch into the channels
        maps = maps.reshape(1, batch * channels, height, width)
        grid = positions[None, :, None]
    else:
        grid = positions[:, :, None]
    sampled = F.grid_sample(maps, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
    return (sampled.reshape(batch, channels, -1) * features.T).sum(dim=1) + bias
