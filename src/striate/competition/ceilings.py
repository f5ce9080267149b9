"""What bounds the scores of a board."""

from striate.metrics import Repeats, cc_max, jackknife_oracle, single_trial_ceiling, split_half
from striate.submissions import Truth


def board_ceilings(truth: Truth, tier: str, seed: int) -> dict[str, float | None]:
    """Ceilings of a model of the image alone on a tier, the oracle predictor, and the split-half reliability.

    Parameters
    ----------
    truth
        The responses.
    tier
        Its tier that is scored.
    seed
        Of the random halves.
    """
    rows = truth.rows(tier)
    responses, repeats = truth.responses[rows], Repeats(truth.image_id[rows])
    return {
        "single_trial_ceiling": single_trial_ceiling(responses, repeats).mean,
        "cc_max": cc_max(responses, repeats).mean,
        "jackknife_oracle": jackknife_oracle(responses, repeats).mean,
        "split_half": split_half(responses, repeats, seed=seed).mean,
    }
