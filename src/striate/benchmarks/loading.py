"""Benchmarks by name, from a TOML file, or from text."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from striate._internal.config_validation import validate_settings
from striate._internal.paths import expand_path
from striate._internal.safe_parsing import parse_toml, read_limited
from striate.benchmarks.spec import BenchmarkSpec, check_spec
from striate.errors import InputError, describe_type, nearest
from striate.registry import benchmarks

DEFAULT = "sensorium2022"
Benchmark: TypeAlias = str | os.PathLike[str] | Mapping[str, Any] | BenchmarkSpec
"""What names or describes a benchmark."""

LARGEST_FILE = 2**18  # bytes of a description


def load_benchmark(benchmark: Benchmark | None = None) -> BenchmarkSpec:
    """Return the description of a benchmark.

    Parameters
    ----------
    benchmark
        Name of a registered benchmark, such as ``"sensorium2022"``; path of a TOML file; a mapping of its tables; or a
        description, which is returned unchanged. None is ``"sensorium2022"``.

    Returns
    -------
    BenchmarkSpec
        The validated description.

    Raises
    ------
    InputError
        If there is no such benchmark or file, or the file is not valid.

    Examples
    --------
    >>> load_benchmark("sensorium2022").test_tiers
    ('test', 'final_test')
    """
    if benchmark is None:
        benchmark = DEFAULT
    if isinstance(benchmark, str | os.PathLike):
        text = os.fspath(benchmark)
        if isinstance(benchmark, Path) or text.endswith(".toml") or os.sep in text:
            return read_benchmark(text)
        if text not in benchmarks and expand_path(text).is_file():
            return read_benchmark(text)
        if text not in benchmarks:
            raise InputError(
                f"There is no benchmark {text!r}: {nearest(text, benchmarks.names())}. Or give the path of a TOML file."
            )
        return _registered(text)
    if isinstance(benchmark, Mapping):
        return _validated(benchmark, "The benchmark")
    return _with_own_name(check_spec(benchmark), "The benchmark")


def is_default(spec: BenchmarkSpec) -> bool:
    """Whether a benchmark is the one that archives without a description belong to, SENSORIUM 2022.

    Examples
    --------
    >>> is_default(load_benchmark())
    True
    """
    return spec.name == DEFAULT


def read_benchmark(path: str | os.PathLike[str]) -> BenchmarkSpec:
    """Read the description of a benchmark from a TOML file.

    Raises
    ------
    InputError
        If the file cannot be read, or is not valid.

    Examples
    --------
    >>> read_benchmark("my-benchmark.toml")  # doctest: +SKIP
    <BenchmarkSpec my-benchmark: channels uv, green; tiers train, validation, test>
    """
    try:
        content = read_limited(path, LARGEST_FILE)
    except OSError as error:
        raise InputError(
            f"The benchmark {path} cannot be read ({error.strerror}): give the path of a TOML file."
        ) from error
    return parse_benchmark(content, str(path))


def parse_benchmark(content: bytes | str, source: str = "The benchmark") -> BenchmarkSpec:
    """Parse and validate the description of a benchmark. Nothing in it is ever executed.

    Parameters
    ----------
    content
        TOML document.
    source
        Where it comes from, such as a path; the subject of error messages.

    Raises
    ------
    InputError
        If the document is not TOML, a key is unknown, or a value is not allowed.

    Examples
    --------
    >>> parse_benchmark('name = "birds"').name
    'birds'
    """
    return _validated(parse_toml(content, source), source)


def _validated(tables: Mapping[str, Any], source: str) -> BenchmarkSpec:
    return _with_own_name(validate_settings(BenchmarkSpec, tables, source, kind="benchmark"), source)


def _with_own_name(spec: BenchmarkSpec, source: str) -> BenchmarkSpec:
    if spec.name == DEFAULT and spec is not _registered(DEFAULT) and spec != _registered(DEFAULT):
        raise InputError(
            f"{source}: the benchmark is called {DEFAULT!r}, but differs from that benchmark: give it a name of its own."
        )
    return spec


def _registered(name: str) -> BenchmarkSpec:
    described = benchmarks[name].value()
    if not isinstance(described, BenchmarkSpec):
        raise InputError(
            f"The benchmark {name!r} of {benchmarks[name].source.module} is described by {describe_type(described)}; expected a BenchmarkSpec: "
            "return what striate.benchmarks.read_benchmark or parse_benchmark returns."
        )
    return described
