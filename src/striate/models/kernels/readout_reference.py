"""Read each neuron's features out of the core's maps at its own position: the plain PyTorch form.

It defines what the fused forms must compute, and takes their place where they do not work.
"""

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

_BLOCK_BYTES = 64 * 2**20  # that the sampled features of one block of neurons may take
_KEPT_BYTES = 512 * 2**20  # that those of all neurons may take until the backward pass


def sample_and_project(maps: Tensor, positions: Tensor, features: Tensor, bias: Tensor) -> Tensor:
    """Sample and project in plain PyTorch: the definition of `striate.models.kernels.sample_and_project`, which see.

    Notes
    -----
    Neurons are taken in blocks, so that no more than a block's worth of intermediate values exists at a time. What
    the backward pass needs of them, the sampled features (0.25 GB for 7,776 neurons and 128 images of 64 maps), is
    computed again there if it would take more than 0.5 GB. Positions that are the same for all images are not
    repeated.
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
    if positions.ndim == 2:  # one grid for all: images and channels are sampled alike
        maps = maps.reshape(1, batch * channels, height, width)
        grid = positions[None, :, None]
    else:
        grid = positions[:, :, None]
    sampled = F.grid_sample(maps, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
    return (sampled.reshape(batch, channels, -1) * features.T).sum(dim=1) + bias
