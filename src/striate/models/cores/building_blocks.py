"""What several cores share: stochastic depth, position encoding, and the geometry and checks of stacked convolutions."""

import torch
from torch import Tensor

from striate.errors import InputError
from striate.models.geometry import MapGeometry


def drop_path(change: Tensor, probability: float) -> Tensor:
    """Leave the change of a residual block out for some images, and scale the others, so that the mean stays (stochastic depth) [1]_.

    Parameters
    ----------
    change : (B, …)
        What the block adds to its input.
    probability
        Probability that the change of an image is left out.

    References
    ----------
    .. [1] Huang et al. (2016), Deep networks with stochastic depth, ECCV.

    Examples
    --------
    >>> sorted(set(drop_path(torch.ones(100, 2), 0.5).flatten().tolist()))
    [0.0, 2.0]
    """
    if probability == 0:
        return change
    kept = torch.rand(len(change), *(1,) * (change.ndim - 1), device=change.device) >= probability
    return change * kept / (1 - probability)


def drop_path_probabilities(last: float, blocks: int) -> list[float]:
    """Return the probabilities of leaving out each of several blocks, which increase linearly from 0 to `last`.

    Examples
    --------
    >>> drop_path_probabilities(0.2, 3), drop_path_probabilities(0.2, 1)
    ([0.0, 0.1, 0.2], [0.2])
    """
    return [last * number / (blocks - 1) for number in range(blocks)] if blocks > 1 else [last]


def position_encoding(channels: int, height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Return sines and cosines of the vertical and horizontal position, of geometrically spaced periods, (channels, height, width).

    The first half of the channels encodes the row, the second half the column [1]_. Periods reach from 2π to 20,000π locations.

    References
    ----------
    .. [1] Vaswani et al. (2017), Attention is all you need, NeurIPS.

    Examples
    --------
    >>> position_encoding(8, 4, 6)[:2, 0, 0].tolist()
    [0.0, 1.0]
    """
    rows = _encoded(height, channels - channels // 2, device)[:, :, None].expand(-1, -1, width)
    columns = _encoded(width, channels // 2, device)[:, None, :].expand(-1, height, -1)
    return torch.cat([rows, columns])


def _encoded(length: int, channels: int, device: torch.device | None) -> Tensor:
    places = torch.arange(length, dtype=torch.float32, device=device)
    number = torch.arange(channels, device=device)
    phases = places / 10_000 ** ((number // 2 * 2) / max(1, channels))[:, None]
    return torch.where(number[:, None] % 2 == 0, phases.sin(), phases.cos())


def stacked_geometries(geometry: MapGeometry, input_kernel: int, hidden_kernel: int, layers: int) -> list[MapGeometry]:
    """Return the geometry after a convolution without padding, and after each further one, which keeps the size of the map.

    Examples
    --------
    >>> [geometry.size for geometry in stacked_geometries(MapGeometry.identity(36, 64), 9, 7, 3)]
    [(9.0, 9.0), (15.0, 15.0), (21.0, 21.0)]
    """
    found = [geometry.convolved(input_kernel)]
    for _ in range(layers - 1):
        found.append(found[-1].convolved(hidden_kernel, padding=hidden_kernel // 2))
    return found


def check_kernel(name: str, size: int, height: int, width: int) -> None:
    """Raise `InputError` if the kernels of a setting of a core are larger than the images.

    Examples
    --------
    >>> check_kernel("patch_size", 40, 36, 64)
    Traceback (most recent call last):
    ...
    striate.errors.InputError: model.core.patch_size = 40 is larger than the images of 36×64 pixels: use at most 36.
    """
    if size > min(height, width):
        raise InputError(
            f"model.core.{name} = {size} is larger than the images of {height}×{width} pixels: use at most {min(height, width)}."
        )


def check_odd(name: str, size: int) -> None:
    """Raise `ValueError` if the size of kernels, a setting of a core, is even.

    Examples
    --------
    >>> check_odd("kernel_size", 4)
    Traceback (most recent call last):
    ...
    ValueError: kernel_size = 4 is even; the map keeps its size only with an odd one
    """
    if size % 2 == 0:
        raise ValueError(f"{name} = {size} is even; the map keeps its size only with an odd one")
