"""Settings of the context of trials: the table ``[data.context]`` of a recipe."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

_Trials = Annotated[int, Field(strict=True, ge=0, le=10_000)]


class ContextSettings(BaseModel):
    """What batches say of the trials before and after each trial, in the order in which they were shown.

    A table ``[data.context]``, even an empty one, makes batches carry a `Context`. It belongs to the behaviour of the animal, so
    that it needs ``data.behavior = true``; responses are no part of it.

    Attributes
    ----------
    past, future
        Number of earlier and of later trials whose behaviour (and eye position, with ``data.pupil_center = true``) is given.
    unknown_order
        What to do with a recording whose trial order is withheld (its trial indices are hashes): ``"refuse"`` it, or give every trial
        the ``"average"`` context of the session.

    Examples
    --------
    >>> ContextSettings(past=60).window
    61
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    past: _Trials = 0
    future: _Trials = 0
    unknown_order: Literal["refuse", "average"] = "refuse"

    @property
    def window(self) -> int:
        """Number of trials of the window: the earlier ones, the trial itself, and the later ones."""
        return self.past + 1 + self.future
