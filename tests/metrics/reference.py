"""The metrics as the benchmark writes them down: one neuron at a time, plain NumPy, nothing shared with the package."""

import numpy as np

EPSILON = np.finfo(np.float64).eps


def image_means(values, image_ids):
    """Mean over the repeats of each image, of shape (images, neurons)."""
    return np.array([values[image_ids == i].astype(np.float64).mean(axis=0) for i in np.unique(image_ids)])


def damping(values):
    """What the 1e-8 that is added to a standard deviation makes of a correlation: the factor s / (s + 1e-8)."""
    std = np.asarray(values, dtype=np.float64).std(axis=0)
    return std / (std + 1e-8)


def correlation_tolerance(*arrays):
    """Bound on the rounding error of a correlation, for each neuron.

    Computing in float64 moves each value by a few units in the last place of the largest one, and so the correlation by
    about that much relative to the standard deviation.
    """
    error = 1e-14
    for values in arrays:
        wide = np.asarray(values, dtype=np.float64)
        with np.errstate(divide="ignore"):
            error = error + 16 * EPSILON * np.abs(wide).max(axis=0) / wide.std(axis=0)
    return error


def feve_tolerance(r, p, image_ids, extent=0):
    """Bound on the rounding error of FEVE, for each neuron: that of its sums of squares over what is divided by.

    `extent` is the range of values that the sums were taken over, where it is larger than the values given.
    """
    r, p = np.asarray(r, dtype=np.float64), np.asarray(p, dtype=np.float64)
    fev, _ = fev_and_feve(r, p, image_ids)
    squares = np.maximum(np.abs(np.concatenate([r, p])).max(axis=0), extent) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        explainable = np.abs(fev) * r.var(axis=0)
        return 64 * EPSILON * squares / explainable * (1 + squares / explainable)


def correlation(x, y):
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    dx, dy = x - x.mean(), y - y.mean()
    return (dx * dy).mean() / ((x.std() + 1e-8) * (y.std() + 1e-8))


def single_trial_correlation(r, p):
    return np.array([correlation(r[:, n], p[:, n]) for n in range(r.shape[1])])


def correlation_to_average(r, p, image_ids):
    images = np.unique(image_ids)
    values = []
    for n in range(r.shape[1]):
        mean_r = [r[image_ids == i, n].astype(np.float64).mean() for i in images]
        mean_p = [p[image_ids == i, n].astype(np.float64).mean() for i in images]
        values.append(correlation(mean_r, mean_p))
    return np.array(values)


def fev_and_feve(r, p, image_ids):
    """FEV and FEVE of each neuron, NaN for a constant one."""
    fev, feve = [], []
    for n in range(r.shape[1]):
        x, y = r[:, n].astype(np.float64), p[:, n].astype(np.float64)
        if (x == x[0]).all():
            fev.append(np.nan)
            feve.append(np.nan)
            continue
        noise = np.mean([x[image_ids == i].var(ddof=1) for i in np.unique(image_ids)])
        total = x.var(ddof=1)
        fev.append((total - noise) / total)
        feve.append(1 - (((x - y) ** 2).mean() - noise) / (total - noise))
    return np.array(fev), np.array(feve)


def mean_feve(r, p, image_ids, threshold=0.15):
    fev, feve = fev_and_feve(r, p, image_ids)
    kept = np.nan_to_num(fev, nan=-np.inf) >= threshold
    return feve[kept].mean() if kept.any() else np.nan


def means_of_other_repeats(r, image_ids):
    """For each trial the mean of the other repeats of its image; every image is shown more than once."""
    groups = [(image_ids == image_ids[t]) & (np.arange(len(r)) != t) for t in range(len(r))]
    return np.array([r[group].astype(np.float64).mean(axis=0) for group in groups])


def jackknife_oracle(r, image_ids):
    values = []
    for n in range(r.shape[1]):
        trials, others = [], []
        for t in range(len(r)):
            rest = (image_ids == image_ids[t]) & (np.arange(len(r)) != t)
            if rest.any():
                trials.append(r[t, n])
                others.append(r[rest, n].astype(np.float64).mean())
        values.append(correlation(trials, others))
    return np.array(values)


def means(r, p, image_ids):
    return (
        single_trial_correlation(r, p).mean(),
        correlation_to_average(r, p, image_ids).mean(),
        mean_feve(r, p, image_ids),
    )


def ceilings(r, image_ids):
    """√FEV and CC_max (Schoppe et al. 2016, for ragged repeats) of each neuron whose images are all repeated."""
    single, average = [], []
    images = np.unique(image_ids)
    for n in range(r.shape[1]):
        x = r[:, n].astype(np.float64)
        repeats = [x[image_ids == i] for i in images]
        fev = (x.var(ddof=1) - np.mean([k.var(ddof=1) for k in repeats])) / x.var(ddof=1)
        of_means = np.var([k.mean() for k in repeats], ddof=1)
        signal_power = of_means - np.mean([k.var(ddof=1) / len(k) for k in repeats])
        single.append(np.sqrt(max(fev, 0)))
        average.append(np.sqrt(max(signal_power, 0) / of_means))
    return np.array(single), np.array(average)
