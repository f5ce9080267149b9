"""Reference implementation: the same work in the straightforward way of the existing tools, rewritten for this comparison.

It uses eager PyTorch in the default memory layout, a readout that samples into a (batch, channels, neurons) tensor, files that are read
and rescaled one trial at a time, and tables whose cells are Python lists as text.
"""

import ast
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from skimage.transform import resize
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import default_collate


class Core(nn.Sequential):
    """Core of the CNN of 2022: images to feature maps."""

    def __init__(self, planes: int) -> None:
        first = [nn.Conv2d(planes, 64, 9, bias=False), nn.BatchNorm2d(64, momentum=0.9), nn.ELU()]
        blocks = []
        for _ in range(3):
            blocks += [
                nn.Conv2d(64, 64, 1, bias=False),
                nn.Conv2d(64, 64, 7, padding=3, groups=64, bias=False),
                nn.Conv2d(64, 64, 1, bias=False),
                nn.BatchNorm2d(64, momentum=0.9),
                nn.ELU(),
            ]
        super().__init__(*first, *blocks)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_normal_(module.weight)


class Readout(nn.Module):
    """Readout that samples all features of all neurons before it computes weighted sums."""

    def __init__(self, cortical: NDArray[np.float32]) -> None:
        super().__init__()
        neurons = len(cortical)
        self.cortical: Tensor
        self.register_buffer("cortical", torch.from_numpy(cortical))
        self.network = nn.Sequential(nn.Linear(2, 30), nn.ELU(), nn.Linear(30, 2), nn.Tanh())
        self.spread = nn.Parameter(torch.empty(neurons, 2, 2).uniform_(-0.1, 0.1))
        self.features = nn.Parameter(torch.full((64, neurons), 1 / 64))
        self.bias = nn.Parameter(torch.zeros(neurons))

    def forward(self, maps: Tensor, shift: Tensor | None = None) -> Tensor:
        """Return the weighted sum of the features of each neuron, (B, N)."""
        grid = self.network(self.cortical).expand(len(maps), -1, -1)
        if self.training:
            noise = torch.randn_like(grid)
            grid = (grid + torch.einsum("nij,bnj->bni", self.spread, noise)).clamp(-1, 1)
        if shift is not None:
            grid = grid + shift[:, None]
        sampled = F.grid_sample(maps, grid[:, :, None], align_corners=True)[..., 0]
        return (sampled * self.features).sum(1) + self.bias


class Encoder(nn.Module):
    """Core, readout and, if there is behaviour, shifter."""

    def __init__(self, cortical: NDArray[np.float32], planes: int) -> None:
        super().__init__()
        self.core = Core(planes)
        self.readout = Readout(cortical)
        shifter = [nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 2), nn.Tanh()]
        self.shifter = nn.Sequential(*shifter) if planes > 1 else None

    def forward(self, images: Tensor, pupil_center: Tensor | None = None) -> Tensor:
        """Return rates, (B, N)."""
        shift = self.shifter(pupil_center) if self.shifter is not None and pupil_center is not None else None
        return F.elu(self.readout(self.core(images), shift)) + 1

    def regulariser(self) -> Tensor:
        """Return the Laplacian penalty of the first layer plus the L1 penalty of the readout features."""
        weight = next(self.core.parameters())
        kernel = weight.new_tensor([[0.0, -1.0, 0.0], [-1.0, 4.0, -1.0], [0.0, -1.0, 0.0]])
        laplacian = F.conv2d(weight.reshape(-1, 1, *weight.shape[2:]), kernel[None, None], padding=1)
        return 6.3831 * laplacian.square().sum() / weight.square().sum() + 0.0076 * self.readout.features.abs().sum()


def step(
    encoder: Encoder,
    optimiser: torch.optim.Optimizer,
    images: Tensor,
    responses: Tensor,
    pupil_center: Tensor | None = None,
    trials: int = 6990,
) -> float:
    """Do a training step with the official objective, and return the loss."""
    optimiser.zero_grad()
    rates = encoder(images, pupil_center)
    loss = (rates - responses * torch.log(rates + 1e-8)).sum() * (trials / len(images)) ** 0.5
    loss = loss + encoder.regulariser()
    loss.backward()
    optimiser.step()
    return float(loss.detach())


class Trials:
    """Trials of a zip archive, which is unpacked to a folder.

    The files of a trial are read on first access and cached; the image is rescaled and standardised on every access.
    """

    VARIABLES = ("images", "responses", "behavior", "pupil_center")

    def __init__(self, archive: Path, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        with zipfile.ZipFile(archive) as file:
            file.extractall(folder)
        self.root = next(path.parent for path in folder.rglob("data"))
        self.tiers = np.load(self.root / "meta" / "trials" / "tiers.npy")
        self.statistics = {
            name: {
                value: np.load(self.root / "meta" / "statistics" / name / "all" / f"{value}.npy")
                for value in ("mean", "std")
            }
            for name in self.VARIABLES
        }
        self.cache: dict[int, dict[str, NDArray[np.generic]]] = {}

    def __getitem__(self, trial: int) -> dict[str, Tensor]:
        """Return the standardised variables of one trial."""
        if trial not in self.cache:
            self.cache[trial] = {n: np.load(self.root / "data" / n / f"{trial}.npy") for n in self.VARIABLES}
        raw, statistics = self.cache[trial], self.statistics
        image = (raw["images"] - statistics["images"]["mean"].item()) / statistics["images"]["std"].item()
        behavior = (raw["behavior"] / statistics["behavior"]["std"]).ravel()
        pupil = (raw["pupil_center"] - statistics["pupil_center"]["mean"]) / statistics["pupil_center"]["std"]
        planes = np.ones((3, *image.shape[1:])) * behavior[:, None, None]
        # behaviour planes are added before rescaling, as in the baselines of 2022
        stacked = np.concatenate([image, planes])
        small = (4, 36, 64)
        values = {
            "images": resize(stacked, small, order=1, mode="reflect", preserve_range=True, anti_aliasing=False),
            "responses": (raw["responses"] / statistics["responses"]["std"]).ravel(),
            "pupil_center": pupil.ravel(),
        }
        return {name: torch.from_numpy(array.astype(np.float32)) for name, array in values.items()}

    def batches(self, tier: str = "train", size: int = 128) -> Iterator[dict[str, Tensor]]:
        """Yield the shuffled batches of an epoch."""
        rows = np.random.default_rng(0).permutation(np.flatnonzero(self.tiers == tier))
        for start in range(0, len(rows), size):
            yield default_collate([self[int(row)] for row in rows[start : start + size]])


def write_csv(path: Path, trial_idx: list[str], image_ids: list[int], values: NDArray[np.float32], column: str) -> None:
    """Write a CSV of 2022, with a row for each trial and lists as text."""
    neurons = list(range(1, values.shape[1] + 1))
    rows = {
        "trial_indices": trial_idx,
        "image_ids": image_ids,
        column: [row.tolist() for row in values],
        "neuron_ids": [neurons] * len(values),
    }
    pd.DataFrame(rows).to_csv(path, index=False)


def score_csv(submission: Path, truth: Path) -> dict[str, float]:
    """Read both tables cell by cell, and compute the three metrics neuron by neuron."""
    tables = [pd.read_csv(path) for path in (submission, truth)]
    predictions = np.array([ast.literal_eval(cell) for cell in tables[0]["prediction"]])
    responses = np.array([ast.literal_eval(cell) for cell in tables[1]["responses"]])
    images = tables[1]["image_ids"].to_numpy()
    single, average, feve = [], [], []
    groups = [np.flatnonzero(images == image) for image in np.unique(images)]
    for n in range(responses.shape[1]):
        r, p = responses[:, n], predictions[:, n]
        single.append(np.corrcoef(r, p)[0, 1])
        means = np.array([(r[g].mean(), p[g].mean()) for g in groups])
        average.append(np.corrcoef(means[:, 0], means[:, 1])[0, 1])
        noise = np.mean([r[g].var(ddof=1) for g in groups])
        explainable = r.var(ddof=1) - noise
        if explainable / r.var(ddof=1) > 0.15:
            feve.append(1 - (((r - p) ** 2).mean() - noise) / explainable)
    return {
        "single_trial_correlation": float(np.nanmean(single)),
        "correlation_to_average": float(np.nanmean(average)),
        "feve": float(np.mean(feve)),
    }
