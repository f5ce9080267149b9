"""Sizes of images, and whether rescaling distorts them."""

_DISTORTION = 0.05  # largest accepted change of the aspect ratio


def distorts(size: tuple[int, int], height: int, width: int) -> bool:
    """Return whether rescaling images of a height and a width to another size changes their proportions by more than 5 %.

    Examples
    --------
    >>> distorts((36, 64), 144, 256), distorts((36, 36), 144, 256)
    (False, True)
    """
    return abs(size[1] * height / (size[0] * width) - 1) > _DISTORTION


def same_proportions(new_height: int, height: int, width: int) -> tuple[int, int]:
    """Return the size with the height `new_height` and the proportions of images of a height and a width.

    Examples
    --------
    >>> same_proportions(36, 32, 48)
    (36, 54)
    """
    return new_height, max(1, round(new_height * width / height))
