"""Benchmark cases: each prepares the same work for two implementations, and returns a function to be timed.

The function of a case takes the name of the implementation, "reference" or "striate". It runs in a separate process, so that the
implementations share neither memory nor threads.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks import data

Work = Callable[[], Any]
_resources = ExitStack()  # open until the process ends


@dataclass(frozen=True)
class Case:
    """A comparison of two implementations of the same work.

    Attributes
    ----------
    name
        Name on the command line.
    title
        Description in the table.
    prepare
        Function that takes the name of an implementation, and returns the work to be timed.
    repeats
        Number of timed repeats in each process, after one warm-up; 0 times a single run without warm-up.
    target
        Smallest acceptable ratio of the times of reference and striate.
    limit
        Largest acceptable time of striate in seconds on two cores; None for no limit.
    """

    name: str
    title: str
    prepare: Callable[[str], Work]
    repeats: int
    target: float | None = None
    limit: float | None = None


def _cortex(neurons: int) -> Any:
    return np.random.default_rng(0).uniform(-1, 1, (neurons, 2)).astype(np.float32)


def _encoder(implementation: str, neurons: int, planes: int = 1) -> Any:
    import torch

    torch.manual_seed(0)
    if implementation == "reference":
        from benchmarks.reference import Encoder

        return Encoder(_cortex(neurons), planes)
    from striate.models import build_encoder
    from striate.models.kernels import freed_memory_kept
    from striate.training import load_recipe

    _resources.enter_context(freed_memory_kept())  # as in striate.train and striate.predict
    recipe = load_recipe("cnn-2022" if planes == 1 else "cnn-2022-behavior")
    return build_encoder(recipe.model, {"mouse": _cortex(neurons)}, (planes, 36, 64))


def training_step(implementation: str, neurons: int = data.NEURONS) -> Work:
    """Return a training step: forward pass, backward pass and Adam update."""
    import torch

    encoder = _encoder(implementation, neurons).train()
    optimiser = torch.optim.Adam(encoder.parameters(), lr=0.001)
    images, responses = torch.randn(data.BATCH, 1, 36, 64), torch.rand(data.BATCH, neurons)
    if implementation == "reference":
        from benchmarks.reference import step

        return partial(step, encoder, optimiser, images, responses)
    from striate.training.losses import batch_weight, poisson

    def step_() -> float:
        optimiser.zero_grad()
        loss = poisson(encoder.rates(images, "mouse"), responses).sum() * batch_weight(6990, data.BATCH)
        loss = loss + encoder.regulariser("mouse")
        loss.backward()
        optimiser.step()
        return float(loss.detach())

    return step_


def inference(implementation: str) -> Work:
    """Return the prediction of one batch in evaluation mode."""
    import torch

    encoder = _encoder(implementation, data.NEURONS).eval()
    images = torch.randn(data.BATCH, 1, 36, 64)

    @torch.inference_mode()
    def predict() -> Any:
        return encoder(images) if implementation == "reference" else encoder.rates(images, "mouse")

    return predict


def readout(implementation: str) -> Work:
    """Return the forward and backward pass of the readout."""
    import torch
    from torch.nn import functional as F

    from striate.models.kernels import sample_and_project

    maps = torch.randn(128, 64, 28, 56)
    if implementation == "striate":
        maps = maps.contiguous(memory_format=torch.channels_last)
    maps.requires_grad_()
    positions = (0.4 * torch.randn(128, data.NEURONS, 2)).clamp(-1, 1).requires_grad_()
    features, bias = torch.randn(data.NEURONS, 64, requires_grad=True), torch.zeros(data.NEURONS)

    def run() -> None:
        for tensor in (maps, positions, features):
            tensor.grad = None
        if implementation == "reference":
            sampled = F.grid_sample(maps, positions[:, :, None], align_corners=True)[..., 0]
            value = (sampled * features.T).sum(1) + bias
        else:
            value = sample_and_project(maps, positions, features, bias)
        value.sum().backward()

    return run


def first_epoch(implementation: str) -> Work:
    """Return opening an archive and reading the batches of the first epoch."""
    archive = data.mouse()
    place = data.scratch("first-epoch")
    shutil.rmtree(place)
    os.sync()  # the disk must not be busy with files of the other implementation
    os.environ["STRIATE_CACHE"] = str(place / "cache")

    def run() -> int:
        if implementation == "reference":
            from benchmarks.reference import Trials

            return sum(len(batch["images"]) for batch in Trials(archive, place / "files").batches())
        import striate

        loaders = striate.loaders(
            striate.open(archive), behavior=True, pupil_center=True, batch_size=128, tiers=("train",)
        )
        return sum(len(batch) for batch in loaders.train)

    import striate.data  # noqa: F401 - so that imports are not timed

    return run


def later_epoch(implementation: str) -> Work:
    """Return reading the batches of a later epoch."""
    archive = data.mouse()
    if implementation == "reference":
        from benchmarks.reference import Trials

        trials = Trials(archive, data.scratch("later-epoch") / "files")
        run = lambda: sum(len(batch["images"]) for batch in trials.batches())  # noqa: E731
        run()
        return run
    import striate

    loaders = striate.loaders(striate.open(archive), behavior=True, pupil_center=True, batch_size=128, tiers=("train",))
    return lambda: sum(len(batch) for batch in loaders.train)


def _tables() -> tuple[Any, Any, Any]:
    """Return a submission and a truth of 1,000 trials of 100 images, and their folder with files in all formats."""
    from striate.submissions import Submission, Truth
    from striate.submissions.formats import sensorium_csv

    folder = data.scratch("tables")
    random = np.random.default_rng(0)
    images = np.repeat(np.arange(100), 10)
    rates = random.gamma(2, 0.5, (100, data.NEURONS))[images]
    responses = random.gamma(1, rates).astype(np.float32)
    keys = {
        "unit_ids": np.arange(1, data.NEURONS + 1),
        "tier": np.full(1000, "test"),
        "trial_idx": np.array([f"{i:064x}" for i in range(1000)]),
        "image_id": images,
    }
    truth = Truth(session="27204-5-13", responses=responses, **keys)
    submission = Submission(
        session="27204-5-13", track="sensorium", protocol="image", predictions=rates.astype(np.float32), **keys
    )
    if not (folder / "submission.parquet").exists():
        sensorium_csv.write(submission, folder, overwrite=True)
        sensorium_csv.write_truth(truth, folder, overwrite=True)
        truth.write(folder / "truth.parquet", overwrite=True)
        submission.write(folder / "submission.parquet", overwrite=True)
    return folder, submission, truth


def score_csv(implementation: str) -> Work:
    """Return reading and scoring CSVs of 2022 in a new process, including imports."""
    folder, _, _ = _tables()
    submission, truth = folder / "submission_file_live_test.csv", folder / "ground_truth_file_test.csv"
    import subprocess
    import sys

    code = f"from benchmarks.reference import score_csv; from pathlib import Path; score_csv(Path({str(submission)!r}), Path({str(truth)!r}))"
    command = [sys.executable, "-c", code]
    if implementation == "striate":
        command = [sys.executable, "-m", "striate", "score", str(submission), str(truth), "--bootstrap", "0", "--json"]
    return lambda: subprocess.run(command, check=True, capture_output=True)


def score_native(implementation: str) -> Work:
    """Return reading and scoring native files in a running process."""
    folder, _, _ = _tables()
    if implementation == "reference":
        from benchmarks.reference import score_csv as reference_score

        return partial(reference_score, folder / "submission_file_live_test.csv", folder / "ground_truth_file_test.csv")
    from striate.submissions import score

    return partial(score, folder / "submission.parquet", folder / "truth.parquet", bootstrap=0)


def write_submission(implementation: str) -> Work:
    """Return writing a submission: a native file by striate, a CSV of 2022 by the reference."""
    folder, submission, _ = _tables()
    if implementation == "reference":
        from benchmarks.reference import write_csv

        arguments = (submission.trial_idx.tolist(), submission.image_id.tolist(), submission.predictions, "prediction")
        return partial(write_csv, folder / "plain.csv", *arguments)
    return partial(submission.write, folder / "again.parquet", overwrite=True)


def fetch(implementation: str) -> Work:
    """Return fetching and verifying four files of 256 MB from a local server; the reference is curl and sha256sum."""
    import subprocess
    import sys

    folder = data.scratch("fetch")
    files, address, settings = data.served_files(folder)
    if implementation == "reference":
        to = folder / "plain"
        to.mkdir(exist_ok=True)
        parts = [part for name in files for part in ("-o", to / name, f"{address}{name}")]
        curl = ["curl", "--silent", "--fail", *map(str, parts)]
        check = ["sha256sum", "--check", "--quiet", str(folder / "files" / "SHA256SUMS")]

        def run_reference() -> None:
            shutil.rmtree(to)
            to.mkdir()
            subprocess.run(curl, check=True)
            subprocess.run(check, check=True, cwd=to)

        return run_reference
    to = folder / "fetched"
    command = [sys.executable, "-m", "striate", "fetch", "served", "--to", str(to), "--accept-licence", "--quiet"]

    def run_striate() -> None:
        shutil.rmtree(to, ignore_errors=True)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "STRIATE_SETTINGS": settings})

    return run_striate


CASES = {
    case.name: case
    for case in (
        Case("step", "training step, CNN, batch 128", training_step, 5, 4, 1.6),
        Case("inference", "inference, batch 128", inference, 5, 8, 0.3),
        Case("readout", "readout alone, forward and backward", readout, 5),
        Case("first-epoch", "zip → packed → end of the first epoch of batches", first_epoch, 0, 5),
        Case("later-epoch", "a later epoch of batches", later_epoch, 3, 25),
        Case("score-csv", "read two CSVs of 2022 and score, new process", score_csv, 0, 40),
        Case("score-native", "read a native submission and truth and score", score_native, 3, None, 0.35),
        Case("fetch", "fetch 1 GB from this machine, verified (reference: curl, sha256sum)", fetch, 3, 1 / 1.3),
        Case("write-submission", "write a native submission (reference: CSV)", write_submission, 1, 20),
    )
}
