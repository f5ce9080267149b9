"""The Gaussian readout: each neuron samples the feature maps at one learnt position."""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from striate.errors import InputError
from striate.models.config import ReadoutSettings
from striate.models.kernels import sample_and_project


def cortical_positions(coordinates: ArrayLike) -> NDArray[np.float32]:
    """Normalise horizontal cortical positions: centre them and divide them by the largest absolute value.

    Parameters
    ----------
    coordinates : (N, 2) or (N, 3)
        Cortical coordinates x, y (and z, which is ignored) of each neuron, in any unit.

    Returns
    -------
    (N, 2) array
        Positions between −1 and 1. The aspect ratio is preserved.

    Raises
    ------
    InputError
        If the array has another shape, or a coordinate is not finite.

    Examples
    --------
    >>> cortical_positions([[0, 0], [200, 0], [100, 100]]).round(2).tolist()
    [[-1.0, -0.33000001311302185], [1.0, -0.33000001311302185], [0.0, 0.6700000166893005]]
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
    """Gaussian readout of one recording: a linear function of the feature maps at each neuron's position.

    A network predicts the mean position of a neuron from its position in cortex (retinotopy). In training, the position of
    each neuron is sampled from a Gaussian around its mean for each image, so that gradients cover a neighbourhood [1]_.

    Parameters
    ----------
    settings
        Settings of the readout.
    positions : (N, 2)
        Cortical positions of the neurons, from `cortical_positions`.
    channels
        Number of feature maps of the core.

    References
    ----------
    .. [1] Lurz et al. (2021), Generalization in data-driven models of primary visual cortex, ICLR.

    Examples
    --------
    >>> readout = GaussianReadout(ReadoutSettings(), cortical_positions([[0, 0], [1, 0], [0, 1]]), channels=8)
    >>> readout(torch.zeros(5, 8, 28, 56)).shape
    torch.Size([5, 3])
    """

    cortical_positions: Tensor

    def __init__(self, settings: ReadoutSettings, positions: NDArray[np.float32], channels: int) -> None:
        super().__init__()
        self.settings = settings
        neurons, spread = len(positions), settings.init_sigma
        self.register_buffer("cortical_positions", torch.tensor(positions))  # a copy in memory that PyTorch aligned
        self.position_network = nn.Sequential(
            nn.Linear(2, settings.position_hidden_units), nn.ELU(), nn.Linear(settings.position_hidden_units, 2)
        )
        self.spread = nn.Parameter(torch.empty(neurons, 2, 2).uniform_(-spread, spread))
        self.features = nn.Parameter(torch.full((neurons, channels), 1 / channels))
        self.bias = nn.Parameter(torch.zeros(neurons))

    def mean_positions(self) -> Tensor:
        """Return the mean position μ of each neuron in the feature maps, (N, 2): horizontal and vertical, within ±1."""
        return torch.tanh(self.position_network(self.cortical_positions))

    def positions(self, images: int, shift: Tensor | None = None) -> Tensor:
        """Return the positions at which neurons sample the maps: random in training mode, else the mean positions.

        Parameters
        ----------
        images
            Number of images, B.
        shift : (B, 2), optional
            Shift of all positions of each image, from the shifter.

        Returns
        -------
        Tensor, (N, 2) or (B, N, 2)
            Positions. The first axis is missing if they are the same for all images.
        """
        positions = self.mean_positions()
        if self.training:
            noise = torch.randn(images, *positions.shape, dtype=positions.dtype, device=positions.device)
            drawn = positions + torch.einsum("nij,bnj->bni", self.spread, noise)
            positions = drawn.clamp(-1, 1)
        if shift is not None:  # after the clamp, because a shift may move a receptive field off the map
            positions = positions + shift[:, None]
        return positions

    def read(self, maps: Tensor, positions: Tensor) -> Tensor:
        """Compute each neuron's weighted sum of features, (B, N), from maps (B, C, H, W) at positions (N, 2) or (B, N, 2)."""
        return sample_and_project(maps.to(positions.dtype), positions, self.features, self.bias)

    def forward(self, maps: Tensor, shift: Tensor | None = None) -> Tensor:
        """Compute each neuron's weighted sum of features, (B, N).

        Parameters
        ----------
        maps : (B, C, H, W)
            Feature maps of the core.
        shift : (B, 2), optional
            Shift of all positions of each image, from the shifter.
        """
        return self.read(maps, self.positions(len(maps), shift))

    def regulariser(self) -> Tensor:
        """Return the L1 penalty, ``l1_weight`` times the L1 norm of all feature weights, a scalar."""
        return self.settings.l1_weight * self.features.abs().sum()
