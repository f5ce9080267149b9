"""What readouts with spatial masks share: Gaussian masks to start from, and feature maps that follow the eye."""

import torch
from torch import Tensor
from torch.nn import functional as F

from striate.models.geometry import MapGeometry


def gaussian_logits(geometry: MapGeometry, positions: Tensor, width: float) -> Tensor:
    """Return the logarithms, up to a constant, of Gaussian masks around positions in the map, (N, H · W).

    Parameters
    ----------
    geometry
        Geometry of the maps.
    positions : (N, 2)
        Horizontal and vertical position of each neuron, within ±1.
    width
        Standard deviation of the masks, as a fraction of half the width and height of the map.

    Examples
    --------
    >>> logits = gaussian_logits(MapGeometry.identity(3, 5), torch.tensor([[0.5, -1.0]]), 0.2)
    >>> divmod(int(logits.argmax()), 5)
    (0, 3)
    """
    places = locations(geometry, positions.device)
    return -(places - positions[:, None]).square().sum(dim=2) / (2 * width**2)


def locations(geometry: MapGeometry, device: torch.device | None = None) -> Tensor:
    """Return the horizontal and vertical position of each location of a map, within ±1, row by row, (H · W, 2).

    Examples
    --------
    >>> locations(MapGeometry.identity(2, 3)).tolist()[:3]
    [[-1.0, -1.0], [0.0, -1.0], [1.0, -1.0]]
    """
    height, width = geometry.shape
    rows = torch.linspace(-1, 1, height, device=device) if height > 1 else torch.zeros(1, device=device)
    columns = torch.linspace(-1, 1, width, device=device) if width > 1 else torch.zeros(1, device=device)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)


def shifted_maps(maps: Tensor, shift: Tensor) -> Tensor:
    """Resample feature maps so that each location shows what lay at its position plus the shift; zero outside.

    For a readout with masks, this is the same as moving all masks by the shift.

    Parameters
    ----------
    maps : (B, C, H, W)
        Feature maps.
    shift : (B, 2)
        Horizontal and vertical shift of each image, in units of half the map.

    Examples
    --------
    >>> shifted_maps(torch.tensor([[[[1.0, 2.0, 3.0]]]]), torch.tensor([[1.0, 0.0]])).tolist()
    [[[[2.0, 3.0, 0.0]]]]
    """
    height, width = maps.shape[2:]
    places = locations(MapGeometry.identity(height, width), maps.device).to(maps.dtype)
    grid = (places + shift[:, None]).unflatten(1, (height, width))  # type: ignore[no-untyped-call]
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
