"""The start of a training: what is estimated from the recordings is right, and takes part in a run."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.training.small import small_recipe

import striate
from striate.data import SessionLoaders, loaders
from striate.models import Encoder, build_encoder
from striate.simulate import Simulation
from striate.training import train
from striate.training.initialisation import initialise
from striate.training.recipe import InitialisationSettings


@pytest.fixture(scope="module")
def simulated() -> Simulation:
    return striate.simulate(
        neurons=80, train=300, validation=20, test_images=4, repeats=4, image_shape=(36, 64), reliability=0.4, seed=5
    )


def untrained(simulated: Simulation) -> tuple[Encoder, SessionLoaders]:
    data = loaders([simulated.recording], image_size=[36, 64], tiers=("train", "validation"))
    torch.manual_seed(0)
    return build_encoder(small_recipe(model__core__input_kernel_size=9).model, data.coordinates, data.input_shape), data


@pytest.mark.slow
def test_positions_are_those_of_the_simulated_neurons(simulated: Simulation) -> None:
    encoder, data = untrained(simulated)
    session = simulated.recording.session

    def distance() -> float:
        """Median distance between the neurons' places on the screen and the truth, in pixels of 36 x 64."""
        pixels = encoder.receptive_field_pixels(session, simulated.recording.image_shape)
        return float(np.median(np.linalg.norm(pixels - simulated.truth.centers, axis=1)))

    drawn = distance()
    facts = initialise(encoder, data, InitialisationSettings(positions="retinotopy"), seed=0)
    # a neuron lies where the affine map says but for its own scatter, and the map is exact to about a pixel
    assert distance() < min(5, drawn / 2)
    assert facts[session]["evidence"] > 1.3 * facts[session]["evidence_elsewhere"]


def test_biases_give_the_mean_response(simulated: Simulation) -> None:
    encoder, data = untrained(simulated)
    session = simulated.recording.session
    readout = encoder.readout(session)
    initialise(encoder, data, InitialisationSettings(biases="mean"), seed=0)
    with torch.no_grad():
        readout.features.zero_()
        rates = encoder.rates(torch.randn(1, *data.input_shape), session)
    np.testing.assert_allclose(rates[0], data[session].responses("train").mean(axis=0), rtol=1e-4, atol=1e-3)


@pytest.mark.slow
def test_nothing_else_changes(simulated: Simulation) -> None:
    encoder, data = untrained(simulated)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    assert initialise(encoder, data, InitialisationSettings(), seed=0) == {}
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    initialise(encoder, data, InitialisationSettings(positions="retinotopy", biases="mean"), seed=0)
    changed = {name for name, value in encoder.state_dict().items() if not torch.equal(value, before[name])}
    assert all("position_network" in name or name.endswith(".bias") for name in changed)


@pytest.mark.slow
def test_a_run_says_what_was_estimated(simulated: Simulation, tmp_path: Path) -> None:
    recipe = small_recipe(initialisation__positions="retinotopy", schedule__max_epochs=1)
    run = train(recipe, simulated.recording, tmp_path / "run")
    assert set(run.provenance["start"]) == {simulated.recording.session}
    again = train(recipe, simulated.recording, tmp_path / "again")
    for name, value in run.encoder().state_dict().items():
        assert torch.equal(value, again.encoder().state_dict()[name])
