"""Other values for the settings of a component, by which tests show that every setting has an effect."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from striate.errors import InputError
from striate.registry import Registry, Settings


def assert_every_setting_has_an_effect(
    registry: Registry[Any],
    settings: Mapping[str, Any],
    other_values: Mapping[str, Any],
    ignored: frozenset[str],
    behaviour: Callable[[Settings], Iterable[Tensor]],
) -> None:
    """Fail if the behaviour of a component stays the same when one of its settings is changed.

    Parameters
    ----------
    registry, settings, other_values, ignored
        As in `changed_settings`.
    behaviour
        Function of the settings that returns everything that the component computes.
    """
    before = list(behaviour(registry.settings(settings)))
    for name, changed in changed_settings(registry, settings, other_values, ignored):
        after = list(behaviour(changed))
        same = len(before) == len(after) and all(
            one.shape == other.shape and torch.equal(one, other) for one, other in zip(before, after, strict=True)
        )
        assert not same, f"the setting {name!r} has no effect"


def changed_settings(
    registry: Registry[Any], settings: Mapping[str, Any], other_values: Mapping[str, Any], ignored: frozenset[str]
) -> Iterator[tuple[str, Settings]]:
    """Yield the settings of a component with one of them changed at a time.

    Parameters
    ----------
    registry
        Registry of the component.
    settings
        Settings that are changed, with the key ``type``.
    other_values
        Other values of settings for which none can be guessed.
    ignored
        Settings that are not changed.

    Yields
    ------
    name, settings
        Name of the changed setting, and all settings.
    """
    base = registry.settings(settings)
    for name in type(base).model_fields:
        if name == "type" or name in ignored:
            continue
        candidates = [other_values[name]] if name in other_values else list(_guesses(getattr(base, name)))
        for candidate in candidates:
            try:
                yield name, registry.settings({**settings, name: candidate})
            except (ValidationError, InputError):
                continue
            break
        else:
            raise AssertionError(
                f"No other value of the setting {name!r} could be guessed: add one to other_values, such as "
                f"other_values = {{{name!r}: …}}."
            )


def _guesses(value: Any) -> Iterator[Any]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value + 2, 2 * value, value - 1)
    elif isinstance(value, float):
        yield from (2 * value + 0.1, value / 2, value + 0.1)
