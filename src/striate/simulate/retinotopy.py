"""Cortical positions of neurons, and the smooth retinotopic map from the cortex to the screen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.simulate.retina import SCREEN_DEGREES

Floats = NDArray[np.float64]

FIELD = (700.0, 700.0)  # field of view in µm
_DEPTHS = (110.0, 390.0)  # depths of the first and last imaging plane in µm
_PLANES = 7
_LAYER_4_DEPTH = 330.0  # upper border of layer 4 in µm
_COVERAGE = (0.45, 0.5)  # fractions of the screen's width and height that the field of view covers


def draw_cortical_positions(
    count: int, planes: np.random.Generator, positions: np.random.Generator
) -> tuple[Floats, NDArray[np.str_]]:
    """Draw the cortical positions of neurons in the imaging planes.

    Parameters
    ----------
    count
        Number of neurons.
    planes
        Random generator of the plane of each neuron.
    positions
        Random generator of the positions within a plane.

    Returns
    -------
    coordinates : (N, 3)
        Position x, y and depth z in µm.
    layers : (N,)
        Layer of each neuron, ``L2/3`` or ``L4``.
    """
    depths = np.linspace(*_DEPTHS, _PLANES)
    tilt = positions.normal(0, 8, 2)  # the planes are not exactly parallel to the cortex
    flat = positions.random((count, 2))
    z = depths[planes.integers(0, _PLANES, count)] + (flat - 0.5) @ tilt
    coordinates = np.asarray(np.column_stack([flat * FIELD, z]), dtype=np.float64).round(1)
    return coordinates, np.where(z > _LAYER_4_DEPTH, "L4", "L2/3").astype(np.str_)


@dataclass(frozen=True)
class RetinotopicMap:
    """A quadratic map from cortical positions to positions on the screen.

    Attributes
    ----------
    center : (2,)
        Azimuth and elevation of the centre of the field of view, in degrees from the screen centre.
    linear : (2, 2)
        Coefficients of u and v in degrees, where u, v ∈ [−1, 1] are the position in the field of view.
    quadratic : (2, 3)
        Coefficients of u², uv and v² in degrees.
    """

    center: Floats
    linear: Floats
    quadratic: Floats

    @classmethod
    def draw(cls, rng: np.random.Generator, image_shape: tuple[int, int]) -> "RetinotopicMap":
        """Draw the map of one mouse for a screen with the height and width of the images."""
        height, width = image_shape
        screen = np.array([SCREEN_DEGREES, SCREEN_DEGREES * height / width])
        extent = screen * _COVERAGE / 2
        angle = np.deg2rad(rng.uniform(-25, 25))
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return cls(
            center=rng.uniform(-0.05, 0.05, 2) * screen,
            linear=extent[:, None] * rotation,
            quadratic=extent[:, None] * rng.uniform(-0.12, 0.12, (2, 3)),
        )

    def __call__(self, coordinates: Floats) -> Floats:
        """Return azimuth and elevation (downwards) in degrees from the screen centre for positions (N, ≥ 2) in µm."""
        u, v = (2 * coordinates[:, :2] / FIELD - 1).T
        return np.asarray(
            self.center
            + np.column_stack([u, v]) @ self.linear.T
            + np.column_stack([u * u, u * v, v * v]) @ self.quadratic.T
        )
