"""Read each neuron's features out of the core's maps at its own position: the plain PyTorch form.

This is where the time of an encoder goes, so the operation stands alone: a fused kernel that agrees with
`sample_and_project` can take its place.
"""

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

_BLOCK_BYTES = 64 * 2**20  # that the sampled features of one block of neurons may take
_KEPT_BYTES = 512 * 2**20  # that those of all neurons may take until the backward pass


def sample_and_project(maps: Tensor, positions: Tensor, features: Tensor, bias: Tensor) -> Tensor:
    """Sample feature maps bilinearly at each neuron's position and weight them by the neuron's features.

    ``out[b, n] = bias[n] + Σ_c features[n, c] · maps[b, c, position of n in b]``

    Parameters
    ----------
    maps : (B, C, H, W)
        Feature maps of a batch of images.
    positions : (N, 2) or (B, N, 2)
        Position of each neuron, the same for all images or one for each; horizontal, then vertical; −1 is the
        centre of the first column (row), 1 that of the last. Outside, the maps are zero.
    features : (N, C)
        Weight of each feature map, by neuron.
    bias : (N,)
        Added to each neuron's sum.

    Returns
    -------
    Tensor, (B, N)

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
