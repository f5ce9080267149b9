"""Truths of simulated populations."""

from tests.fuzz.targets.target import Target, bytes_of, reader_of


def _simulated() -> list[bytes]:
    from striate.simulate import simulate

    made = simulate(neurons=3, image_shape=(8, 12), train=4, validation=2, test_images=2, seed=1)
    return [bytes_of(made.truth.write, "truth.npz")]


TARGETS: dict[str, Target] = {
    "simulated-truth": Target(reader_of("striate.simulate", "SimulatedTruth.read"), "truth.npz", _simulated),
}
