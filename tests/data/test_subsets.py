"""Which neurons and training images are kept."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fixtures.recordings import small_recording

import striate
from striate.data import DataSettings, select_neurons
from striate.errors import InputError
from striate.recordings import Recording

RECORDING = small_recording(neurons=24)


def test_all_neurons_without_a_selection() -> None:
    np.testing.assert_array_equal(select_neurons(RECORDING, DataSettings()), np.arange(24))


def test_areas_and_layers_are_both_required_and_columns_ascend() -> None:
    columns = select_neurons(RECORDING, DataSettings(areas=("V1",), layers=("L4",)))
    table = RECORDING.neurons
    expected = [n for n in range(24) if table["area"][n] == "V1" and table["layer"][n] == "L4"]
    assert columns.tolist() == expected
    both = select_neurons(RECORDING, DataSettings(areas=("LM", "V1")))
    np.testing.assert_array_equal(both, np.arange(24))


def test_unit_ids_come_in_the_order_given() -> None:
    wanted = RECORDING.unit_ids[[9, 2, 17]]
    columns = select_neurons(RECORDING, DataSettings(unit_ids=wanted))
    assert columns.tolist() == [9, 2, 17]
    loaders = striate.loaders(RECORDING, unit_ids=wanted)
    np.testing.assert_array_equal(loaders.unit_ids, wanted)
    np.testing.assert_array_equal(loaders.coordinates, RECORDING.coordinates[[9, 2, 17]])
    whole = striate.loaders(RECORDING).responses("validation")
    np.testing.assert_array_equal(loaders.responses("validation"), whole[:, [9, 2, 17]])
    batch = next(iter(loaders.validation))
    np.testing.assert_array_equal(batch.responses, whole[:, [9, 2, 17]])


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 18), st.integers(1, 18), st.integers(0, 2**40))
def test_laws_of_drawing_neurons(few: int, more: int, seed: int) -> None:
    """As many as asked for, from those that are left, the same again, and fewer are a subset of more."""
    few, more = sorted((few, more))
    drawn = {
        n: select_neurons(RECORDING, DataSettings(areas=("V1",), neurons=n, neuron_seed=seed)).tolist()
        for n in (few, more)
    }
    v1 = select_neurons(RECORDING, DataSettings(areas=("V1",))).tolist()
    assert len(drawn[few]) == few
    assert drawn[few] == sorted(set(drawn[few]))
    assert set(drawn[few]) <= set(drawn[more]) <= set(v1)
    again = select_neurons(RECORDING, DataSettings(areas=("V1",), neurons=few, neuron_seed=seed))
    assert again.tolist() == drawn[few]


def test_each_recording_draws_for_itself() -> None:
    chosen = DataSettings(neurons=8)
    other = small_recording("8-1-1", neurons=24)
    assert select_neurons(RECORDING, chosen).tolist() != select_neurons(other, chosen).tolist()


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        (DataSettings(areas=("V2",)), "7-1-1 has no neurons of area 'V2': did you mean 'V1'"),
        (DataSettings(layers=("L9",)), "no neurons of layer 'L9'"),
        (DataSettings(unit_ids=(10**6,)), "unit_ids: 7-1-1 has no neuron 1000000"),
        (DataSettings(neurons=25), "25 are asked for, but there are 24"),
    ],
)
def test_what_a_recording_lacks_is_named(chosen: DataSettings, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        select_neurons(RECORDING, chosen)


def test_a_recording_that_does_not_say_the_area() -> None:
    recording = Recording("7-1-1", RECORDING.neurons.drop(columns="area"), RECORDING.trials, **RECORDING.arrays)
    with pytest.raises(InputError, match="no neurons of area 'V1': valid: unknown"):
        select_neurons(recording, DataSettings(areas=("V1",)))


def test_an_empty_intersection_is_named() -> None:
    table = RECORDING.neurons.assign(layer=np.where(RECORDING.neurons["area"] == "V1", "L2/3", "L4"))
    recording = Recording("7-1-1", table, RECORDING.trials, **RECORDING.arrays)
    with pytest.raises(InputError, match="no neurons in area V1 and layer L4"):
        select_neurons(recording, DataSettings(areas=("V1",), layers=("L4",)))


def training_images(**keys: object) -> list[int]:
    loaders = striate.loaders(RECORDING, **keys)
    rows = np.concatenate([batch.rows for batch in loaders.train])
    for tier in ("validation", "test"):  # stay whole
        assert len(loaders[tier].dataset) == RECORDING.rows(tier).size
    return sorted(RECORDING.trials["image_id"].to_numpy()[rows].tolist())


def test_training_images_by_id_and_by_number() -> None:
    assert training_images(image_ids=[105, 101]) == [101, 105]
    ten = training_images(training_images=10)
    assert len(set(ten)) == 10
    assert set(training_images(training_images=4)) < set(ten)
    assert ten != training_images(training_images=10, image_seed=1)


def test_every_trial_of_a_kept_image_is_kept() -> None:
    trials = RECORDING.trials.copy()
    train = RECORDING.rows("train")
    trials.loc[train, "image_id"] = np.arange(train.size) // 2  # every image shown twice
    recording = Recording("7-1-1", RECORDING.neurons, trials, **RECORDING.arrays)
    assert len(striate.loaders(recording, training_images=5).train.dataset) == 10


def images_of(loaders: striate.data.Loaders, tier: str) -> set[int]:
    return set(RECORDING.trials["image_id"].to_numpy()[loaders[tier].dataset.rows].tolist())


def test_folds_share_out_the_images_of_training_and_validation() -> None:
    held_out: list[int] = []
    of_tiers = striate.loaders(RECORDING)
    every = images_of(of_tiers, "train") | images_of(of_tiers, "validation")
    for fold in range(4):
        loaders = striate.loaders(RECORDING, folds=4, fold=fold)
        train, validation = images_of(loaders, "train"), images_of(loaders, "validation")
        assert train | validation == every
        assert not train & validation
        assert abs(len(validation) - len(every) / 4) < 1
        assert loaders["test"].dataset.rows.tolist() == RECORDING.rows("test").tolist()
        assert len(loaders.prediction("validation").dataset) == len(loaders.responses("validation"))
        held_out += validation
    assert sorted(held_out) == sorted(every)


def test_the_responses_of_a_fold_are_those_of_its_trials() -> None:
    loaders = striate.loaders(RECORDING, folds=4, fold=1, batch_size=1000)
    measured = next(iter(loaders.validation)).measured_responses().numpy()
    np.testing.assert_array_equal(loaders.responses("validation"), measured)


def test_only_training_images_can_be_kept_for_training() -> None:
    validation_image = int(RECORDING.trials["image_id"].to_numpy()[RECORDING.rows("validation")[0]])
    with pytest.raises(InputError, match=f"{validation_image} are not among the training images of 7-1-1"):
        striate.loaders(RECORDING, image_ids=[100, validation_image])
    with pytest.raises(InputError, match="41 are asked for, but there are 40"):
        striate.loaders(RECORDING, training_images=41)
