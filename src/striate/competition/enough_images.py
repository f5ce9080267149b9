"""Whether a track has enough images for the metric that ranks it."""

import math
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.competition.full import Full
from striate.competition.rules import Rules
from striate.competition.tables import Ranking
from striate.errors import InputError
from striate.metrics import Repeats, estimate_metrics
from striate.metrics.bootstrap import CONFIDENCE_LEVEL
from striate.metrics.registered import registered_info
from striate.metrics.score_summary import max_interval_width, too_few_images_reason

_SHIFTS = (1, 2, 3)


def require_enough_images(rules: Rules, full: dict[str, Full], tiers: dict[str, NDArray[np.str_]]) -> None:
    """Refuse a track that is ranked by a ratio which its images cannot tell.

    Parameters
    ----------
    rules
        The rules of the competition, whose tracks are checked.
    full
        Its recordings, by session.
    tiers
        Tier of each of their trials.

    Raises
    ------
    InputError
        If the live or the final test has too few images.
    """
    for track in rules.tracks:
        if not registered_info(track.metric).ratio:
            continue
        each = full[track.session]
        for tier, test in ((rules.live_tier, "live"), (rules.final_tier, "final")):
            rows = np.flatnonzero(tiers[track.session] == tier)
            responses, repeats = np.asarray(each.recording.responses[rows]), Repeats(each.picture[rows])
            if why := why_too_few(responses, repeats, track.metric, rules.ranking):
                others = [name for name in rules.benchmark.metrics.names if not registered_info(name).ratio]
                raise InputError(
                    f"Track {track.name!r} is ranked by {registered_info(track.metric).label}, but its {test} test {why}; or rank by "
                    f"{' or '.join(others) or 'a metric that is no ratio'}."
                )


def why_too_few(responses: NDArray[Any], repeats: Repeats, metric: str, ranking: Ranking) -> str | None:
    """Say why a ratio cannot rank, and how many images it needs; None where it can.

    Only responses are known, so the reference is a model that answers as strongly as the neurons do and knows nothing of the
    images: it predicts the mean response to another image. Better models have narrower intervals, and the intervals of worse
    ones grow no faster than their distance to a perfect model, so that they say something if that of the reference does. As
    intervals narrow with the root of the number of images, the number needed follows from the width.

    Parameters
    ----------
    responses : (T, N)
        Of one tier; no unit is needed.
    repeats
        Its trials, grouped by image.
    metric
        The ratio.
    ranking
        How the images are resampled.
    """
    images, needed = len(repeats.images), []
    for shift in _SHIFTS:
        predictions = _of_other_images(responses, repeats, shift)
        found = estimate_metrics(
            [metric], responses, predictions, repeats, resamples=ranking.resamples, seed=ranking.seed
        )[metric]
        drawn, reason = found.bootstrap, found.summary.reason
        interval = None if drawn is None else drawn.interval_at(CONFIDENCE_LEVEL)
        if drawn is None or drawn.value is None or interval is None:
            return f"leaves it undefined ({reason}): show other images, or more repeats"
        wanted = math.ceil(images * ((interval.high - interval.low) / max_interval_width(drawn.value)) ** 2)
        needed.append(max(wanted, images + 1) if too_few_images_reason(drawn, images) else 0)
    if (wanted := int(median(needed))) <= images:
        return None
    return (
        f"has {images} images, and with these responses some {wanted} are needed before an interval says anything: show more "
        "images"
    )


def _of_other_images(responses: NDArray[Any], repeats: Repeats, shift: int) -> NDArray[np.float64]:
    """Predict in each trial the mean response to the image that stands `shift` places on, (T, N)."""
    means = np.empty((len(repeats.images), responses.shape[1]))
    for group in repeats.groups:
        means[group.images] = responses[group.rows].mean(axis=1, dtype=np.float64)
    means = np.roll(means, shift, axis=0)
    predictions = np.empty(responses.shape)
    for group in repeats.groups:
        predictions[group.rows] = means[group.images][:, None]
    return predictions
