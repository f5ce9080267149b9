"""The metrics as the benchmark writes them down: one neuron at a time, plain NumPy, nothing shared with the package."""

import numpy as np


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
