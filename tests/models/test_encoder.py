"""The encoder: rates for several recordings, published outputs, transfer, receptive fields."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fixtures.recordings import small_recording

from striate.data import loaders
from striate.errors import InputError
from striate.models import Encoder, EncoderSettings, build_encoder, published
from striate.models import encoder as encoder_module
from striate.models.kernels import use_backend

SMALL = {"core": {"channels": 4, "layers": 2}}
NEURONS = {"1-1-1": np.random.default_rng(0).normal(size=(6, 3)), "2-1-1": np.random.default_rng(1).normal(size=(4, 3))}


def encoder(shifter: bool = False, planes: int = 1, neurons: dict[str, np.ndarray] | None = None) -> Encoder:
    torch.manual_seed(0)
    return build_encoder(
        EncoderSettings.model_validate(SMALL | {"shifter": shifter}), neurons or NEURONS, (planes, 36, 64)
    )


def images(count: int = 3, planes: int = 1) -> torch.Tensor:
    return torch.randn(count, planes, 36, 64, generator=torch.Generator().manual_seed(5))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sensorium_sota_model", "sensorium_p_sota_model"])
def test_published_weights_give_the_published_outputs(shared: Path, name: str) -> None:
    model = published.load(shared / "published" / f"{name}.pth")
    golden = np.load(shared / "published" / f"golden_{name}.npz", allow_pickle=False)
    with torch.no_grad():
        rates = model.rates(
            torch.from_numpy(golden["inputs"]), str(golden["session"]), torch.from_numpy(golden["pupil_center"])
        )
    assert np.abs(rates.numpy() - golden["outputs"]).max() < 1e-4
    assert np.ptp(golden["outputs"]) > 1


def test_published_positions_are_ours_of_the_same_cortex(shared: Path) -> None:
    model = published.load(shared / "published" / "sensorium_sota_model.pth")
    positions = model.readout(model.sessions[0]).cortical_positions
    assert positions.abs().max() == 1
    torch.testing.assert_close(positions.mean(dim=0), torch.zeros(2), atol=1e-6, rtol=0)


def test_rates_of_every_recording() -> None:
    model = encoder().eval()
    assert model.sessions == tuple(NEURONS)
    for session, coordinates in NEURONS.items():
        with torch.no_grad():
            rates = model.rates(10 * images(), session)
        assert rates.shape == (3, len(coordinates))
        assert rates.min() >= 0
        assert model.neurons(session) == len(coordinates)


@pytest.mark.parametrize("session", ["keys", "pop", "train", "forward", "type", "27204-5-13", "a_b"])
def test_a_session_may_have_any_name(session: str) -> None:
    model = encoder(shifter=True, neurons={session: NEURONS["1-1-1"]})
    assert model.sessions == (session,)
    assert model.rates(images(), session, torch.zeros(3, 2)).shape == (3, 6)


def test_a_batch_carries_all_that_it_needs() -> None:
    recording = small_recording()
    data = loaders(recording, behavior=True, pupil_center=True, image_size="original", batch_size=8)
    torch.manual_seed(0)
    model = build_encoder(
        EncoderSettings.model_validate(SMALL | {"shifter": True}),
        {recording.session: data.coordinates},
        data.input_shape,
    ).eval()
    batch = next(iter(data.train))
    assert torch.equal(model(batch), model.rates(batch.images, batch.session, batch.pupil_center))
    assert not torch.equal(model(batch), model.rates(batch.images, batch.session, -batch.pupil_center))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((images(planes=4), "1-1-1"), r"shape \(3, 4, 36, 64\); this encoder needs \(batch, 1, 36, 64\)"),
        ((images()[0], "1-1-1"), "shape"),
        ((images(), "1-1-2"), r"no readout for recording '1-1-2': did you mean '1-1-1'"),
    ],
)
def test_what_cannot_be_predicted(arguments: tuple[torch.Tensor, str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        encoder().rates(*arguments)


def test_a_shifter_needs_the_eye() -> None:
    model = encoder(shifter=True)
    with pytest.raises(InputError, match="needs pupil_center"):
        model.rates(images(), "1-1-1")
    with pytest.raises(InputError, match=r"expected \(3, 2\)"):
        model.rates(images(), "1-1-1", torch.zeros(2, 2))


def test_no_recordings_make_no_encoder() -> None:
    with pytest.raises(InputError, match="at least one recording"):
        build_encoder(EncoderSettings(), {}, (1, 36, 64))


def test_the_penalty_is_that_of_one_recording() -> None:
    model = encoder()
    expected = model.core.regulariser() + model.readout("2-1-1").regulariser()
    assert model.regulariser("2-1-1") == expected
    assert model.regulariser("1-1-1") > expected  # more neurons


def test_the_same_seed_makes_the_same_encoder() -> None:
    a, b = encoder(shifter=True).state_dict(), encoder(shifter=True).state_dict()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_transfer_takes_the_core_and_freezes_it() -> None:
    old = encoder()
    new = old.transfer({"9-9-9": NEURONS["1-1-1"]})
    assert new.sessions == ("9-9-9",)
    assert all(
        torch.equal(a, b) for a, b in zip(old.core.state_dict().values(), new.core.state_dict().values(), strict=True)
    )
    before = {name: value.clone() for name, value in new.core.state_dict().items()}
    optimiser = torch.optim.Adam([p for p in new.parameters() if p.requires_grad], lr=0.1)
    new.train()
    features = new.readout("9-9-9").features.detach().clone()
    (new.rates(images(), "9-9-9").sum() + new.regulariser("9-9-9")).backward()
    optimiser.step()
    assert all(torch.equal(value, before[name]) for name, value in new.core.state_dict().items())
    assert not torch.equal(features, new.readout("9-9-9").features)
    assert new.core.regulariser() == 0
    assert all(p.requires_grad for p in old.core.parameters()), "the old encoder is left as it was"


def test_pixels_of_receptive_fields_are_where_the_image_matters() -> None:
    """A core of one layer that copies the middle of its kernel: each neuron sees the pixels about its position."""
    settings = EncoderSettings.model_validate({"core": {"layers": 1, "channels": 1, "nonlinear": False}})
    torch.manual_seed(3)
    model = build_encoder(settings, {"1-1-1": np.random.default_rng(3).normal(size=(8, 2))}, (1, 36, 64)).eval()
    with torch.no_grad():
        weight = model.core.layers[0].get_parameter("convolution.weight")
        weight.zero_()
        weight[0, 0, 4, 4] = 1
        model.readout("1-1-1").position_network[2].weight.mul_(4)
    pixels = model.receptive_field_pixels("1-1-1", screen=(36, 64))
    for neuron, (column, row) in enumerate(pixels):
        stimulus = torch.zeros(1, 1, 36, 64, requires_grad=True)
        model.rates(stimulus, "1-1-1")[0, neuron].backward()
        weights = stimulus.grad[0, 0].numpy()
        weights = weights / weights.sum()
        assert (weights * np.arange(64)).sum() == pytest.approx(column, abs=1e-3)
        assert (weights * np.arange(36)[:, None]).sum() == pytest.approx(row, abs=1e-3)
    # on a screen four times as fine, a pixel's middle is the middle of sixteen
    np.testing.assert_allclose(model.receptive_field_pixels("1-1-1"), 4 * pixels + 1.5)
    assert np.abs(model.receptive_field_positions("1-1-1")).max() <= 1


@pytest.mark.parametrize("shifter", [True, False])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_predicting_a_few_images_at_a_time_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, shifter: bool, count: int
) -> None:
    model, pupils = encoder(shifter=shifter).eval(), torch.randn(count, 2, generator=torch.Generator().manual_seed(6))
    with torch.no_grad(), use_backend("reference"):
        expected = model.rates(images(count), "1-1-1", pupils)
    seen: list[int] = []
    model.core.register_forward_hook(lambda core, given, maps: seen.append(len(maps)))
    monkeypatch.setattr(encoder_module, "_CACHE_BYTES", 3 * 4 * 4 * 28 * 56)  # three images of four channels
    with torch.no_grad():
        rates = model.rates(images(count), "1-1-1", pupils)
    assert max(seen) <= 3
    assert sum(seen) == count
    torch.testing.assert_close(rates, expected, rtol=1e-5, atol=1e-6)
    seen.clear()
    differentiable = model.rates(images(count), "1-1-1", pupils)
    assert seen == [count]
    torch.testing.assert_close(differentiable.detach(), expected, rtol=1e-5, atol=1e-6)


def test_floats_of_another_type_and_empty_batches() -> None:
    """NumPy's numbers are float64, and a choice of trials may be empty."""
    model, pupils = encoder(shifter=True).eval(), torch.randn(3, 2, generator=torch.Generator().manual_seed(6))
    expected = model.rates(images(), "1-1-1", pupils)
    stimulus = images().double().requires_grad_()
    rates = model.rates(stimulus, "1-1-1", pupils.double())
    torch.testing.assert_close(rates, expected, rtol=0, atol=0)
    rates.sum().backward()
    assert stimulus.grad.dtype == torch.float64
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model.rates(images(), "1-1-1", pupils).isfinite().all()
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            assert model.rates(images(0), "1-1-1", pupils[:0]).shape == (0, 6)


def test_function_transforms_of_pytorch_work_on_an_encoder() -> None:
    """jacrev and vmap agree with ordinary gradients."""
    model = encoder().eval()
    images = torch.randn(3, 1, 36, 64)

    def rate(image: torch.Tensor) -> torch.Tensor:
        return model.rates(image[None], model.sessions[0])[0]

    jacobian = torch.func.jacrev(rate)(images[0])
    each = torch.func.vmap(torch.func.grad(lambda image: rate(image)[1]))(images)
    for index, image in enumerate(images):
        leaf = image.clone().requires_grad_()
        (expected,) = torch.autograd.grad(rate(leaf)[1], leaf)
        torch.testing.assert_close(each[index], expected, atol=1e-5, rtol=1e-3)
        if index == 0:
            torch.testing.assert_close(jacobian[1], expected, atol=1e-5, rtol=1e-3)
