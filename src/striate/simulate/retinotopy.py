"""Where neurons lie in the cortex, and where on the screen they look: a smooth retinotopic map."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.simulate.retina import SCREEN_DEGREES

Floats = NDArray[np.float64]

FIELD = (700.0, 700.0)  # imaged field in µm
_DEPTHS = (110.0, 390.0)  # of the shallowest and deepest plane in µm
_PLANES = 7
_LAYER_4_BELOW = 330.0  # µm
_COVERAGE = (0.45, 0.5)  # of the screen's width and height that the field looks at


def place(count: int, planes: np.random.Generator, positions: np.random.Generator) -> tuple[Floats, NDArray[np.str_]]:
    """Scatter neurons over the imaged planes.

    Returns
    -------
    coordinates : (N, 3)
        x, y and depth z in µm.
    layers : (N,)
        ``L2/3`` or ``L4``.
    """
    depths = np.linspace(*_DEPTHS, _PLANES)
    tilt = positions.normal(0, 8, 2)  # the planes are not quite parallel to the cortex
    flat = positions.random((count, 2))
    z = depths[planes.integers(0, _PLANES, count)] + (flat - 0.5) @ tilt
    coordinates = np.asarray(np.column_stack([flat * FIELD, z]), dtype=np.float64).round(1)
    return coordinates, np.where(z > _LAYER_4_BELOW, "L4", "L2/3").astype(np.str_)


@dataclass(frozen=True)
class RetinotopicMap:
    """A map from the cortex to the screen: rotated, stretched, and slightly bent.

    Attributes
    ----------
    center : (2,)
        Azimuth and elevation in degrees from the middle of the screen that the middle of the field looks at.
    linear : (2, 2)
        Degrees for half the field along x and y.
    bend : (2, 3)
        Degrees for u², uv and v², where u, v ∈ [−1, 1] are the place in the field.
    """

    center: Floats
    linear: Floats
    bend: Floats

    @classmethod
    def draw(cls, rng: np.random.Generator, image_shape: tuple[int, int]) -> "RetinotopicMap":
        """Draw the map of one mouse for a screen of that shape."""
        height, width = image_shape
        screen = np.array([SCREEN_DEGREES, SCREEN_DEGREES * height / width])
        extent = screen * _COVERAGE / 2
        turn = np.deg2rad(rng.uniform(-25, 25))
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        return cls(
            center=rng.uniform(-0.05, 0.05, 2) * screen,
            linear=extent[:, None] * rotation,
            bend=extent[:, None] * rng.uniform(-0.12, 0.12, (2, 3)),
        )

    def __call__(self, coordinates: Floats) -> Floats:
        """Azimuth and elevation (downwards), in degrees from the middle of the screen, of places (N, ≥ 2) in µm."""
        u, v = (2 * coordinates[:, :2] / FIELD - 1).T
        return np.asarray(
            self.center + np.column_stack([u, v]) @ self.linear.T + np.column_stack([u * u, u * v, v * v]) @ self.bend.T
        )
