"""The ceiling of a board: the highest score that a model of the image alone can expect, by metric."""

from collections.abc import Mapping

from striate.metrics.evaluate import METRICS

_CEILING_OF = {"single_trial_correlation": "single_trial_ceiling", "correlation_to_average": "cc_max"}


def ceiling_row(ceilings: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return the ceiling of each metric; None where it is not known.

    Parameters
    ----------
    ceilings
        ``single_trial_ceiling`` (the mean of √FEV) and ``cc_max``. FEVE and the normalised correlation are 1 for a perfect
        model of the image by definition. The oracle predictor and the split-half reliability are no ceilings.
    """
    known = any(ceilings.get(name) is not None for name in _CEILING_OF.values())
    of_correlations = {metric: ceilings.get(name) for metric, name in _CEILING_OF.items()}
    return {name: of_correlations.get(name, 1.0 if known else None) for name in (*METRICS, "cc_norm")}
