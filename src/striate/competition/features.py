"""What live and final images must have in common: statistics of the pictures, and how strongly and reliably they drive."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate.competition.fingerprints import greyscale
from striate.metrics import Repeats

FEATURES = {
    "brightness": "mean grey value",
    "contrast": "standard deviation of grey values",
    "edges": "mean gradient / contrast",
    "strength": "mean response (std)",
    "reliability": "trial against other repeats (r)",
}
OF_PICTURES = ("brightness", "contrast", "edges")


def picture_features(images: NDArray[np.generic]) -> pd.DataFrame:
    """Statistics of pictures.

    Parameters
    ----------
    images : (I, C, H, W)
        Pixel values, each image once. Several channels are averaged.

    Returns
    -------
    DataFrame, I rows
        ``brightness`` (mean), ``contrast`` (standard deviation), ``edges`` (mean length of the gradient over contrast).
    """
    rows = []
    for picture in greyscale(images):
        grey = picture.astype(np.float64)
        vertical, horizontal = np.gradient(grey) if min(grey.shape) > 1 else (np.zeros_like(grey),) * 2
        contrast = float(grey.std())
        rows.append((grey.mean(), contrast, np.hypot(vertical, horizontal).mean() / max(contrast, 1e-6)))
    return pd.DataFrame(rows, columns=list(OF_PICTURES))


def response_features(responses: NDArray[np.floating], image_ids: NDArray[np.generic]) -> pd.DataFrame:
    """How strongly and how reliably a population answers each image.

    Parameters
    ----------
    responses : (T, N)
        Standardised responses.
    image_ids : (T,)
        Image of each trial.

    Returns
    -------
    DataFrame, indexed by image id
        ``strength``: mean over neurons and repeats. ``reliability``: correlation over neurons of each trial with the mean
        of the other repeats, each neuron measured from its own mean; averaged over the repeats. NaN for images shown once.
    """
    repeats = Repeats(image_ids)
    deviations = responses.astype(np.float64) - responses.mean(axis=0, dtype=np.float64)
    strength, reliability = np.empty(len(repeats.images)), np.full(len(repeats.images), np.nan)
    for group in repeats.groups:
        for image, rows in zip(group.images, group.rows, strict=True):
            strength[image] = responses[rows].mean(dtype=np.float64)
            if len(rows) > 1:
                trials = deviations[rows]
                others = (trials.sum(axis=0) - trials) / (len(rows) - 1)
                reliability[image] = np.mean([_correlation(a, b) for a, b in zip(trials, others, strict=True)])
    index = pd.Index(repeats.images, name="image_id")
    return pd.DataFrame({"strength": strength, "reliability": reliability}, index=index)


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / (np.sqrt((a @ a) * (b @ b)) + 1e-12))
