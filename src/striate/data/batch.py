"""A batch: some trials of one recording, as tensors with names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from striate._internal import notebook_html
from striate.errors import UnknownAttributeError, WithheldError

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Batch:
    """Some trials of one tier of one recording, standardised.

    Attributes
    ----------
    session
        The recording that the trials belong to.
    tier
        Their tier.
    rows : (B,) int64
        Their row numbers in the recording.
    images : (B, C, h, w) float32
        The input: the image, then (where behaviour is an input) three constant planes: pupil dilation, its
        derivative, running speed.
    responses : (B, N) float32, or None
        Standardised responses of the selected neurons; None where they are withheld or were not asked for.
    behavior : (B, 3) float32, or None
        The standardised behaviours, where they are an input.
    pupil_center : (B, 2) float32, or None
        The standardised eye position, where it is an input.
    """

    session: str
    tier: str
    rows: Tensor
    images: Tensor
    responses: Tensor | None = None
    behavior: Tensor | None = None
    pupil_center: Tensor | None = None

    def __len__(self) -> int:
        return int(self.rows.shape[0])

    def __getattr__(self, name: str) -> Any:
        raise UnknownAttributeError("Batch", name, dir(type(self)))

    def __repr__(self) -> str:
        tensors = (
            (name, getattr(self, name)) for name in ("images", "responses", "behavior", "pupil_center")
        )  # of which a notebook would print thousands of numbers
        shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in tensors if tensor is not None)
        return f"<Batch {self.session} {self.tier}: {shapes}>"

    def _repr_html_(self) -> str:
        rows = []
        for name in ("images", "responses", "behavior", "pupil_center"):
            tensor = getattr(self, name)
            if tensor is not None:
                pixels = tensor[:, :1] if name == "images" else tensor  # behind them there may be planes of behaviour
                values = notebook_html.summarise_values(pixels.detach().float().cpu())
                rows.append(
                    (name, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), str(tensor.device), values)
                )
        shown = notebook_html.table(("tensor", "shape", "type", "device", "values"), rows, text_columns=5)
        return notebook_html.section(f"Batch of {len(self)} {self.tier} trials of {self.session}", shown)

    def measured_responses(self) -> Tensor:
        """Responses of the batch, shape (B, N), where there must be some (in training, for example).

        Raises
        ------
        WithheldError
            If the batch has none.
        """
        if self.responses is None:
            raise WithheldError(
                f"This batch of tier {self.tier!r} of {self.session} has no responses: they are withheld, or it was "
                "made for prediction. Train on tier 'train', and have predictions of withheld trials scored."
            )
        return self.responses

    def to(self, device: torch.device | str | int, *, non_blocking: bool = False) -> Batch:
        """Return the batch with its tensors on a device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """Return the batch in page-locked memory, from which copies to a GPU need not wait."""
        return self._each(lambda tensor: tensor.pin_memory())

    def some(self, places: Tensor) -> Batch:
        """Return some trials of the batch, by their places in it, as a batch."""
        return self._each(lambda tensor: tensor[places])

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        responses, behavior, pupil_center = (
            None if tensor is None else change(tensor) for tensor in (self.responses, self.behavior, self.pupil_center)
        )
        return Batch(self.session, self.tier, change(self.rows), change(self.images), responses, behavior, pupil_center)
