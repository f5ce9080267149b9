"""What a sweep varies: keys of a recipe, each with values, a range, or alternatives that have settings of their own."""

from __future__ import annotations

import itertools
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from striate._internal.paths import expand_path
from striate._internal.safe_parsing import parse_toml, read_limited
from striate.errors import InputError, describe_type, quoted, shortened

Kind = Literal["grid", "random", "optuna"]
Configuration = dict[str, Any]  # settings of a recipe to change, by dotted keys such as "data.batch_size"

_OPTIONS = "sweep"  # the table of a file that is about the search and not about the recipe
_RANGE = {"low", "high", "log"}
_LARGEST_GRID = 10_000
_SIGNIFICANT_DIGITS = 4  # of random numbers: as precise as anyone needs, and readable in tables


class Chooser(ABC):
    """Chooses values while a space is walked through; each method gets the dotted key of what is chosen.

    Examples
    --------
    >>> class First(Chooser):
    ...     def number(self, key, domain):
    ...         return domain.low
    ...
    ...     def index(self, key, count):
    ...         return 0
    >>> parse_space({"data.batch_size": {"low": 8, "high": 64}}, "random").choose(First())
    {'data.batch_size': 8}
    """

    @abstractmethod
    def number(self, key: str, domain: Range) -> float | int:
        """Choose a number of a range."""

    @abstractmethod
    def index(self, key: str, count: int) -> int:
        """Choose one of `count` alternatives."""


@dataclass(frozen=True)
class Range:
    """Numbers between two bounds, which both belong to it.

    Attributes
    ----------
    low, high
        Bounds. If both are whole numbers, so are all numbers of the range.
    log
        Whether equal ratios are equally probable, instead of equal differences.

    Examples
    --------
    >>> Range(1, 8).at(0.5), Range(1, 8, log=True).at(0.5)
    (4, 2)
    >>> Range(1e-4, 1e-2, log=True).at(0.5)
    0.001
    """

    low: float | int
    high: float | int
    log: bool = False

    @property
    def integer(self) -> bool:
        """Whether the range holds whole numbers alone."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def at(self, quantile: float) -> float | int:
        """Return the number below which a fraction of the numbers lie, rounded to 4 significant digits or a whole number."""
        low, high = float(self.low), float(self.high)
        if self.integer:  # each number has an equal share of the line
            low, high = low - 0.5, high + 0.5
        value = (
            math.exp(math.log(low) + quantile * (math.log(high) - math.log(low)))
            if self.log
            else low + quantile * (high - low)
        )
        if self.integer:
            return min(max(round(value), int(self.low)), int(self.high))
        return min(max(float(f"{value:.{_SIGNIFICANT_DIGITS}g}"), float(self.low)), float(self.high))


@dataclass(frozen=True)
class Choice:
    """Alternatives: values, or tables of settings, each of which may be a space of its own.

    Attributes
    ----------
    options
        Values, and a `Space` for each table.

    Examples
    --------
    >>> Choice((16, 64)).options
    (16, 64)
    """

    options: tuple[Any, ...]


@dataclass(frozen=True)
class Space:
    """Domains of settings by their dotted keys.

    Attributes
    ----------
    domains
        `Range` or `Choice` of each key. A value that does not vary is a choice of one.

    Examples
    --------
    >>> space = parse_space({"data": {"batch_size": [16, 64]}, "model.core": [{"type": "vit"}, {"channels": [8, 16]}]}, "grid")
    >>> space.size
    6
    >>> list(space.grid())[-1]
    {'data.batch_size': 64, 'model.core.channels': 16}
    """

    domains: Mapping[str, Range | Choice]

    @property
    def size(self) -> float:
        """Number of configurations; infinite if a range has no steps."""
        count: float = 1
        for domain in self.domains.values():
            if isinstance(domain, Range):
                count *= int(domain.high) - int(domain.low) + 1 if domain.integer else math.inf
            else:
                count *= sum(option.size if isinstance(option, Space) else 1 for option in domain.options)
        return count

    @property
    def keys(self) -> tuple[str, ...]:
        """Dotted keys of all settings that the space may set, those of alternatives included."""
        found: dict[str, None] = {}
        for key, domain in self.domains.items():
            options = domain.options if isinstance(domain, Choice) else ()
            spaces = [option for option in options if isinstance(option, Space)]
            if len(spaces) < len(options) or isinstance(domain, Range):
                found[key] = None
            found |= dict.fromkeys(f"{key}.{inner}" for space in spaces for inner in space.keys)
        return tuple(found)

    def choose(self, chooser: Chooser, above: str = "") -> Configuration:
        """Return the configuration that a chooser chooses."""
        chosen: Configuration = {}
        for name, domain in self.domains.items():
            key = above + name
            if isinstance(domain, Range):
                chosen[key] = chooser.number(key, domain)
                continue
            count = len(domain.options)
            option = domain.options[0 if count == 1 else chooser.index(key, count)]
            chosen |= option.choose(chooser, f"{key}.") if isinstance(option, Space) else {key: option}
        return chosen

    def grid(self, above: str = "") -> Iterator[Configuration]:
        """Yield every configuration of a space without ranges; later keys vary faster."""

        def values(key: str, domain: Range | Choice) -> Iterator[Configuration]:
            assert isinstance(domain, Choice)
            for option in domain.options:
                yield from option.grid(f"{key}.") if isinstance(option, Space) else [{key: option}]

        for parts in itertools.product(*(list(values(above + key, domain)) for key, domain in self.domains.items())):
            yield {key: value for part in parts for key, value in part.items()}

    def random(self, count: int, seed: int) -> list[Configuration]:
        """Draw different configurations. A larger number has the same ones first.

        Returns
        -------
        list
            `count` configurations, or fewer if the space has no more.
        """
        found: list[Configuration] = []
        rng = np.random.default_rng(seed)
        misses = 0
        while len(found) < min(count, self.size) and misses < 1000:
            drawn = self.choose(_Random(rng))
            if drawn in found:
                misses += 1
            else:
                found.append(drawn)
        return found

    def extremes(self) -> Iterator[Configuration]:
        """Yield configurations that have each bound and each alternative at least once, to validate all of them."""
        first = _Fixed({})
        yield self.choose(first)
        for key, domain in self._all_domains():
            for choice in (0, 1) if isinstance(domain, Range) else range(1, len(domain.options)):
                yield self.choose(_Fixed({**self._way_to(key), key: choice}))

    def _all_domains(self, above: str = "") -> Iterator[tuple[str, Range | Choice]]:
        for name, domain in self.domains.items():
            yield above + name, domain
            for option in domain.options if isinstance(domain, Choice) else ():
                if isinstance(option, Space):
                    yield from option._all_domains(f"{above}{name}.")

    def _way_to(self, key: str, above: str = "") -> dict[str, int]:
        """Return the alternatives to choose such that a key is set."""
        for name, domain in self.domains.items():
            for index, option in enumerate(domain.options if isinstance(domain, Choice) else ()):
                if isinstance(option, Space) and key.startswith(f"{above}{name}."):
                    inside = [each for each, _ in option._all_domains(f"{above}{name}.")]
                    if key in inside:
                        return {f"{above}{name}": index, **option._way_to(key, f"{above}{name}.")}
        return {}


class _Random(Chooser):
    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def number(self, key: str, domain: Range) -> float | int:
        return domain.at(self._rng.random())

    def index(self, key: str, count: int) -> int:
        return int(self._rng.integers(count))


class _Fixed(Chooser):
    """Chooses what a mapping says, and otherwise the first alternative or the lower bound."""

    def __init__(self, chosen: Mapping[str, int]) -> None:
        self._chosen = chosen

    def number(self, key: str, domain: Range) -> float | int:
        return domain.high if self._chosen.get(key) else domain.low

    def index(self, key: str, count: int) -> int:
        return self._chosen.get(key, 0)


def read_space(given: str | os.PathLike[str] | Mapping[str, Any], kind: Kind) -> tuple[Space, dict[str, Any], str]:
    """Read a space from a TOML file, or from a mapping of its keys.

    Parameters
    ----------
    given
        Path, or mapping.
    kind
        ``"grid"``: lists of values; ``"random"`` or ``"optuna"``: ranges and choices.

    Returns
    -------
    space
        The space.
    options
        The table ``[sweep]`` of the file: options of the search.
    source
        What error messages call the file.

    Raises
    ------
    InputError
        If the file cannot be read, or is no space.

    Examples
    --------
    >>> space, options, source = read_space({"data.batch_size": {"low": 8, "high": 64, "log": True}}, "random")
    >>> space.domains["data.batch_size"]
    Range(low=8, high=64, log=True)
    """
    if isinstance(given, Mapping):
        tables, source = dict(given), str(kind)
    elif isinstance(given, str | os.PathLike):
        path, source = expand_path(given), str(given)
        try:
            content = read_limited(path)
        except OSError as error:
            raise InputError(
                f"{path} cannot be read ({error.strerror}): give a TOML file with what to vary."
            ) from error
        tables = parse_toml(content, source)
    else:
        raise InputError(f"{kind} is {describe_type(given)}; expected a TOML file, or a mapping of settings.")
    options = tables.pop(_OPTIONS, {})
    if not isinstance(options, Mapping):
        raise InputError(f"{source}: {_OPTIONS} is no table: write the options of the search below [{_OPTIONS}].")
    return parse_space(tables, kind, source), dict(options), source


def parse_space(tables: Mapping[str, Any], kind: Kind, source: str = "The space") -> Space:
    """Parse a space from the tables of a file. Tables may be nested or have dotted keys.

    Raises
    ------
    InputError
        If nothing is varied, a range is not one, or a grid is too large.

    Examples
    --------
    >>> parse_space({"schedule": {"learning_rate": {"low": 0.001, "high": 0.01}}}, "random").keys
    ('schedule.learning_rate',)
    """
    domains = dict(_domains(tables, kind, source, ""))
    space = Space(domains)
    if not domains:
        example = "data.batch_size = [16, 64]" if kind == "grid" else "data.batch_size = {low = 16, high = 64}"
        raise InputError(f"{source} varies nothing: name keys of the recipe, such as {example}.")
    if kind == "grid" and space.size > _LARGEST_GRID:
        raise InputError(
            f"{source} has {space.size:,.0f} configurations, and at most {_LARGEST_GRID:,} are allowed: vary less, or draw some at random."
        )
    return space


def _domains(tables: Mapping[str, Any], kind: Kind, source: str, above: str) -> Iterator[tuple[str, Range | Choice]]:
    for name, value in tables.items():
        key = above + str(name)
        if kind == "grid":
            if isinstance(value, Mapping):
                yield from _domains(value, kind, source, f"{key}.")
            elif isinstance(value, list | tuple | np.ndarray | range):
                yield key, _choice(value, kind, source, key)
            else:
                yield key, Choice((_plain(value),))
        elif isinstance(value, Mapping) and (_RANGE | {"choices"}) & set(value):
            yield key, _distribution(value, kind, source, key)
        elif isinstance(value, Mapping):
            yield from _domains(value, kind, source, f"{key}.")
        else:
            yield key, Choice((_plain(value),))


def _choice(options: Any, kind: Kind, source: str, key: str) -> Choice:
    if len(options) == 0:
        raise InputError(f"{source}: {key} has no values: name at least one, or leave it out.")
    parsed = [
        Space(dict(_domains(option, kind, source, ""))) if isinstance(option, Mapping) else _plain(option)
        for option in options
    ]
    for index, option in enumerate(parsed):
        if option in parsed[:index]:
            raise InputError(f"{source}: {key} names {quoted(options[index])} twice: name each value once.")
    return Choice(tuple(parsed))


def _distribution(table: Mapping[str, Any], kind: Kind, source: str, key: str) -> Range | Choice:
    where = f"{source}: {key}"
    if "choices" in table:
        if set(table) != {"choices"} or not isinstance(table["choices"], list | tuple):
            raise InputError(f"{where} must have a list of choices and nothing else, such as {{choices = [16, 64]}}.")
        return _choice(table["choices"], kind, source, key)
    low, high, log = _plain(table.get("low")), _plain(table.get("high")), table.get("log", False)
    example = "{low = 0.001, high = 0.1, log = true}"
    if unknown := set(table) - _RANGE:
        raise InputError(f"{where} has the key {quoted(min(unknown))}; a range is written as {example}.")
    if not all(isinstance(bound, int | float) and not isinstance(bound, bool) for bound in (low, high)):
        raise InputError(f"{where} needs two numbers, low and high, such as {example}.")
    if not isinstance(log, bool):
        raise InputError(f"{where}.log is {shortened(log)}; expected true or false.")
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"{where} goes from {low} to {high}; low must be less than high.")
    if log and low <= 0:
        raise InputError(f"{where} begins at {low}, which has no logarithm: begin above 0, or leave log out.")
    return Range(low, high, log)


def _plain(value: Any) -> Any:
    """Convert numbers and arrays of NumPy to Python objects."""
    return value.tolist() if hasattr(value, "tolist") else list(value) if isinstance(value, tuple | range) else value
