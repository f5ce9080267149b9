"""Which trials showed the same image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.errors import InputError


@dataclass(frozen=True)
class Group:
    """The images that were shown equally often.

    Attributes
    ----------
    repeats
        How often each of them was shown, k.
    images : (I_k,)
        Their positions in `Repeats.images`.
    rows : (I_k, k)
        The trials of each.
    """

    repeats: int
    images: NDArray[np.intp]
    rows: NDArray[np.intp]


class Repeats:
    """The trials of one tier, grouped by the image that they showed.

    Grouped once, it can be handed to every metric in place of the image ids.

    Parameters
    ----------
    image_ids : (T,)
        Image shown in each trial: integers or strings. Images may be repeated unequally often.

    Attributes
    ----------
    images : (I,)
        The distinct image ids in ascending order.
    counts : (I,)
        How often each was shown.
    groups
        The same trials as rectangles, one for each number of repeats that occurs: what loops over images otherwise
        becomes a sum along an axis.

    Raises
    ------
    InputError
        If there are no trials, or the ids are not one a trial.
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
            Group(int(k), images, by_image[first[images, None] + np.arange(k)])
            for k in np.unique(self.counts)
            for images in (np.flatnonzero(self.counts == k),)
        )

    @classmethod
    def of(cls, image_ids: "ArrayLike | Repeats", trials: int) -> "Repeats":
        """Group `image_ids`, unless that has been done already.

        Raises
        ------
        InputError
            If they are not one for each of the `trials`.
        """
        repeats = image_ids if isinstance(image_ids, Repeats) else cls(image_ids)
        if repeats.trials != trials:
            raise InputError(f"There are {repeats.trials} image ids for {trials} trials; each trial needs one.")
        return repeats

    @property
    def shown_once(self) -> NDArray[np.generic]:
        """Ids of the images that were shown only once."""
        once: NDArray[np.generic] = self.images[self.counts == 1]
        return once

    def __repr__(self) -> str:
        low, high = self.counts.min(), self.counts.max()
        often = f"{low}" if low == high else f"{low}–{high}"
        return f"<Repeats: {self.trials} trials, {len(self.images)} images, {often} times each>"
