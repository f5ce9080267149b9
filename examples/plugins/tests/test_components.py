"""The components pass the conformance suites of striate."""

from striate.testing import CoreTests, LossTests, MetricTests, ReadoutTests


class TestPooledCore(CoreTests):
    settings = {"type": "pooled"}


class TestFactorisedReadout(ReadoutTests):
    settings = {"type": "factorised"}


class TestHuber(LossTests):
    settings = {"type": "huber"}


class TestSpearman(MetricTests):
    settings = {"type": "spearman"}
