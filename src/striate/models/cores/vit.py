"""Vision transformer on image patches, in which behaviour can enter every block: V1T and the spatial half of ViV1T."""

from typing import Annotated, ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from striate.models.cores.base import Core, CoreSettings
from striate.models.cores.building_blocks import check_kernel, drop_path, drop_path_probabilities
from striate.models.geometry import FeatureMaps, MapGeometry
from striate.models.inputs import ModelInputs
from striate.models.penalties import no_penalty
from striate.registry import cores

Fraction = Annotated[float, Field(ge=0, lt=1)]


class ViTSettings(CoreSettings):
    """Settings of the core ``vit``. The defaults are those of V1T, but for the stride: V1T has 1, at 14 times the cost.

    Attributes
    ----------
    patch_size
        Height and width of the patches, in pixels of the rescaled image.
    stride
        Distance between neighbouring patches, in pixels.
    shifted_patches
        Whether each patch is seen together with the four patches half a patch away along the diagonals (shifted patch tokenisation).
    patch_norm
        Whether layer normalisation precedes and follows the embedding of patches (dual layer normalisation).
    channels
        Width of the tokens, which is the number of feature maps.
    blocks
        Number of transformer blocks.
    heads
        Number of attention heads.
    head_channels
        Width of the queries, keys and values of each head.
    mlp_channels
        Width of the hidden layer of the MLP of each block.
    parallel
        Whether attention and MLP of a block are computed beside each other, from the same normalised tokens, instead of one after
        the other.
    local_attention
        Whether tokens do not attend to themselves, with a learnt temperature (locality self-attention).
    class_token
        Whether a learnt token that is no patch takes part, as in V1T. Readouts do not see it.
    register_tokens
        Number of further learnt tokens that are no patches, as in ViV1T.
    behavior
        Whether behaviour enters each block: a small MLP of it is added to all tokens. Recipes then need ``data.behavior``.
    pupil_center
        Whether the eye position enters each block, by the same MLP, as in V1T. Recipes then need ``data.pupil_center``.
    patch_dropout
        Dropout of the embedded patches.
    dropout
        Dropout within the blocks.
    drop_path
        Probability that the last block is left out for an image, in training; it increases linearly over the blocks.
    l1_weight
        Weight of the L1 penalty on all weights of the core.
    checkpoint
        Whether the backward pass computes the blocks again instead of keeping their values, which saves memory.

    Examples
    --------
    >>> ViTSettings(stride=2).channels
    155
    """

    training_only: ClassVar[frozenset[str]] = frozenset(
        {"patch_dropout", "dropout", "drop_path", "l1_weight", "checkpoint"}
    )

    patch_size: Annotated[int, Field(ge=1)] = 8
    stride: Annotated[int, Field(ge=1)] = 4
    shifted_patches: bool = False
    patch_norm: bool = False
    channels: Annotated[int, Field(ge=1, le=8192)] = 155
    blocks: Annotated[int, Field(ge=1, le=64)] = 4
    heads: Annotated[int, Field(ge=1, le=64)] = 4
    head_channels: Annotated[int, Field(ge=1, le=8192)] = 155
    mlp_channels: Annotated[int, Field(ge=1, le=65536)] = 488
    parallel: bool = False
    local_attention: bool = False
    class_token: bool = True
    register_tokens: Annotated[int, Field(ge=0, le=1024)] = 0
    behavior: bool = False
    pupil_center: bool = False
    patch_dropout: Fraction = 0.0229
    dropout: Fraction = 0.2544
    drop_path: Fraction = 0.0
    l1_weight: Annotated[float, Field(ge=0)] = 0.5379
    checkpoint: bool = False

    @model_validator(mode="after")
    def _shifts_are_whole(self) -> Self:
        if self.shifted_patches and self.patch_size % 2:
            raise ValueError(
                f"patch_size = {self.patch_size} is odd, and shifted patches move by half of it: use an even one"
            )
        return self

    @property
    def uses_behavior(self) -> bool:
        """Whether behaviour enters the blocks."""
        return self.behavior

    @property
    def uses_pupil_center(self) -> bool:
        """Whether the eye position enters the blocks."""
        return self.pupil_center

    def check_image_size(self, height: int, width: int) -> None:
        """Raise `InputError` if the patches are larger than the images."""
        check_kernel("patch_size", self.patch_size, height, width)


class PatchEmbedding(nn.Module):
    """From images, (B, C, height, width), to tokens, (B, L, D): learnt tokens first, then the patches row by row."""

    def __init__(self, settings: ViTSettings, channels: int, patches: int) -> None:
        super().__init__()
        self.shift = settings.patch_size // 2 if settings.shifted_patches else 0
        seen = channels * (5 if self.shift else 1)
        size, width = settings.patch_size, settings.channels
        self.unfold = nn.Unfold(size, stride=settings.stride)
        entries = seen * size * size
        self.before = nn.LayerNorm(entries) if settings.patch_norm or self.shift else nn.Identity()
        self.linear = nn.Linear(entries, width)
        self.after = nn.LayerNorm(width) if settings.patch_norm else nn.Identity()
        self.learnt = nn.Parameter(torch.randn(settings.class_token + settings.register_tokens, width))
        self.positions = nn.Parameter(torch.randn(len(self.learnt) + patches, width))
        self.dropout = nn.Dropout(settings.patch_dropout)

    def forward(self, images: Tensor) -> Tensor:
        """Embed patches, and add positions."""
        if self.shift:
            s = self.shift
            padded = F.pad(images, (s, s, s, s))
            height, width = images.shape[2:]
            corners = [(0, 0), (0, 2 * s), (2 * s, 0), (2 * s, 2 * s)]
            images = torch.cat([images, *(padded[..., i : i + height, j : j + width] for i, j in corners)], dim=1)
        patches = self.after(self.linear(self.before(self.unfold(images).transpose(1, 2))))
        tokens = torch.cat([self.learnt.expand(len(images), -1, -1), patches], dim=1)
        embedded: Tensor = self.dropout(tokens + self.positions)
        return embedded


class Attention(nn.Module):
    """Multi-head self-attention, whose heads may each be as wide as the tokens."""

    def __init__(self, settings: ViTSettings) -> None:
        super().__init__()
        self.heads, self.dropout = settings.heads, settings.dropout
        inner = settings.heads * settings.head_channels
        self.project_in = nn.Linear(settings.channels, 3 * inner, bias=False)
        self.project_out = nn.Linear(inner, settings.channels)
        self.temperature = (
            nn.Parameter(torch.tensor(float(settings.head_channels) ** -0.5)) if settings.local_attention else None
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Let tokens, (B, L, D), attend to each other."""
        batch, length, _ = tokens.shape
        parts = self.project_in(tokens).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind()
        dropout = self.dropout if self.training else 0.0
        if self.temperature is None:
            found = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        else:
            diagonal = torch.eye(length, dtype=torch.bool, device=tokens.device)
            mask = torch.zeros(length, length, dtype=tokens.dtype, device=tokens.device)
            mask = mask.masked_fill(diagonal, torch.finfo(tokens.dtype).min)
            found = F.scaled_dot_product_attention(
                query * self.temperature, key, value, attn_mask=mask, dropout_p=dropout, scale=1.0
            )
        projected = self.project_out(found.transpose(1, 2).reshape(batch, length, -1))
        return F.dropout(projected, self.dropout, self.training)


class Block(nn.Module):
    """A transformer block: an MLP of the animal's state is added to the tokens, then come attention and MLP, each with a residual connection."""

    def __init__(self, settings: ViTSettings, state_size: int, drop_probability: float) -> None:
        super().__init__()
        width = settings.channels
        self.parallel, self.drop_path = settings.parallel, drop_probability
        self.state = None
        if state_size:
            hidden = max(1, width // 2)
            self.state = nn.Sequential(nn.Linear(state_size, hidden), nn.Tanh(), nn.Linear(hidden, width), nn.Tanh())
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(settings)
        self.mlp_norm = nn.Identity() if settings.parallel else nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, settings.mlp_channels),
            nn.GELU(),
            nn.Dropout(settings.dropout),
            nn.Linear(settings.mlp_channels, width),
            nn.Dropout(settings.dropout),
        )

    def forward(self, tokens: Tensor, state: Tensor | None) -> Tensor:
        """Transform tokens, (B, L, D), with behaviour and eye position, (B, K)."""
        if self.state is not None:
            tokens = tokens + self.state(state)[:, None]
        normalised = self.attention_norm(tokens)
        if self.parallel:
            return tokens + self._kept(self.attention(normalised) + self.mlp(normalised))
        tokens = tokens + self._kept(self.attention(normalised))
        return tokens + self._kept(self.mlp(self.mlp_norm(tokens)))

    def _kept(self, change: Tensor) -> Tensor:
        return drop_path(change, self.drop_path) if self.training else change


@cores.register("vit", settings=ViTSettings)
class ViTCore(Core):
    """Vision transformer whose patch tokens are the locations of the feature maps.

    V1T [1]_ is ``ViTSettings(stride=1, behavior=True, pupil_center=True)``: 1,653 patches, four blocks with four heads that are each as wide as the
    tokens, layer normalisation before each part, and an MLP of behaviour and eye position in each block. Register tokens and parallel attention are
    those of ViV1T [2]_.

    Parameters
    ----------
    settings
        Settings of the core.
    inputs
        Shapes of the inputs.

    Raises
    ------
    InputError
        If the patches are larger than the images.

    References
    ----------
    .. [1] Li et al. (2023), V1T: large-scale mouse V1 response prediction using a Vision Transformer, TMLR.
    .. [2] Li et al. (2025), Movie-trained transformer reveals novel response properties to dynamic stimuli in mouse visual cortex, bioRxiv.

    Examples
    --------
    >>> core = ViTCore(ViTSettings(blocks=1, channels=16), ModelInputs((1, 36, 64)))
    >>> core(torch.zeros(3, 1, 36, 64)).shape
    torch.Size([3, 16, 8, 15])
    """

    settings: ViTSettings

    def __init__(self, settings: ViTSettings, inputs: ModelInputs) -> None:
        super().__init__(settings, inputs)
        channels, height, width = inputs.image_shape
        settings.check_image_size(height, width)
        rows, columns = self._grid.shape
        self.embedding = PatchEmbedding(settings, channels, rows * columns)
        probabilities = drop_path_probabilities(settings.drop_path, settings.blocks)
        state_size = inputs.behavior_size * settings.behavior + 2 * settings.pupil_center
        self.blocks = nn.ModuleList(Block(settings, state_size, each) for each in probabilities)

    @property
    def channels(self) -> int:
        """Width of the tokens."""
        return self.settings.channels

    @property
    def _grid(self) -> MapGeometry:
        """Geometry of the patches."""
        image = MapGeometry.identity(*self.inputs.image_shape[1:])
        return image.convolved(self.settings.patch_size, stride=self.settings.stride)

    @property
    def geometry(self) -> MapGeometry:
        """Where the patches lie; by attention each location sees the whole image."""
        return self._grid.of_whole_image(*self.inputs.image_shape[1:])

    @property
    def depths(self) -> tuple[FeatureMaps, ...]:
        """The patch tokens after each block."""
        return (FeatureMaps(self.channels, self.geometry),) * self.settings.blocks

    def forward(self, images: Tensor, behavior: Tensor | None = None, pupil_center: Tensor | None = None) -> Tensor:
        """Compute the feature maps, (B, channels, H, W), from standardised inputs, (B, C, height, width), and the animal's state."""
        tokens, state = self.embedding(images), self._state(behavior, pupil_center)
        for block in self.blocks:
            tokens = self._after(block, tokens, state)
        return self._as_maps(tokens)

    def depth_maps(
        self, images: Tensor, behavior: Tensor | None = None, pupil_center: Tensor | None = None
    ) -> list[Tensor]:
        """Compute the feature maps of each block."""
        tokens, state = [self.embedding(images)], self._state(behavior, pupil_center)
        for block in self.blocks:
            tokens.append(self._after(block, tokens[-1], state))
        return [self._as_maps(each) for each in tokens[1:]]

    def _state(self, behavior: Tensor | None, pupil_center: Tensor | None) -> Tensor | None:
        """Return behaviour and eye position side by side, as far as the core uses them."""
        used = [each for each in self.used_inputs(behavior, pupil_center).values() if each is not None]
        return torch.cat(used, dim=1) if used else None

    def _after(self, block: nn.Module, tokens: Tensor, state: Tensor | None) -> Tensor:
        """Return the tokens after a block."""
        if self.settings.checkpoint and self.training and torch.is_grad_enabled():
            after: Tensor = checkpoint(block, tokens, state, use_reentrant=False)
        else:
            after = block(tokens, state)
        return after

    def _as_maps(self, tokens: Tensor) -> Tensor:
        """Return the tokens of the patches as maps."""
        patches = tokens[:, len(self.embedding.learnt) :]
        maps: Tensor = patches.transpose(1, 2).unflatten(2, self._grid.shape)  # type: ignore[no-untyped-call]
        return maps

    def regulariser(self) -> Tensor:
        """Return ``l1_weight`` times the L1 norm of all weights, a scalar; 0 for a frozen core."""
        if self.frozen:
            return no_penalty(self)
        return self.settings.l1_weight * torch.stack([weight.abs().sum() for weight in self.parameters()]).sum()
