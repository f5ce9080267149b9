"""Say which component of which plugin raised an exception, instead of showing the calls within PyTorch and striate."""

from __future__ import annotations

import inspect
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from striate.errors import ComponentError, StriateError, is_out_of_memory, shortened
from striate.registry import REGISTRIES, imported_classes, source_of

_WITHOUT_SUITE = ("models", "callbacks", "benchmarks")  # kinds that striate.testing has no suite for
_SIGNATURE = re.compile(r"(?:Can't instantiate abstract class )?(?P<name>[\w.]+)(?:\(\) | with(?:out)? )")


@contextmanager
def component_errors() -> Iterator[None]:
    """Within the ``with`` block, turn exceptions that a component of a plugin raises into `ComponentError`.

    Other exceptions, among them those of striate, are not changed.

    Examples
    --------
    >>> from striate.registry import losses
    >>> def wrong(rates, responses):
    ...     return rates / 0
    >>> wrong.__module__ = "my_losses"
    >>> with component_errors():
    ...     losses.register("wrong")(wrong)(1, 1)
    Traceback (most recent call last):
    ...
    striate.errors.ComponentError: The loss 'wrong' of my_losses raised ZeroDivisionError: division by zero. Correct it, ...
    >>> losses.forget("my_losses")
    """
    try:
        yield
    except Exception as error:
        named = component_error(error)
        if named is None:
            raise
        raise named from error


def component_error(error: Exception) -> ComponentError | None:
    """Return an error that names the component which raised an exception; None if no component of a plugin did."""
    if isinstance(error, StriateError) or is_out_of_memory(error):
        return None
    owner = _owner_of(error)
    if owner is None:
        return None
    reason = shortened(" ".join(str(error).split()).rstrip("."), 240)
    raised = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    return ComponentError(f"{owner.described(error)} raised {raised}. {owner.advice}")


@dataclass(frozen=True)
class _Owner:
    """A component from outside striate."""

    kind: str
    singular: str
    name: str
    value: Any
    module: str

    def described(self, error: Exception) -> str:
        """Return the component, its plugin and the line that raised an exception, if it lies in the plugin's file."""
        if self.module == "__main__":  # of a script or a notebook, whose traceback shows the line
            return f"The {self.singular} {self.name!r}"
        source = source_of(self.module)
        file = getattr(sys.modules.get(self.module), "__file__", None)
        lines = [step.lineno for step in traceback.extract_tb(error.__traceback__) if step.filename == file]
        line = f"line {lines[-1]}" if lines else ""
        if source.package is None:
            place = f"{source.module} ({line})" if line else source.module
        else:
            place = f"package {source.package} ({', '.join(filter(None, (source.module, line)))})"
        return f"The {self.singular} {self.name!r} of {place}"

    @property
    def advice(self) -> str:
        """How to go on."""
        if self.kind in _WITHOUT_SUITE:
            return "Correct it."
        return f"Correct it, and test it with the suite striate.testing.{self.singular.capitalize()}Tests."


def _owners() -> list[_Owner]:
    registered = [
        _Owner(registry.kind, registry.singular, component.name, component.value, component.module)
        for registry in REGISTRIES.values()
        for component in registry.loaded()
        if not _is_own(component.module)
    ]
    imported = [
        _Owner("models", "model", reference, value, value.__module__)
        for value, reference in imported_classes.items()
        if not _is_own(value.__module__)
    ]
    return registered + imported


def _is_own(module: str) -> bool:
    return module.partition(".")[0] == "striate"


def _owner_of(error: Exception) -> _Owner | None:
    """Return the component whose code an exception comes from, or that was called with arguments that it does not take."""
    owners = _owners()
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        if (owner := _owner_of_frame(frame, owners)) is not None:
            return owner
    if isinstance(error, TypeError) and (found := _SIGNATURE.match(str(error))):
        called = found["name"]
        for owner in owners:
            name = getattr(owner.value, "__qualname__", "")
            if called in (name, name.rpartition(".")[2]) or called.rpartition(".")[0] == name:
                return owner
    return None


def _owner_of_frame(frame: FrameType, owners: list[_Owner]) -> _Owner | None:
    """Return the component that a frame of the call stack belongs to: it is a method of its object, or its function."""
    ancestors = type(frame.f_locals.get("self")).__mro__
    classes = {owner.value: owner for owner in owners if isinstance(owner.value, type)}
    if (nearest_class := next((each for each in ancestors if each in classes), None)) is not None:
        return classes[nearest_class]
    codes = {
        getattr(inspect.unwrap(owner.value), "__code__", None): owner
        for owner in owners
        if not isinstance(owner.value, type) and callable(owner.value)
    }
    return codes.get(frame.f_code)
