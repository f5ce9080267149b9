"""Transfer: new readouts are trained on the core of an earlier run, which stays frozen or is fine-tuned."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from striate.errors import InputError, describe_type, option
from striate.models import Core, Encoder, EncoderSettings, ModelInputs
from striate.registry import Settings
from striate.training.callbacks import Callback
from striate.training.environment import folder_name
from striate.training.recipe import ScheduleSettings
from striate.training.run import Run

if TYPE_CHECKING:
    from striate.training.trainer import Trainer


@dataclass(frozen=True)
class FrozenCore:
    """Encoder whose core is frozen and reused.

    Attributes
    ----------
    encoder
        Encoder that the core is copied from.
    provenance
        Name of the run of the encoder, the SHA-256 hash of the weights of its core, and the factor of fine-tuning, if any.
    """

    encoder: Encoder
    provenance: dict[str, Any]

    @classmethod
    def from_source(cls, core: str | Path | Run | Encoder | None) -> FrozenCore | None:
        """Open the core of a run, the folder of a run, or an encoder; None for None.

        Raises
        ------
        InputError
            If `core` is neither a finished run nor an encoder.
        """
        if core is None:
            return None
        if isinstance(core, Encoder):
            encoder, source = core, None
        elif isinstance(core, Run | str | os.PathLike):
            run = core if isinstance(core, Run) else Run.open(core)
            encoder, source = run.encoder(), folder_name(run.folder)
            if not isinstance(cast("Any", encoder), Encoder):
                raise InputError(
                    f"{run.folder} holds a {type(encoder).__name__}, which has no core that can be reused: give a run with an encoder of "
                    "striate."
                )
        else:
            raise InputError(f"core is {describe_type(core)}; expected a finished run, its folder, or an encoder.")
        digest = hashlib.sha256()
        for name, value in sorted(encoder.core.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.cpu().contiguous().numpy().tobytes())
        return cls(encoder, {"run": source, "sha256": digest.hexdigest()})

    def check_compatible(self, settings: Settings, inputs: ModelInputs) -> None:
        """Check that the core settings of a recipe, and the shapes of its inputs, are those of this core.

        Raises
        ------
        InputError
            If the recipe has another kind of model, or a setting or the input shape differs. The message names the first one.
        """
        if not isinstance(settings, EncoderSettings):
            raise InputError(
                f"The model {settings.type!r} has no core that can be reused: choose a recipe with [model] type = 'encoder'."
            )
        existing, requested = self.encoder.settings.core, settings.core
        if existing.type != requested.type:
            raise InputError(
                f"The core is of type {existing.type!r}, but the recipe asks for model.core.type = {requested.type!r}: use the recipe "
                f"that the core was trained with, or change it ({option('--set', 'overrides')})."
            )
        frozen = "finetune" not in self.provenance
        ignored = existing.training_only if frozen else frozenset()
        for key in type(existing).model_fields:
            had, wants = getattr(existing, key), getattr(requested, key)
            if had != wants and key not in ignored:
                raise InputError(
                    f"The core has {key} = {had}, but the recipe asks for model.core.{key} = {wants}: use the recipe that the "
                    f"core was trained with, or change it ({option('--set', 'overrides')})."
                )
        own = self.encoder.inputs
        shapes = [(each.image_shape, each.behavior_size, each.behavior_planes) for each in (own, inputs)]
        if shapes[0] != shapes[1]:
            raise InputError(
                f"The core was trained on inputs of shape {own.image_shape} (channels, height, width) with {own.behavior_size} "
                f"behaviour variables, but the recipe gives {inputs.image_shape} with {inputs.behavior_size}: set data.behavior, "
                "data.behavior_planes and data.image_size as they were."
            )


class FineTuning(Callback):
    """Trains readouts on a frozen core until the first plateau; then the core as well, at a lower learning rate.

    At the first plateau, training goes on from the best weights. Early stopping and the schedule start again; the plateau does
    not count.

    Parameters
    ----------
    factor
        Learning rate of the core, as a fraction of that of the schedule.
    schedule
        Settings of the schedule.

    Attributes
    ----------
    unfrozen_after
        Epoch after which the core was unfrozen; None before.

    Raises
    ------
    InputError
        If the factor is not between 0 and 1, or if there cannot be a plateau.

    Examples
    --------
    >>> FineTuning(0.1, ScheduleSettings()).unfrozen_after is None
    True
    """

    def __init__(self, factor: float, schedule: ScheduleSettings) -> None:
        if type(factor) not in (int, float) or not 0 < factor <= 1:
            raise InputError(
                f"{option('--finetune', 'finetune')} is {factor!r}; expected the learning rate of the core as a fraction of that of the "
                "schedule, such as 0.1."
            )
        if schedule.patience >= schedule.max_epochs:
            raise InputError(
                f"The core would never be fine-tuned: schedule.patience = {schedule.patience} epochs without improvement cannot pass "
                f"within schedule.max_epochs = {schedule.max_epochs}; set a smaller patience."
            )
        self.factor = float(factor)
        self.unfrozen_after: int | None = None

    def on_start(self, trainer: Trainer) -> None:
        """Unfreeze the core of a training that resumes, if it was."""
        if self.unfrozen_after is not None:
            _core(trainer).unfreeze()

    def on_epoch(self, trainer: Trainer) -> None:
        """Unfreeze the core at the first plateau."""
        if self.unfrozen_after is None and trainer.early_stopping.plateau and trainer.epoch < trainer.max_epochs:
            self.unfrozen_after = trainer.epoch
            trainer.restore_best()
            _core(trainer).unfreeze()
            trainer.start_again()

    def state(self) -> dict[str, Any]:
        """Return when the core was unfrozen."""
        return {"unfrozen_after": self.unfrozen_after}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore when the core was unfrozen."""
        self.unfrozen_after = state["unfrozen_after"]


def _core(trainer: Trainer) -> Core:
    assert isinstance(trainer.encoder, Encoder)
    return trainer.encoder.core
