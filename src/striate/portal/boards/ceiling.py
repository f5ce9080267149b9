"""The noise ceiling of a board: what no model can pass, metric by metric."""

import math
from collections.abc import Mapping

from striate.metrics.evaluate import METRICS


def ceiling_row(ceilings: Mapping[str, float | None]) -> dict[str, float | None]:
    """By metric the highest mean that a model could have; None where it is not known.

    Parameters
    ----------
    ceilings
        ``jackknife_oracle``: correlation of single trials with the other repeats of their image. ``split_half``:
        reliability of average responses, whose root limits the correlation to average. FEVE ends at 1 by what it is.
    """
    reliability = ceilings.get("split_half")
    limits = {
        "single_trial_correlation": ceilings.get("jackknife_oracle"),
        "correlation_to_average": math.sqrt(reliability) if reliability is not None and reliability >= 0 else None,
        "feve": 1.0 if ceilings else None,
    }
    return {name: limits[name] for name in METRICS}
