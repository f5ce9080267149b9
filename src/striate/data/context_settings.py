"""Settings of the context of trials: the table ``[data.context]`` of a recipe."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from striate.errors import InputError

_Trials = Annotated[int, Field(strict=True, ge=0, le=10_000)]


def _as_tuple(given: object) -> object:
    return tuple(given) if isinstance(given, list) else given


class ContextSettings(BaseModel):
    """What batches say of the trials before and after each trial, in the order in which they were shown.

    A table ``[data.context]``, even an empty one, makes batches carry a `Context`. It belongs to the behaviour of the animal, so
    that it needs ``data.behavior = true``. With `past_responses`, it also says what the neurons answered before: that is a protocol of
    its own.

    Attributes
    ----------
    past
        Number of earlier trials whose behaviour (and eye position, with ``data.pupil_center = true``) is given.
    future
        Number of later trials whose behaviour and eye position are given.
    past_responses
        Numbers of trials: for each, the mean response of every neuron to so many of the latest earlier trials is given. All training
        and validation trials of the recording count; test trials are skipped. An empty list gives no responses.
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
    past_responses: Annotated[
        tuple[Annotated[int, Field(strict=True, ge=1, le=10_000)], ...],
        BeforeValidator(_as_tuple),
        Field(max_length=32),
    ] = ()
    unknown_order: Literal["refuse", "average"] = "refuse"

    @field_validator("past_responses")
    @classmethod
    def _once_each(cls, trials: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(trials)) < len(trials):
            raise InputError("past_responses names a number of trials more than once: name each only once.")
        return trials

    @property
    def window(self) -> int:
        """Number of trials of the window: the earlier ones, the trial itself, and the later ones."""
        return self.past + 1 + self.future
