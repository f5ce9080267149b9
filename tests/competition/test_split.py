"""The choice of final images, and the evidence that it is fair."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.competition.features import picture_features, response_features
from striate.competition.split import balance, stratified


def table(count, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, 3)) @ rng.normal(size=(3, 3))
    return pd.DataFrame(values, columns=["a", "b", "c"])


@settings(max_examples=20, deadline=None)
@given(count=st.integers(2, 60), share=st.floats(0.05, 0.95), seed=st.integers(0, 1000))
def test_as_many_images_become_final_as_were_asked_for(count, share, seed):
    final = stratified(table(count, seed), share, np.random.default_rng(seed))
    assert final.sum() == np.clip(round(share * count), 1, count - 1)


def test_a_stratified_split_is_closer_than_chance_and_still_drawn_by_chance():
    features = table(60)
    splits = [stratified(features, 0.5, np.random.default_rng(seed)) for seed in range(8)]
    assert all(balance(features, split).p > 0.9 for split in splits)
    assert len({split.tobytes() for split in splits}) == 8


def test_a_split_by_brightness_is_found_out():
    features = table(60)
    final = np.argsort(np.argsort(features["a"].to_numpy())) >= 30
    found = balance(features, final)
    assert found.p < 0.001
    assert found.features["a"].p < 0.001
    assert found.features["a"].distance == 1
    assert found.features["a"].difference > 1


def test_p_of_a_random_split_is_any_value_alike():
    """The law of a p-value, without which the evidence says nothing."""
    features = table(30, 3)
    rng = np.random.default_rng(0)
    values = [balance(features, rng.permutation(np.arange(30) < 15)).p for _ in range(60)]
    assert 0.35 < np.mean(values) < 0.65
    assert np.mean(np.array(values) < 0.1) < 0.25


def test_features_of_pictures():
    flat = np.full((1, 8, 8), 40, np.uint8)
    stripes = np.tile(np.array([[0, 0, 200, 200]], np.uint8), (8, 2))[None]
    found = picture_features(np.stack([flat, stripes]))
    assert found["brightness"].tolist() == [40, 100]
    assert found["contrast"].tolist() == [0, 100]
    assert found["edges"].iloc[0] == 0 < found["edges"].iloc[1]


def test_reliability_tells_signal_from_noise():
    rng = np.random.default_rng(0)
    signal = np.repeat(rng.normal(size=(6, 50)), 5, axis=0)
    ids = np.repeat(np.arange(6), 5)
    noise = rng.normal(size=(30, 50))
    assert (response_features(signal, ids)["reliability"] > 0.99).all()
    assert (response_features(noise, ids)["reliability"].abs() < 0.4).all()
    order = rng.permutation(30)
    pd.testing.assert_frame_equal(
        response_features((signal + noise)[order], ids[order]), response_features(signal + noise, ids)
    )
    once = response_features(noise, np.arange(30))
    assert once["reliability"].isna().all()
    assert balance(once, np.arange(30) < 10).features.keys() == {"strength"}
    assert pytest.approx(once["strength"].to_numpy()) == noise.mean(axis=1)
