"""Responses as bytes, and the levels of a raster."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.portal.looking.prepared import STEP, Looked


@pytest.mark.slow
@given(st.lists(st.floats(0, 30), min_size=1, max_size=50))
def test_a_response_survives_as_a_byte(values: list[float]) -> None:
    from striate.portal.looking.codes import LARGEST, decoded, encoded

    some = np.array(values)
    codes = encoded(some)
    assert (np.diff(codes[np.argsort(some, kind="stable")].astype(int)) >= 0).all(), "larger ones have larger codes"
    np.testing.assert_allclose(decoded(codes), np.minimum(some, LARGEST), atol=STEP)
    assert encoded(np.array([np.nan])) == 255
    assert np.isnan(decoded(np.array([255], np.uint8)))[0]


@pytest.mark.slow
@given(st.integers(1, 700), st.integers(1, 600), st.floats(0, 0.9), st.integers(0, 2**32 - 1))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_level_has_the_means_of_blocks(
    tmp_path_factory: pytest.TempPathFactory, rows: int, columns: int, missing: float, seed: int
) -> None:
    from striate.portal.looking import pyramid

    rng = np.random.default_rng(seed)
    values = rng.gamma(0.5, 1.0, (rows, columns)).astype(np.float32)
    values[rng.random(rows) < missing] = np.nan
    values[rng.random((rows, columns)) < missing / 10] = np.nan
    folder = tmp_path_factory.mktemp("pyramid")
    levels = pyramid.write(folder / "raster-a-b", lambda start, end: values[start:end], (rows, columns))
    document = {"raster": {"levels": {"a-b": [vars(each) for each in levels]}}}
    (folder / "summary.json").write_text(json.dumps(document))
    assert max(levels[-1].rows, levels[-1].columns) <= pyramid.TILE
    for number in range(len(levels)):
        size = 2**number
        padded = np.full((-(-rows // size) * size, -(-columns // size) * size), np.nan)
        padded[:rows, :columns] = values
        blocks = padded.reshape(len(padded) // size, size, -1, size)
        known = np.isfinite(blocks).sum(axis=(1, 3))
        means = np.where(known, np.nansum(blocks, axis=(1, 3)) / np.maximum(known, 1), np.nan)
        np.testing.assert_allclose(Looked(folder).level("a-b", number), np.minimum(means, 25), atol=STEP)
