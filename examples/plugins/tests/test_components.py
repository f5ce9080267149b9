"""The components pass the conformance suites of striate."""

from striate.testing import AugmentationTests, CoreTests, LossTests, MetricTests, ReadoutTests


class TestPooledCore(CoreTests):
    settings = {"type": "pooled"}


class TestFreeMaskReadout(ReadoutTests):
    settings = {"type": "free_mask"}


class TestContrast(AugmentationTests):
    settings = {"type": "contrast"}


class TestHuber(LossTests):
    settings = {"type": "huber"}


class TestSpearman(MetricTests):
    settings = {"type": "spearman"}
