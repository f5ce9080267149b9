"""Geometry of the feature maps of any network, derived from the operations that PyTorch runs to compute them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from striate.models.geometry import MapGeometry

_WINDOWS = ("max_pool2d", "max_pool2d_with_indices", "avg_pool2d")
_MEANS = ("mean", "sum", "amax", "_adaptive_avg_pool2d", "adaptive_max_pool2d", "native_group_norm", "var_mean")


def traced_geometry(compute: Callable[[Tensor], Tensor], height: int, width: int, channels: int) -> MapGeometry:
    """Return the geometry of the maps that a network computes, without computing any value.

    Convolutions and pooling move and widen receptive fields. What averages over space, or compares locations with each other, as attention
    does, lets every location see the whole image.

    Parameters
    ----------
    compute
        From images to maps, (B, C, H, W), on the device ``meta``.
    height, width, channels
        Size and channels of the images.

    Examples
    --------
    >>> network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 7, stride=2, padding=3), torch.nn.MaxPool2d(2)).to("meta")
    >>> geometry = traced_geometry(network, 32, 64, 3)
    >>> geometry.shape, geometry.stride, geometry.offset, geometry.size
    ((8, 16), (4.0, 4.0), (1.0, 1.0), (9.0, 9.0))
    """
    image = MapGeometry.identity(height, width)
    whole = (2.0 * height, 2.0 * width)
    with torch.no_grad(), torch.device("meta"):
        images = torch.zeros(1, channels, height, width)
        with _Trace(images, image, whole) as trace:
            maps = compute(images)
    found: MapGeometry | None = trace.known.get(id(maps), (maps, None))[1]
    rows, columns = maps.shape[2:]
    if found is not None and found.shape == (rows, columns):
        return found
    # whatever it was that happened: a regular grid over the image
    stride = (height / rows, width / columns)
    offset = ((stride[0] - 1) / 2, (stride[1] - 1) / 2)
    return MapGeometry((rows, columns), stride, offset, whole)


class _Trace(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the geometry of tensors through the operations of PyTorch."""

    def __init__(self, images: Tensor, geometry: MapGeometry, whole: tuple[float, float]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.whole = whole
        self.known: dict[int, tuple[Tensor, MapGeometry]] = {
            id(images): (images, geometry)
        }  # the tensor, so that its id stays its own

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        result = func(*args, **(kwargs or {}))
        seen = [self.known[id(each)][1] for each in _tensors(args) if id(each) in self.known]
        if seen:
            geometry = self._after(func.overloadpacket.__name__, args, seen)
            for each in _tensors([result]):
                self.known[id(each)] = (each, geometry)
        return result

    def _after(self, name: str, args: Sequence[Any], seen: Sequence[MapGeometry]) -> MapGeometry:
        """Return the geometry of the result of an operation on tensors of which some have a geometry."""
        largest = max(seen, key=lambda each: each.shape[0] * each.shape[1])
        size = (max(each.size[0] for each in seen), max(each.size[1] for each in seen))
        geometry = replace(largest, size=size)
        if name == "convolution":
            kernel, stride, padding, dilation = tuple(args[1].shape[2:]), *map(_pair, args[3:6])
            return geometry.convolved(kernel, stride=stride, padding=padding, dilation=dilation)
        if name in _WINDOWS:
            kernel = _pair(args[1])
            stride = _pair(args[2]) if len(args) > 2 and args[2] else kernel
            padding = _pair(args[3]) if len(args) > 3 else (0, 0)
            return geometry.convolved(kernel, stride=stride, padding=padding)
        compares = name in ("mm", "bmm") or name.startswith("_scaled_dot_product")
        if name in _MEANS or (compares and len(seen) > 1):
            return replace(geometry, size=self.whole)
        return geometry


def _tensors(values: Sequence[Any]) -> list[Tensor]:
    found = []
    for each in values:
        if isinstance(each, Tensor):
            found.append(each)
        elif isinstance(each, list | tuple):
            found += _tensors(each)
    return found


def _pair(values: Any) -> tuple[int, int]:
    given = list(values) if isinstance(values, list | tuple) else [values]
    return (int(given[0]), int(given[-1]))
