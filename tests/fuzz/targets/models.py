"""Weights."""

import numpy as np

from tests.fuzz.targets.target import Target, bytes_of, reader_of


def encoder() -> object:
    from striate.models import EncoderSettings, build_encoder

    core = {"layers": 2, "channels": 3, "input_kernel_size": 5, "hidden_kernel_size": 3}
    positions = {"5-1-1": np.random.default_rng(0).uniform(size=(5, 3))}
    return build_encoder(EncoderSettings.model_validate({"core": core}), positions, (1, 18, 32))


def _weights() -> list[bytes]:
    from striate.models import save

    return [bytes_of(lambda path: save(encoder(), path), "weights.safetensors")]  # type: ignore[arg-type]


def _published() -> list[bytes]:
    import torch

    from tests.models.test_serialisation import published_state

    return [bytes_of(lambda path: torch.save(published_state(), path), "a.pth")]


TARGETS: dict[str, Target] = {
    "weights": Target(reader_of("striate.models", "load"), "weights.safetensors", _weights),
    "published-weights": Target(reader_of("striate.models.published", "load"), "a.pth", _published),
}
