"""A batch: trials of one recording as named tensors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from striate._internal import notebook_html
from striate.errors import UnknownAttributeError, WithheldError

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor

    from striate.data.context import Context


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Batch:
    """A batch of standardised trials from one tier of one recording.

    Attributes
    ----------
    session
        Session of the recording.
    tier
        Tier of the trials.
    rows : (B,) int64
        Row numbers of the trials in the recording.
    images : (B, C, h, w) float32
        Inputs: the channels of the image. If behaviour is appended, one constant channel for each behaviour variable follows.
    responses : (B, N) float32, or None
        Standardised responses of the selected neurons; None if they are withheld or were not requested.
    behavior : (B, K) float32, or None
        Standardised behaviour; None if it is not an input.
    pupil_center : (B, 2) float32, or None
        Standardised eye position; None if it is not an input.
    context : Context, or None
        What is known of the trials from their neighbours in the session; None if the settings do not ask for it.
    image_shift : (B, 2) float32, or None
        How far each image was moved to the right and downwards, in its pixels, if the readout is to be shifted along; None if it is not.
    neurons : (M,) int64, or None
        Indices of the neurons that a model predicts; None for all. Responses are those of all neurons.

    Examples
    --------
    >>> import torch
    >>> batch = Batch("mouse", "train", torch.arange(4), torch.zeros(4, 1, 36, 64), torch.ones(4, 10))
    >>> batch
    <Batch mouse train: images (4, 1, 36, 64), responses (4, 10)>
    >>> len(batch.take(torch.tensor([0, 2])))
    2
    """

    session: str
    tier: str
    rows: Tensor
    images: Tensor
    responses: Tensor | None = None
    behavior: Tensor | None = None
    pupil_center: Tensor | None = None
    neurons: Tensor | None = None
    context: Context | None = None
    image_shift: Tensor | None = None

    def __len__(self) -> int:
        return int(self.rows.shape[0])

    def __getattr__(self, name: str) -> Any:
        raise UnknownAttributeError("Batch", name, dir(type(self)))

    def __repr__(self) -> str:
        tensors = (
            (name, getattr(self, name)) for name in ("images", "responses", "behavior", "pupil_center")
        )  # shapes only: the tensors are large
        shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in tensors if tensor is not None)
        return f"<Batch {self.session} {self.tier}: {shapes}>"

    def _repr_html_(self) -> str:
        rows = []
        for name in ("images", "responses", "behavior", "pupil_center"):
            tensor = getattr(self, name)
            if tensor is not None:
                planes = 0 if self.behavior is None or name != "images" else self.behavior.shape[1]
                pixels = (
                    tensor[:, : max(1, tensor.shape[1] - planes)] if planes else tensor
                )  # without those of behaviour
                values = notebook_html.summarise_values(pixels.detach().float().cpu())
                rows.append(
                    (name, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), str(tensor.device), values)
                )
        shown = notebook_html.table(("tensor", "shape", "type", "device", "values"), rows, text_columns=5)
        return notebook_html.section(f"Batch of {len(self)} {self.tier} trials of {self.session}", shown)

    def measured_responses(self) -> Tensor:
        """Return the responses, shape (B, N), or raise an error if the batch has none.

        Raises
        ------
        WithheldError
            If the batch has no responses.
        """
        if self.responses is None:
            raise WithheldError(
                f"This batch of tier {self.tier!r} of {self.session} has no responses: they are withheld, or it was "
                "made for prediction. Train on the training tier, and have predictions of withheld trials scored."
            )
        return self.responses

    def to(self, device: torch.device | str | int, *, non_blocking: bool = False) -> Batch:
        """Return the batch with its tensors on a device."""
        moved = self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))
        return moved if self.neurons is None else replace(moved, neurons=self.neurons.to(device))

    def pin_memory(self) -> Batch:
        """Return a copy of the batch in page-locked memory, for asynchronous copies to a GPU."""
        return self._map(lambda tensor: tensor.pin_memory())

    def take(self, positions: Tensor) -> Batch:
        """Return the trials at the given positions of the batch, as a batch."""
        return self._map(lambda tensor: tensor[positions])

    def _map(self, function: Callable[[Tensor], Tensor]) -> Batch:
        """Return the batch with a function of each tensor whose first axis are the trials."""
        responses, behavior, pupil_center, image_shift = (
            None if tensor is None else function(tensor)
            for tensor in (self.responses, self.behavior, self.pupil_center, self.image_shift)
        )
        return replace(
            self,
            rows=function(self.rows),
            images=function(self.images),
            responses=responses,
            behavior=behavior,
            pupil_center=pupil_center,
            context=None if self.context is None else self.context.map(function),
            image_shift=image_shift,
        )
