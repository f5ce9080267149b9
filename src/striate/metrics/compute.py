"""Any registered metric: its values, and its confidence interval from resamples of the images."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate.errors import InputError, shortened
from striate.metrics.bootstrap import CONFIDENCE_LEVEL, DEFAULT_RESAMPLES, BootstrapEstimate, draw_image_counts
from striate.metrics.repeated_images import Repeats
from striate.metrics.validation import Floats, validate_same_shape
from striate.registry import metrics

# A resample computes the metric anew on all trials, so that fewer are drawn from large recordings.
MAX_RESAMPLED_VALUES = 2**30  # trials × neurons, of all resamples together
MIN_RESAMPLES = 50  # of any recording, as far as so many are asked for


class MetricFailedError(InputError):
    """A metric raised an exception, or returned anything else than a value for each neuron.

    Attributes
    ----------
    reason
        What happened, in a few words that are the same on every machine.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


def compute_metric(
    name: str, responses: ArrayLike, predictions: ArrayLike, image_ids: ArrayLike | Repeats
) -> NDArray[np.float64]:
    """Compute a registered metric of each neuron.

    Parameters
    ----------
    name
        Name of the metric in `striate.registry.metrics`.
    responses, predictions : (T, N)
        Standardised responses of one tier and their predictions. The metric gets them as float64.
    image_ids : (T,)
        Id of the image shown in each trial, or the `Repeats` made of these ids.

    Returns
    -------
    (N,) float64
        Value of each neuron; NaN for neurons that do not count.

    Raises
    ------
    InputError
        If there is no such metric, the shapes of the arrays do not match, or the metric raises an exception or returns
        anything else than a value for each neuron.

    Examples
    --------
    >>> from striate.metrics import compute_metric
    >>> responses, predictions = [[0.0], [1.0], [2.0]], [[0.0], [2.0], [4.0]]
    >>> compute_metric("single_trial_correlation", responses, predictions, [0, 1, 2]).round(3)
    array([1.])
    """
    r, p = _read_only(responses, predictions)
    return _values(name, r, p, Repeats.from_image_ids(image_ids, len(r)))


def bootstrap_metric(
    name: str,
    responses: ArrayLike,
    predictions: ArrayLike,
    image_ids: ArrayLike | Repeats,
    *,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    level: float = CONFIDENCE_LEVEL,
    advance: Callable[[int], None] = lambda steps: None,
    allow_failures: bool = False,
) -> BootstrapEstimate:
    """Compute the confidence interval of the mean of a registered metric by resampling images with replacement.

    The resamples are those of `striate.metrics.bootstrap` with the same seed: each image is drawn with all its repeats, and an
    image that is drawn twice counts as two images. The metric is computed anew on each.

    Parameters
    ----------
    name, responses, predictions, image_ids
        As in `compute_metric`.
    resamples
        Number of resamples, as given: see `affordable_resamples` for large recordings.
    seed, level
        As in `striate.metrics.bootstrap`.
    advance
        Called with 1 after each resample, to show progress.
    allow_failures
        Whether the metric may fail in a resample, which is then not defined.

    Returns
    -------
    BootstrapEstimate
        Mean over the neurons that count, and that of each resample.

    Raises
    ------
    InputError
        As in `compute_metric`, or if `resamples` is less than 1.

    Examples
    --------
    >>> from striate.metrics import bootstrap_metric
    >>> rng = np.random.default_rng(0)
    >>> predictions = rng.normal(size=(30, 2))
    >>> responses = predictions + rng.normal(size=(30, 2))
    >>> estimate = bootstrap_metric("single_trial_correlation", responses, predictions, range(30), resamples=20)
    >>> estimate.interval.low < estimate.value < estimate.interval.high
    True
    """
    r, p = _read_only(responses, predictions)
    repeats = Repeats.from_image_ids(image_ids, len(r))
    samples = np.empty(resamples)
    for index, (rows, drawn) in enumerate(_resampled_trials(repeats, resamples, seed)):
        try:
            mean = mean_of_counting(_values(name, *_frozen(r[rows], p[rows]), Repeats(drawn)))
        except MetricFailedError:
            if not allow_failures:
                raise
            mean = None
        samples[index] = np.nan if mean is None else mean
        advance(1)
    return BootstrapEstimate(mean_of_counting(_values(name, r, p, repeats)), samples, level)


def affordable_resamples(resamples: int, trials: int, neurons: int) -> int:
    """Return how many resamples of a metric are computed if `resamples` are asked for.

    All of them, as long as they have at most 2³⁰ values together; but never fewer than 50, if so many are asked for.

    Examples
    --------
    >>> affordable_resamples(1000, trials=1000, neurons=1000), affordable_resamples(1000, trials=1000, neurons=8000)
    (1000, 134)
    """
    return min(resamples, max(MIN_RESAMPLES, MAX_RESAMPLED_VALUES // (trials * neurons)))


def mean_of_counting(values: Floats) -> float | None:
    """Return the mean over the neurons that count, those whose value is not NaN; None if there are none.

    Examples
    --------
    >>> mean_of_counting(np.array([1.0, np.nan, 3.0]))
    2.0
    """
    counting = values[~np.isnan(values)]
    return float(counting.mean()) if counting.size else None


def _values(name: str, r: Floats, p: Floats, repeats: Repeats) -> Floats:
    """Call a metric, and check what it returns."""
    component = metrics[name]
    function = metrics.function(component.settings())
    try:
        returned = function(r, p, repeats)
    except Exception as error:  # code of others may raise anything
        raise MetricFailedError(
            f"The metric {name!r} ({component.source.module}) raised {type(error).__name__}: {shortened(error, 200)}. Correct it with the "
            "suite striate.testing.MetricTests, or score without it.",
            f"the metric raised {type(error).__name__}",
        ) from error
    array = np.asarray(returned)
    if array.shape != (r.shape[1],) or array.dtype.kind not in "fiu" or np.isinf(array).any():
        infinite = " with infinite values" if array.dtype.kind == "f" and np.isinf(array).any() else ""
        raise MetricFailedError(
            f"The metric {name!r} ({component.source.module}) returned {array.dtype} of shape {array.shape}{infinite}; expected a finite "
            f"number or NaN for each of the {r.shape[1]} neurons. Correct it with the suite striate.testing.MetricTests.",
            "the metric is infinite for a neuron" if infinite else "the metric returned no value for each neuron",
        )
    return array.astype(np.float64)


def _resampled_trials(
    repeats: Repeats, resamples: int, seed: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield the rows of the trials of each resample, and the ids of their images, where each drawn image has its own id."""
    images = len(repeats.images)
    rows_of_image: list[NDArray[np.intp]] = [np.empty(0, dtype=np.intp)] * images
    for group in repeats.groups:
        for image, rows in zip(group.images, group.rows, strict=True):
            rows_of_image[image] = rows
    for counts in draw_image_counts(images, resamples, seed):
        drawn = np.repeat(np.arange(images), counts.astype(np.intp))
        yield (
            np.concatenate([rows_of_image[image] for image in drawn]),
            np.repeat(np.arange(images), repeats.counts[drawn]),
        )


def _read_only(responses: ArrayLike, predictions: ArrayLike) -> tuple[Floats, Floats]:
    r, p = validate_same_shape(responses, predictions)
    return _frozen(np.array(r, dtype=np.float64), np.array(p, dtype=np.float64))


def _frozen(r: Floats, p: Floats) -> tuple[Floats, Floats]:
    for array in (r, p):
        array.setflags(write=False)
    return r, p
