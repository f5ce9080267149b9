"""Raw images (arrays, image files, Pillow images) and their conversion to inputs of a model."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from striate._internal.arrays import as_array
from striate._internal.paths import expand_path
from striate.benchmarks.image_sizes import distorts, same_proportions
from striate.benchmarks.spec_tables import Stimulus
from striate.errors import InputError
from striate.recordings.pictures import RGB

if TYPE_CHECKING:
    from torch import Tensor

    from striate.data.standardisation import Standardisation

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".pgm", ".ppm", ".npy")
_WHITE = 255
_MOST_PIXELS = 2**27  # limit for one image, against mistakes and attacks
_MODES = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV", "LAB"}


def rescaled(images: NDArray[Any], size: tuple[int, int], *, antialias: bool = False) -> NDArray[np.float32]:
    """Rescale images (B, C, H, W) to (B, C, *size), bilinear with half-pixel centres; in float32.

    Training rescales without `antialias`, as the tools of 2022 do.
    """
    import torch
    import torch.nn.functional as F

    pixels = np.ascontiguousarray(images, dtype=np.float32)
    if pixels.shape[2:] == size:
        return pixels
    resized = F.interpolate(torch.from_numpy(pixels), size, mode="bilinear", align_corners=False, antialias=antialias)
    return np.asarray(resized.numpy())


def model_images(images: NDArray[Any], size: tuple[int, int], standardisation: Standardisation) -> Tensor:
    """Rescale and standardise raw images, (B, C, H, W). Both operations are affine, and rescaling first is faster."""
    import torch

    return torch.from_numpy(standardisation.images(rescaled(images, size)))


class RawImages:
    """Iterable of raw images of any supported type.

    Pixel values are in the range of the benchmark: by default grey values, 0 (black) to 255 (white). Photographs are rotated
    to their EXIF orientation. Where images have one channel, colour images are converted to grey as in Pillow (ITU-R 601:
    0.299 R + 0.587 G + 0.114 B). Where they have the channels red, green and blue, image files are read in colour; images of
    other channels are given as arrays.

    Parameters
    ----------
    images
        One image (H, W), several as an array (T, H, W), (T, 1, H, W) or (T, H, W, 1), of uint8 or of numbers in the range; a
        tensor; a Pillow image; the path of an image file or ``.npy`` file, or of a folder of image files; or a list of any of
        these. With several channels, arrays are (C, H, W), (H, W, C), (T, C, H, W) or (T, H, W, C).
    stimulus
        Channels and range of the images (default: grey, 0–255).

    Attributes
    ----------
    names
        One for each image: the path of a file, else the position.

    Raises
    ------
    InputError
        If something is none of these.
    """

    def __init__(self, images: Any, stimulus: Stimulus | None = None) -> None:
        self._stimulus = stimulus or Stimulus()
        self._items: list[NDArray[Any] | Path | Any] = []
        self.names: list[Any] = []
        self._add(images)
        if not self._items:
            raise InputError("There are no images: give at least one.")

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._items)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """Yield each image, (C, H, W), with values in the range of the stimulus."""
        return (self[position] for position in range(len(self)))

    def __getitem__(self, position: int) -> NDArray[Any]:
        """Return one image, (C, H, W), with values in the range of the stimulus."""
        item = self._items[position]
        pixels = _opened(item, self._stimulus) if isinstance(item, Path) else item
        if not isinstance(pixels, np.ndarray):
            pixels = _pixels(pixels, _called(self.names[position]), self._stimulus)
        return pixels

    def _add(self, images: Any) -> None:
        if isinstance(images, str | os.PathLike):
            self._add_path(expand_path(images))
        elif _is_pillow(images):
            self._append(images)
        elif not hasattr(images, "shape") and not _is_numbers(images):
            if not isinstance(images, Iterable) or isinstance(images, dict | bytes):
                raise InputError(
                    f"Expected images, got {type(images).__name__}: give an array (T, H, W), image files, or a list of them."
                )
            for image in images:
                self._add(image)
        else:
            for image in stack(images, "images", self._stimulus):
                self._append(image)

    def _add_path(self, path: Path) -> None:
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
            if not found:
                raise InputError(f"{path} holds no images ({', '.join(SUFFIXES)}).")
            for each in found:
                self._add_path(each)
        elif path.suffix.lower() == ".npy":
            for image in stack(_read_npy(path), str(path), self._stimulus):
                self._append(image, str(path))
        elif not path.is_file():
            raise InputError(f"There is no image at {path}.")
        else:
            self._append(path, str(path))

    def _append(self, item: Any, name: str | None = None) -> None:
        self.names.append(len(self._items) if name is None else name)
        self._items.append(item)


def stack(values: Any, what: str, stimulus: Stimulus | None = None) -> NDArray[Any]:
    """Convert raw images to an array (T, C, H, W).

    Parameters
    ----------
    values
        Array, tensor or nested lists of numbers.
    what
        What they are, for error messages.
    stimulus
        Channels and range of the images (default: grey, 0–255).

    Raises
    ------
    InputError
        If the shape is not supported, or pixel values are not raw (standardised, or between 0 and 1).

    Examples
    --------
    >>> stack(np.full((5, 36, 64), 128), "images").shape
    (5, 1, 36, 64)
    """
    stimulus, array = stimulus or Stimulus(), as_array(values, what)
    array = _with_channels(array, what, stimulus) if len(stimulus.channels) > 1 else _with_one_channel(array, what)
    _require_raw(array, what, stimulus)
    return array


def _with_channels(array: NDArray[Any], what: str, stimulus: Stimulus) -> NDArray[Any]:
    shape, count = array.shape, len(stimulus.channels)
    if array.ndim in (3, 4) and shape[-3] != count and shape[-1] == count:  # channels last
        array = np.moveaxis(array, -1, -3)
    if array.ndim == 3 and array.shape[0] == count:
        array = array[None]
    if array.ndim != 4 or array.shape[1] != count or 0 in array.shape:
        raise InputError(
            f"The {what} have shape {shape}; expected ({count}, H, W) or (T, {count}, H, W), with the channels "
            f"{', '.join(stimulus.channels)}."
        )
    return array


def _with_one_channel(array: NDArray[Any], what: str) -> NDArray[Any]:
    shape = array.shape
    if array.ndim in (3, 4) and shape[-1] == 1:  # channels last
        array = array[..., 0] if array.ndim == 4 else array[None, ..., 0]
    elif array.ndim == 4 and shape[1] == 1:
        array = array[:, 0]
    elif array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or 0 in array.shape:
        colour = len(shape) in (3, 4) and 3 in (shape[-1], shape[-3])
        hint = " Turn colours to grey first." if colour else ""
        raise InputError(f"The {what} have shape {shape}; expected (H, W), (T, H, W) or (T, 1, H, W).{hint}")
    if array.ndim == 3 and shape[-1] == 3 and len(shape) == 3:
        raise InputError(f"The {what} have shape {shape}, which looks like one image in colour: turn it to grey first.")
    return array[:, None]


def screen_sized(image: NDArray[Any], screen: tuple[int, int], size: tuple[int, int], name: Any) -> NDArray[Any]:
    """Resize an image (C, H, W), with anti-aliasing, to the size of the recorded images.

    An image that already has that size, or the size of the model's input, is returned unchanged.

    Raises
    ------
    InputError
        If that would distort it.
    """
    height, width = image.shape[1:]
    if (height, width) in (screen, size):
        return image
    if distorts(screen, height, width):
        raise InputError(
            f"{_called(name)} has {height}×{width} pixels; the recording's images have {screen[0]}×{screen[1]}: crop or pad it to "
            f"the same proportions, such as {height}×{same_proportions(height, *screen)[1]}."
        )
    resized: NDArray[np.float32] = rescaled(image[None], screen, antialias=True)[0]
    return resized


def _called(name: Any) -> str:
    return f"Image {name}" if isinstance(name, int) else str(name)


def _is_pillow(image: Any) -> bool:
    return hasattr(image, "convert") and hasattr(image, "getbands")


def _is_numbers(values: Any) -> bool:
    """Return whether nested lists contain numbers."""
    while isinstance(values, list | tuple) and values:
        values = values[0]
        if hasattr(values, "shape") and getattr(values, "ndim", 1) == 0:
            return True
    return isinstance(values, int | float)


def _require_raw(array: NDArray[Any], what: str, stimulus: Stimulus) -> None:
    smallest, largest = stimulus.range
    how = f"give {stimulus.value_name} from {smallest:g} (black) to {largest:g} (white)"
    if array.dtype == np.uint8 and (smallest, largest) == (0, _WHITE):
        return
    if array.dtype == np.bool_:
        raise InputError(f"The {what} are black and white (bool): {how}, such as {largest:g} * images.")
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(f"The {what} hold NaN or infinity: {how}.")
    if low < smallest:
        raise InputError(
            f"The {what} go from {low:.4g} to {high:.4g}, as standardised ones do; they must be raw: {how}."
        )
    if 0 < high <= 1 and smallest == 0 and largest >= 2 and array.dtype.kind == "f":
        raise InputError(f"The {what} go from {low:.4g} to {high:.4g}; {how}, such as {largest:g} * images.")
    if high > largest:
        raise InputError(f"The {what} go up to {high:.6g}; {how}.")


def _read_npy(path: Path) -> NDArray[Any]:
    from striate.recordings.npy_format import parse

    try:
        return parse(path.read_bytes(), path.name)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from error


def _opened(path: Path, stimulus: Stimulus) -> NDArray[Any]:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise InputError(f"{path}: reading image files needs Pillow (pip install pillow); or give an array.") from error
    try:
        with Image.open(path) as image:
            return _pixels(image, str(path), stimulus)
    except UnidentifiedImageError as error:
        raise InputError(
            f"{path} is no image file that Pillow can read: give a PNG, JPEG, TIFF or the like."
        ) from error
    except InputError:
        raise
    except Exception as error:  # Pillow raises many types of exceptions for damaged files
        raise InputError(f"{path} cannot be read as an image ({str(error)[:100]}).") from error


def _pixels(image: Any, name: str, stimulus: Stimulus) -> NDArray[Any]:
    """Return the pixels of a Pillow image, (C, H, W), in the range of the stimulus."""
    if len(stimulus.channels) > 1 and stimulus.channels != RGB:
        raise InputError(
            f"{name} is an image in grey or colour, and the images have the channels {', '.join(stimulus.channels)}: give arrays "
            f"({len(stimulus.channels)}, H, W)."
        )
    pixels = np.asarray(_checked(image, name).convert("RGB" if stimulus.channels == RGB else "L"))
    pixels = np.moveaxis(pixels, -1, 0) if pixels.ndim == 3 else pixels[None]
    low, high = stimulus.range
    return pixels if (low, high) == (0, _WHITE) else (low + pixels * ((high - low) / _WHITE)).astype(np.float32)


def _checked(image: Any, name: str) -> Any:
    """Return a Pillow image in the orientation that viewers show, or refuse it."""
    if image.width * image.height > _MOST_PIXELS:
        raise InputError(f"{name} has {image.height}×{image.width} pixels, which is too many for one image.")
    if image.mode not in _MODES:
        raise InputError(
            f"{name} has pixels of kind {image.mode!r}; give an image of 8 bits a channel, or its values as an array 0–255."
        )
    if (frames := getattr(image, "n_frames", 1)) > 1:
        raise InputError(
            f"{name} holds {frames} images (frames or pages): save each as a file of its own, or give an array (T, H, W)."
        )
    from PIL import ImageOps

    image = ImageOps.exif_transpose(image)  # the orientation that image viewers show
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema()[0] < _WHITE:
            raise InputError(
                f"{name} has transparent pixels, whose grey value is unknown: put it on a background first."
            )
    if not (image.width and image.height):
        raise InputError(f"{name} has no pixels.")
    return image
