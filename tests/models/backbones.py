"""Small networks that stand for those of timm and torchvision."""

import torch
from torch import Tensor, nn


class SmallResNet(nn.Module):
    """A stem, two stages with shortcuts, and a head."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 5, stride=2, padding=2), nn.BatchNorm2d(width), nn.ReLU())
        self.layer1 = Stage(width, width, 1)
        self.layer2 = Stage(width, 2 * width, 2)
        self.head = nn.Linear(2 * width, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.layer2(self.layer1(self.stem(images))).mean(dim=(2, 3)))


class Stage(nn.Module):
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride=stride, padding=1)
        self.norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, padding=1)
        self.shortcut = nn.Conv2d(before, after, 1, stride=stride)

    def forward(self, maps: Tensor) -> Tensor:
        change = self.second(torch.relu(self.norm(self.first(maps))))
        return torch.relu(change + self.shortcut(maps))


class OtherResNet(SmallResNet):
    def __init__(self, width: int = 4) -> None:
        super().__init__(width + 2)


class SmallTransformer(nn.Module):
    """Patches, a class token, one block of attention, and a head; with layers that are never called by themselves."""

    def __init__(self, patch: int = 4, width: int = 8) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, width, patch, stride=patch)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.blocks = nn.ModuleList(nn.TransformerEncoderLayer(width, 2, 16, 0.0, batch_first=True) for _ in range(2))
        self.head = nn.Linear(width, 10)

    def forward(self, images: Tensor) -> Tensor:
        patches = self.embed(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(images), -1, -1), patches], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(tokens[:, 0])


class OtherTransformer(SmallTransformer):
    def __init__(self, patch: int = 4, width: int = 8) -> None:
        super().__init__(patch, 2 * width)


def number() -> int:
    return 3
