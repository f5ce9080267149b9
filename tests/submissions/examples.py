"""A small recording with its truth, and a submission that predicts it imperfectly."""

from dataclasses import replace

import numpy as np
from tests.fixtures.recordings import small_recording

from striate.submissions import Submission, Truth


def example(final_images=4, seed=0, neurons=12, **recording):
    """Recording, submission and truth; both tiers unless `final_images` is 0."""
    scan = small_recording(final_images=final_images, seed=seed, neurons=neurons, **recording)
    truth = Truth.from_recording(scan)
    rng = np.random.default_rng(seed)
    predictions = 0.6 * truth.responses + 0.2 + 0.3 * rng.random(truth.responses.shape)
    submission = Submission.from_array(scan, predictions, protocol="image", track="sensorium")
    return scan, submission, truth


def shuffled(table, seed=0):
    """The same submission or truth with its rows and columns in another order."""
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(len(table.tier)), rng.permutation(len(table.unit_ids))
    values = {"predictions" if isinstance(table, Submission) else "responses": table.values[rows][:, columns]}
    return replace(
        table,
        unit_ids=table.unit_ids[columns],
        tier=table.tier[rows],
        trial_idx=table.trial_idx[rows],
        image_id=table.image_id[rows],
        **values,
    )


def without(table, rows=(), columns=()):
    """The same submission or truth without some rows or columns."""
    keep, left = np.delete(np.arange(len(table.tier)), rows), np.delete(np.arange(len(table.unit_ids)), columns)
    values = {"predictions" if isinstance(table, Submission) else "responses": table.values[keep][:, left]}
    return replace(
        table,
        unit_ids=table.unit_ids[left],
        tier=table.tier[keep],
        trial_idx=table.trial_idx[keep],
        image_id=table.image_id[keep],
        **values,
    )
