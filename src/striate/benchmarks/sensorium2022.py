"""The SENSORIUM competition of 2022, described in ``sensorium2022.toml``."""

from functools import cache
from importlib.resources import files

from striate._internal.config_validation import validate_settings
from striate._internal.safe_parsing import parse_toml
from striate.benchmarks.spec import BenchmarkSpec
from striate.registry import benchmarks

_FILE = "sensorium2022.toml"


@benchmarks.register("sensorium2022")
@cache
def sensorium2022() -> BenchmarkSpec:
    """SENSORIUM 2022: responses of mouse primary visual cortex to natural images.

    Examples
    --------
    >>> sensorium2022().behavior_names
    ('pupil dilation', 'derivative of pupil dilation', 'running speed')
    """
    text = (files("striate.benchmarks") / _FILE).read_text(encoding="utf-8")
    return validate_settings(BenchmarkSpec, parse_toml(text, _FILE), _FILE, kind="benchmark")
