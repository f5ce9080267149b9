"""The data settings: every key has an effect, and what cannot be meant is refused in one sentence."""

import tomllib
from collections.abc import Callable
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fixtures.recordings import small_recording

import striate
from striate.data import DataSettings, Loaders
from striate.errors import InputError


def first(loaders: Loaders) -> Any:
    return next(iter(loaders.train))


def responses_follow_the_raw_array(loaders: Loaders) -> bool:
    """Whether a batch changes when the recording does, because nothing of it was kept."""
    before = next(iter(loaders.validation)).responses.clone()
    loaders.recording.responses[:] += 1
    return not (next(iter(loaders.validation)).responses == before).all()


UNITS = small_recording().unit_ids.tolist()

# key -> (settings with it, settings that differ in that key alone, what it changes)
EFFECTS: dict[str, tuple[dict[str, Any], dict[str, Any], Callable[[Loaders], Any]]] = {
    "behavior_planes": ({"behavior": True}, {"behavior": True, "behavior_planes": False}, lambda x: x.input_shape),
    "behavior": ({"behavior": True}, {}, lambda x: (x.input_shape, first(x).behavior is None)),
    "augmentations": (
        {"augmentations": [{"type": "gaussian_noise"}]},
        {},
        lambda x: first(x).images.sum().item(),
    ),
    "pupil_center": ({"pupil_center": True}, {}, lambda x: first(x).pupil_center is None),
    "context": ({"behavior": True, "context": {}}, {"behavior": True}, lambda x: first(x).context is None),
    "image_size": ({"image_size": (9, 16)}, {}, lambda x: first(x).images.shape),
    "areas": ({"areas": ["LM"]}, {}, lambda x: x.unit_ids.tolist()),
    "layers": ({"layers": ["L4"]}, {}, lambda x: x.unit_ids.tolist()),
    "unit_ids": ({"unit_ids": UNITS[3:5]}, {}, lambda x: x.unit_ids.tolist()),
    "neurons": ({"neurons": 5}, {}, lambda x: first(x).responses.shape),
    "neuron_seed": ({"neurons": 5, "neuron_seed": 1}, {"neurons": 5}, lambda x: x.unit_ids.tolist()),
    "image_ids": ({"image_ids": [100, 104]}, {}, lambda x: len(x.train.dataset)),
    "training_images": ({"training_images": 7}, {}, lambda x: len(x.train.dataset)),
    "image_seed": (
        {"training_images": 7, "image_seed": 1},
        {"training_images": 7},
        lambda x: sorted(first(x).rows.tolist()),
    ),
    "folds": ({"folds": 5}, {}, lambda x: len(x.train.dataset)),
    "fold": ({"folds": 5, "fold": 1}, {"folds": 5}, lambda x: next(iter(x.validation)).rows.tolist()),
    "fold_seed": ({"folds": 5, "fold_seed": 1}, {"folds": 5}, lambda x: next(iter(x.validation)).rows.tolist()),
    "batch_size": ({"batch_size": 3}, {}, lambda x: len(first(x))),
    "cache_gib": ({"cache_gib": 0}, {}, responses_follow_the_raw_array),
}


def test_every_key_is_shown_to_have_an_effect() -> None:
    assert set(EFFECTS) == set(DataSettings.model_fields)


@pytest.mark.slow
@pytest.mark.parametrize("key", EFFECTS)
def test_a_key_has_its_effect(key: str) -> None:
    with_it, without, look = EFFECTS[key]
    assert look(striate.loaders(small_recording(), **with_it)) != look(striate.loaders(small_recording(), **without))


def test_overrides_replace_keys_of_the_settings() -> None:
    recording = small_recording()
    chosen = DataSettings(behavior=True, batch_size=4)
    assert striate.loaders(recording, chosen).settings == chosen
    assert striate.loaders(recording, chosen, batch_size=5).settings == DataSettings(behavior=True, batch_size=5)
    assert striate.loaders(recording, {"behavior": True}).settings == DataSettings(behavior=True)


@pytest.mark.parametrize(
    ("given_keys", "sentence"),
    [
        ({"batchsize": 3}, "have no key 'batchsize': did you mean 'batch_size'"),
        ({"batch_size": 0}, "batch_size = 0: should be greater than 0"),
        ({"areas": "V1"}, r"""areas = .V1.: give a list, such as \["V1"\]"""),
        ({"image_size": (36,)}, r"height and width in pixels, such as \[36, 64\]"),
        ({"image_size": "small"}, '"original"'),
        ({"areas": []}, "areas = .*at least 1"),
        ({"areas": ["V1", "V1"]}, "areas names V1 more than once"),
        ({"unit_ids": [1, 2, 1]}, "unit_ids names 1 more than once"),
        ({"unit_ids": [1], "areas": ["V1"]}, "unit_ids already says exactly .* drop areas"),
        ({"unit_ids": [1], "neurons": 1}, "drop neurons"),
        ({"image_ids": [1], "training_images": 1}, "image_ids already says exactly .* drop training_images"),
        ({"neuron_seed": 1}, "neuron_seed has an effect only where neurons"),
        ({"image_seed": 1}, "image_seed has an effect only where training_images"),
        ({"fold": 1}, "fold has an effect only where folds"),
        ({"folds": 5, "fold": 5}, "fold is 5, but 5 folds are counted from 0 to 4"),
        ({"folds": 1}, "folds = 1: should be greater than or equal to 2"),
        ({"folds": 40}, "too few for 40 folds of at least two: give data.folds of at most"),
        ({"cache_gib": -1}, "cache_gib = -1"),
        ({"behavior": "sometimes"}, "behavior = 'sometimes'"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(given_keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as refusal:
        striate.loaders(small_recording(), **given_keys)
    assert "\n" not in str(refusal.value)


def test_ids_may_be_an_array() -> None:
    recording = small_recording()
    assert striate.loaders(recording, unit_ids=recording.unit_ids[2:4]).settings.unit_ids == tuple(UNITS[2:4])


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "behavior": st.booleans(),
            "image_size": st.one_of(st.none(), st.just("original"), st.tuples(st.integers(1, 99), st.integers(1, 99))),
            "areas": st.lists(st.sampled_from(["V1", "LM", "AL"]), min_size=1, unique=True),
            "neurons": st.integers(1, 9999),
            "training_images": st.integers(1, 9999),
            "cache_gib": st.floats(0, 100),
        },
    )
)
def test_settings_survive_a_recipe(keys: dict[str, Any]) -> None:
    chosen = DataSettings(**keys)
    written = tomli_w.dumps(chosen.model_dump(exclude_none=True))
    assert DataSettings.model_validate(tomllib.loads(written)) == chosen
