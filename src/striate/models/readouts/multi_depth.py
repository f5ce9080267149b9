"""The Gaussian readout at several depths of the core: each neuron sees the features of all of them at its position."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from striate.errors import InputError, listed
from striate.models.geometry import FeatureMaps, MapGeometry
from striate.models.kernels import sample_and_project
from striate.models.readouts.gaussian import GaussianReadout, GaussianSettings
from striate.registry import readouts

Depth = Annotated[int, Field(ge=-64, lt=64)]


class MultiDepthSettings(GaussianSettings):
    """Settings of the readout ``multi_depth``: those of the Gaussian readout, and the depths.

    Attributes
    ----------
    depths
        Depths of the core that are read, such as ``[0, -1]`` for the first and the last: 0 is the first, and negative numbers count
        from the last, −1. ``[]`` reads all of them. The depths of a convolutional core are its layers.

    Examples
    --------
    >>> MultiDepthSettings(depths=(0, -1)).l1_weight
    0.0076
    """

    depths: Annotated[tuple[Depth, ...], Field(max_length=64)] = ()


@readouts.register("multi_depth", settings=MultiDepthSettings)
class MultiDepthReadout(GaussianReadout):
    """Gaussian readout of several depths of the core, whose features are concatenated, as in Dynamic-VFM, the second of SENSORIUM 2023.

    A neuron has one position in the image. At each depth it samples the maps there, so that it can combine fine, simple features with
    coarse, complex ones. Positions and shifts are in units of the maps of the last depth.

    Parameters
    ----------
    settings
        Settings of the readout.
    coordinates : (N, 2 or 3)
        Cortical coordinates of the neurons.
    maps
        Feature maps of the core, with its depths.

    Raises
    ------
    InputError
        If the core has no such depth, or one is named twice.

    Examples
    --------
    >>> fine = FeatureMaps(8, MapGeometry.identity(28, 56))
    >>> coarse = FeatureMaps(16, fine.geometry.convolved(2, stride=2))
    >>> maps = FeatureMaps(coarse.channels, coarse.geometry, (fine, coarse))
    >>> readout = MultiDepthReadout(MultiDepthSettings(), np.array([[0, 0], [1, 0], [0, 1]]), maps)
    >>> readout([torch.zeros(5, 8, 28, 56), torch.zeros(5, 16, 14, 28)]).shape, readout.features.shape
    (torch.Size([5, 3]), torch.Size([3, 24]))
    """

    settings: MultiDepthSettings
    uses_depths = True

    def __init__(self, settings: MultiDepthSettings, coordinates: NDArray[Any], maps: FeatureMaps) -> None:
        offered = maps.depths or (maps,)
        chosen = _chosen(settings.depths, len(offered))
        read = [offered[depth] for depth in chosen]
        super().__init__(settings, coordinates, FeatureMaps(sum(each.channels for each in read), maps.geometry))
        self.depths = chosen
        self._channels = [each.channels for each in read]
        self._changes = [_change_of_positions(maps.geometry, each.geometry) for each in read]

    def forward(  # type: ignore[override]
        self, maps: Sequence[Tensor], shift: Tensor | None = None, neurons: Tensor | None = None
    ) -> Tensor:
        """Compute each neuron's weighted sum of the features of all depths, (B, M).

        Parameters
        ----------
        maps : list of (B, C, H, W)
            Feature maps of each depth of the core.
        shift : (B, 2), optional
            Shift of all positions of each image, from the shifter.
        neurons : (M,), optional
            Indices of the neurons; all by default.
        """
        positions = self.positions(len(maps[0]), shift, neurons)
        features = self.features if neurons is None else self.features[neurons]
        drive = self.bias if neurons is None else self.bias[neurons]
        no_bias = drive.new_zeros(len(drive))
        parts = torch.split(features, self._channels, dim=1)
        for depth, change, part in zip(self.depths, self._changes, parts, strict=True):
            located = positions if change is None else _changed(positions, *change)
            drive = drive + sample_and_project(maps[depth].to(positions.dtype), located, part, no_bias)
        return drive


def _chosen(depths: Sequence[int], offered: int) -> tuple[int, ...]:
    """Return the chosen depths of a core, counted from the first."""
    if not depths:
        return tuple(range(offered))
    if wrong := [depth for depth in depths if not -offered <= depth < offered]:
        has = "one depth, 0" if offered == 1 else f"{offered} depths, 0 to {offered - 1}"
        raise InputError(
            f"model.readout.depths names {listed([str(depth) for depth in wrong])}, but the core has {has}; negative numbers count from "
            "the last."
        )
    chosen = tuple(depth % offered for depth in depths)
    if len(set(chosen)) < len(chosen):
        raise InputError(f"model.readout.depths = {list(depths)} names a depth twice: name each once.")
    return chosen


def _change_of_positions(last: MapGeometry, other: MapGeometry) -> tuple[list[float], list[float]] | None:
    """Return factor and summand, horizontal and vertical, from positions in one map to those in another; None if they are the same."""
    corners = np.array([[-1.0, -1.0], [1.0, 1.0]])
    first, end = other.from_pixels(last.to_pixels(corners))
    factor, summand = (end - first) / 2, (end + first) / 2
    if np.array_equal(factor, [1, 1]) and np.array_equal(summand, [0, 0]):
        return None
    return factor.tolist(), summand.tolist()


def _changed(positions: Tensor, factor: list[float], summand: list[float]) -> Tensor:
    return torch.stack([positions[..., axis] * factor[axis] + summand[axis] for axis in (0, 1)], dim=-1)
