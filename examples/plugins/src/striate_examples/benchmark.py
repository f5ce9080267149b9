"""A benchmark: colour images, behaviours, tiers and a metric of one's own, described in ``colour_mice.toml``."""

from pathlib import Path

from striate.benchmarks import read_benchmark
from striate.registry import benchmarks


@benchmarks.register("colour-mice")
def colour_mice():
    """Mice in colour: images of two channels, five behaviours, three test tiers."""
    return read_benchmark(Path(__file__).with_name("colour_mice.toml"))
