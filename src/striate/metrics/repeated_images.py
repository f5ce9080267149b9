"""Groups of trials that showed the same image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.errors import InputError


@dataclass(frozen=True)
class RepeatGroup:
    """All images with the same number of repeats, and their trials as a rectangular array.

    Attributes
    ----------
    repeats
        Number of repeats k of each image of the group.
    images : (I_k,)
        Positions of the images in `Repeats.images`.
    rows : (I_k, k)
        Row indices of the trials of each image.
    """

    repeats: int
    images: NDArray[np.intp]
    rows: NDArray[np.intp]


class Repeats:
    """The trials of one tier, grouped by the image that each trial showed.

    Every metric accepts a `Repeats` in place of image ids. Pass one to group the trials only once for several metrics.

    Parameters
    ----------
    image_ids : (T,)
        Id of the image shown in each trial: integers or strings. The number of repeats may differ between images.

    Attributes
    ----------
    trials
        Number of trials T.
    images : (I,)
        The distinct image ids in ascending order.
    counts : (I,)
        Number of repeats of each image.
    groups
        One `RepeatGroup` for each number of repeats that occurs. Sums over the repeats of an image are then sums along an
        array axis instead of a Python loop over images.

    Raises
    ------
    InputError
        If `image_ids` is empty or not one-dimensional.

    Examples
    --------
    >>> repeats = Repeats([7, 3, 7, 7])
    >>> repeats
    <Repeats: 4 trials, 2 images, 1–3 times each>
    >>> repeats.images.tolist(), repeats.counts.tolist()
    ([3, 7], [1, 3])
    """

    def __init__(self, image_ids: ArrayLike) -> None:
        ids = np.asarray(image_ids)
        if ids.ndim != 1 or ids.size == 0:
            raise InputError(f"The image ids have shape {ids.shape}; expected (trials,), at least one.")
        if ids.dtype.kind == "O":
            ids = ids.astype(str)
        self.trials = int(ids.size)
        self.images, image_of_trial, self.counts = np.unique(ids, return_inverse=True, return_counts=True)
        by_image = np.argsort(image_of_trial, kind="stable")
        first = np.cumsum(self.counts) - self.counts
        self.groups = tuple(
            RepeatGroup(int(k), images, by_image[first[images, None] + np.arange(k)])
            for k in np.unique(self.counts)
            for images in (np.flatnonzero(self.counts == k),)
        )

    @classmethod
    def from_image_ids(cls, image_ids: "ArrayLike | Repeats", trials: int) -> "Repeats":
        """Group trials by image id, or return `image_ids` unchanged if it is a `Repeats`.

        Parameters
        ----------
        image_ids : (T,)
            Image ids, or a `Repeats`.
        trials
            Expected number of trials T.

        Raises
        ------
        InputError
            If the number of image ids is not `trials`.

        Examples
        --------
        >>> Repeats.from_image_ids([0, 0, 1, 1], trials=4)
        <Repeats: 4 trials, 2 images, 2 times each>
        """
        repeats = image_ids if isinstance(image_ids, Repeats) else cls(image_ids)
        if repeats.trials != trials:
            raise InputError(f"There are {repeats.trials} image ids for {trials} trials; each trial needs one.")
        return repeats

    @property
    def unrepeated_images(self) -> NDArray[np.generic]:
        """Ids of the images that were shown only once."""
        once: NDArray[np.generic] = self.images[self.counts == 1]
        return once

    def __repr__(self) -> str:
        low, high = self.counts.min(), self.counts.max()
        often = f"{low}" if low == high else f"{low}–{high}"
        return f"<Repeats: {self.trials} trials, {len(self.images)} images, {often} times each>"
