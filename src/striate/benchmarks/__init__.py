"""Benchmarks: what is shown, measured, withheld and ranked. Each is one TOML file, and every other room reads it."""

from striate.benchmarks.loading import Benchmark as Benchmark
from striate.benchmarks.loading import is_default as is_default
from striate.benchmarks.loading import load_benchmark as load_benchmark
from striate.benchmarks.loading import parse_benchmark as parse_benchmark
from striate.benchmarks.loading import read_benchmark as read_benchmark
from striate.benchmarks.spec import BenchmarkSpec as BenchmarkSpec
