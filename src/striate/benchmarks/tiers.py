"""Names of the tiers of a recording: which trials train, validate and test a model."""

from collections.abc import Iterable

from striate.errors import InputError, nearest

TIERS = ("train", "validation", "test", "final_test")
TRAINING_TIERS = ("train", "validation")
TEST_TIERS = ("test", "final_test")

# The data's own page once calls the final tier `live_test`; the live test is `test`. Accepted when typed, never written.
_TIER_ALIASES = {"live_test": "test", "live": "test", "final": "final_test"}


def tier_name(typed: object) -> str:
    """Turn what a user typed into the name of a tier.

    Raises
    ------
    InputError
        If it is neither one of `TIERS` nor an alias of one.
    """
    tier = str(typed) if isinstance(typed, str) else ""
    tier = _TIER_ALIASES.get(tier, tier)
    if tier not in TIERS:
        raise InputError(f"There is no tier {typed!r}: {nearest(str(typed), TIERS)}.")
    return tier


def tier_names(typed: object) -> tuple[str, ...]:
    """Turn the name of a tier, or several, into names of tiers, each once.

    Raises
    ------
    InputError
        If they are no names of tiers.
    """
    several = [typed] if isinstance(typed, str) else typed
    if not isinstance(several, Iterable):
        raise InputError(f"tiers is {str(typed)[:60]}; expected names of tiers, such as ['test']: {', '.join(TIERS)}.")
    return tuple(dict.fromkeys(tier_name(each) for each in several))
