"""Tiers of SENSORIUM 2022, for code that knows no recording. Code that knows one asks ``recording.benchmark``."""

from striate.benchmarks.sensorium2022 import sensorium2022
from striate.benchmarks.spec import BenchmarkSpec

_SPEC: BenchmarkSpec = sensorium2022()

TIERS = _SPEC.tier_order
TRAINING_TIERS = _SPEC.training_tiers
TEST_TIERS = _SPEC.test_tiers

tier_name = _SPEC.tier_name
tier_names = _SPEC.tier_names
