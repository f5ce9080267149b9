"""In which orders the trials and the neurons of a raster can stand."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate.recordings import Recording

Order = NDArray[np.intp]


def trial_orders(recording: Recording) -> dict[str, Order]:
    """Orders of the trials.

    ``image``: by tier, then image, so that repeats stand side by side; ``time``: as they were recorded, or, where that
    is withheld (trials are named by hashes), ``file``: as they stand in the file.
    """
    trials = recording.trials
    tier = tier_codes(recording)
    image = pd.factorize(trials["image_id"], sort=True)[0]
    place = time_of(recording)
    along = np.arange(len(trials)) if place is None else place
    by_image = np.lexsort((along, image, tier))
    return {"image": by_image, "file" if place is None else "time": np.argsort(along, kind="stable")}


def tier_codes(recording: Recording) -> NDArray[np.uint8]:
    """The tier of each trial, (T,), as its position among the tiers of the recording's benchmark."""
    order = recording.benchmark.tier_order
    return np.array([order.index(each) for each in recording.trials["tier"]], dtype=np.uint8)


def time_of(recording: Recording) -> NDArray[np.int64] | None:
    """Where each trial stands in the order of time; None where that is withheld."""
    index = recording.trials["trial_idx"].to_numpy()
    return index.astype(np.int64) if index.dtype.kind in "iu" else None


def neuron_orders(
    z: NDArray[np.floating], reliability: NDArray[np.floating], response: NDArray[np.floating]
) -> dict[str, Order]:
    """Orders of the neurons: by ``depth`` from above, ``reliability`` and mean ``response`` from the largest.

    What is defined for no neuron gives no order; neurons for which it is not defined stand last.
    """
    orders = {"depth": np.argsort(z, kind="stable")}
    for name, values in (("reliability", reliability), ("response", response)):
        if np.isfinite(values).any():
            orders[name] = np.argsort(-values, kind="stable")  # NaN come last
    return orders
