"""Shape and geometry of feature maps: where each location of a map looks in the input image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.errors import InputError

Pair = tuple[float, float]


@dataclass(frozen=True)
class MapGeometry:
    """Receptive fields of the locations of a feature map, in pixels of the input image.

    The receptive field of location (i, j) is centred at ``offset + stride · (i, j)`` and has the given size. Pairs are
    (vertical, horizontal). The centre of the first pixel is 0.

    Attributes
    ----------
    shape
        Height and width of the map.
    stride
        Distance between the centres of neighbouring locations.
    offset
        Centre of the receptive field of location (0, 0).
    size
        Height and width of a receptive field.

    Examples
    --------
    >>> geometry = MapGeometry.identity(36, 64).convolved(9).convolved(3, padding=1).convolved(2, stride=2)
    >>> geometry.shape, geometry.stride, geometry.offset, geometry.size
    ((14, 28), (2.0, 2.0), (4.5, 4.5), (12.0, 12.0))
    """

    shape: tuple[int, int]
    stride: Pair
    offset: Pair
    size: Pair

    @classmethod
    def identity(cls, height: int, width: int) -> "MapGeometry":
        """Return the geometry of the image itself: each pixel sees itself."""
        return cls((height, width), (1.0, 1.0), (0.0, 0.0), (1.0, 1.0))

    def convolved(
        self,
        kernel: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
    ) -> "MapGeometry":
        """Return the geometry after a convolution or a pooling layer; arguments as those of ``torch.nn.Conv2d``.

        Raises
        ------
        InputError
            If the kernel is larger than the padded map.
        """
        kernels, strides, paddings, dilations = map(_pair, (kernel, stride, padding, dilation))
        extents = tuple(d * (k - 1) for k, d in zip(kernels, dilations, strict=True))
        shape = tuple(
            (length + 2 * p - extent - 1) // s + 1
            for length, p, extent, s in zip(self.shape, paddings, extents, strides, strict=True)
        )
        if min(shape) < 1:
            raise InputError(
                f"A kernel of {extents[0] + 1}×{extents[1] + 1} is larger than a map of {self.shape[0]}×{self.shape[1]}: use a smaller one."
            )
        vertical, horizontal = (
            (
                self.stride[axis] * strides[axis],
                self.offset[axis] + self.stride[axis] * (extents[axis] / 2 - paddings[axis]),
                self.size[axis] + self.stride[axis] * extents[axis],
            )
            for axis in (0, 1)
        )
        steps, offsets, sizes = zip(vertical, horizontal, strict=True)
        return MapGeometry((shape[0], shape[1]), steps, offsets, sizes)

    def of_whole_image(self, height: int, width: int) -> "MapGeometry":
        """Return the geometry of the same locations if each sees the whole image, as by attention.

        Examples
        --------
        >>> MapGeometry.identity(36, 64).of_whole_image(36, 64).size
        (72.0, 128.0)
        """
        return MapGeometry(self.shape, self.stride, self.offset, (2.0 * height, 2.0 * width))

    def to_pixels(self, positions: ArrayLike) -> NDArray[np.float64]:
        """Convert positions in the map to positions in the image.

        Parameters
        ----------
        positions : (N, 2)
            Horizontal and vertical position: −1 is the centre of the first column (row) of the map, 1 that of the last.

        Returns
        -------
        (N, 2) array
            Column and row in pixels of the image.
        """
        located = np.asarray(positions, dtype=np.float64)
        return self._offsets() + (located + 1) / 2 * self._spans()

    def from_pixels(self, pixels: ArrayLike) -> NDArray[np.float64]:
        """Convert positions in the image, (N, 2), to positions in the map, the inverse of `to_pixels`.

        Along an axis with a single location, the position is 0.
        """
        spans = self._spans()
        located = np.asarray(pixels, dtype=np.float64) - self._offsets()
        return np.where(spans > 0, 2 * located / np.where(spans > 0, spans, 1) - 1, 0.0)

    def units_per_pixel(self) -> Pair:
        """Return by how much positions in the map change, horizontally and vertically, for a pixel of the image.

        Along an axis with a single location, by nothing.

        Examples
        --------
        >>> MapGeometry.identity(11, 21).units_per_pixel()
        (0.1, 0.2)
        """
        horizontal, vertical = (2 / span if span > 0 else 0.0 for span in self._spans().tolist())
        return horizontal, vertical

    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the rows and the columns, in pixels, at which the receptive fields are centred: shapes (H,) and (W,)."""
        rows, columns = (
            self.offset[axis] + self.stride[axis] * np.arange(self.shape[axis], dtype=np.float64) for axis in (0, 1)
        )
        return rows, columns

    def _offsets(self) -> NDArray[np.float64]:
        return np.array([self.offset[1], self.offset[0]])

    def _spans(self) -> NDArray[np.float64]:
        """Return the distance from the first to the last location: horizontal, vertical."""
        return np.array([self.stride[1] * (self.shape[1] - 1), self.stride[0] * (self.shape[0] - 1)])


@dataclass(frozen=True)
class FeatureMaps:
    """What a core gives to readouts.

    Attributes
    ----------
    channels
        Number of feature maps.
    geometry
        Shape of the maps, and where each location looks in the image.
    depths
        Maps at each depth of the core, from the first to the last, which are these maps; empty if there are only these.

    Examples
    --------
    >>> FeatureMaps(8, MapGeometry.identity(36, 64)).depths
    ()
    """

    channels: int
    geometry: MapGeometry
    depths: "tuple[FeatureMaps, ...]" = ()


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value
