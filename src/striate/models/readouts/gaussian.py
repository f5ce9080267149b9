"""The Gaussian readout: each neuron reads the core's maps at one position, learnt through its uncertainty."""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from striate.errors import InputError
from striate.models.config import ReadoutSettings
from striate.models.kernels import sample_and_project


def cortical_positions(coordinates: ArrayLike) -> NDArray[np.float32]:
    """Horizontal cortical positions without units: centred, then divided by one scalar, the largest |value|.

    Parameters
    ----------
    coordinates : (N, 2) or (N, 3)
        Cortical x, y (and z, not used) of each neuron, in any unit.

    Returns
    -------
    (N, 2) array
        Between −1 and 1; the shape of the patch of cortex is kept.

    Raises
    ------
    InputError
        If the shape is another, or a coordinate is not finite.
    """
    values = np.asarray(coordinates, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] not in (2, 3) or len(values) == 0:
        raise InputError(f"Coordinates of neurons have shape {values.shape}; expected (neurons, 2 or 3), at least one.")
    plane = values[:, :2]
    if not np.isfinite(plane).all():
        row = int(np.flatnonzero(~np.isfinite(plane).all(axis=1))[0])
        raise InputError(
            f"The cortical position of neuron {row} is not finite ({plane[row].tolist()}); x and y are needed."
        )
    centred = plane - plane.mean(axis=0)
    largest = float(np.abs(centred).max())
    return np.asarray(centred / (largest or 1.0), dtype=np.float32)


class GaussianReadout(nn.Module):
    """Core's maps → responses of the neurons of one recording.

    The mean position of a neuron follows from where it sits in cortex (retinotopy); in training its position
    is drawn around that mean for each image, so that the gradient feels a neighbourhood and not one pixel
    (Lurz et al. 2021, "Generalization in data-driven models of primary visual cortex").

    Parameters
    ----------
    settings
        Network of the positions, spread, l1_weight.
    positions : (N, 2)
        From `cortical_positions`.
    channels
        Feature maps of the core.
    """

    cortical_positions: Tensor

    def __init__(self, settings: ReadoutSettings, positions: NDArray[np.float32], channels: int) -> None:
        super().__init__()
        self.settings = settings
        neurons, spread = len(positions), settings.init_sigma
        self.register_buffer("cortical_positions", torch.tensor(positions))  # in memory of PyTorch's, aligned
        self.position_network = nn.Sequential(
            nn.Linear(2, settings.position_hidden_units), nn.ELU(), nn.Linear(settings.position_hidden_units, 2)
        )
        self.spread = nn.Parameter(torch.empty(neurons, 2, 2).uniform_(-spread, spread))
        self.features = nn.Parameter(torch.full((neurons, channels), 1 / channels))
        self.bias = nn.Parameter(torch.zeros(neurons))

    def mean_positions(self) -> Tensor:
        """Mean position μ of each neuron in the core's map, (N, 2): horizontal, vertical, within ±1."""
        return torch.tanh(self.position_network(self.cortical_positions))

    def positions(self, images: int, shift: Tensor | None = None) -> Tensor:
        """Where each neuron reads the maps of each image: in training drawn around its mean, otherwise there.

        Parameters
        ----------
        images
            How many, B.
        shift : (B, 2), optional
            Shift of all positions of each image, from the shifter.

        Returns
        -------
        Tensor, (N, 2) or (B, N, 2)
            One for all images where nothing tells them apart.
        """
        positions = self.mean_positions()
        if self.training:
            noise = torch.randn(images, *positions.shape, dtype=positions.dtype, device=positions.device)
            drawn = positions + torch.einsum("nij,bnj->bni", self.spread, noise)
            positions = drawn.clamp(-1, 1)
        if shift is not None:  # after the clamp: looking aside may move a receptive field off the map
            positions = positions + shift[:, None]
        return positions

    def read(self, maps: Tensor, positions: Tensor) -> Tensor:
        """Sum of each neuron's weighted features, (B, N), of maps (B, C, H, W) at its positions, (N, 2) or (B, N, 2)."""
        return sample_and_project(maps.to(positions.dtype), positions, self.features, self.bias)

    def forward(self, maps: Tensor, shift: Tensor | None = None) -> Tensor:
        """Sum of each neuron's weighted features, (B, N).

        Parameters
        ----------
        maps : (B, C, H, W)
            From the core.
        shift : (B, 2), optional
            Shift of all positions of each image, from the shifter.
        """
        return self.read(maps, self.positions(len(maps), shift))

    def regulariser(self) -> Tensor:
        """L1 norm of all features, times its weight; a scalar."""
        return self.settings.l1_weight * self.features.abs().sum()
