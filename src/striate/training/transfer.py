"""Transfer: new readouts are trained on the frozen core of an earlier run."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from striate.errors import InputError, describe_type, option
from striate.models import CoreSettings, Encoder, EncoderSettings, ModelInputs
from striate.registry import Settings
from striate.training.environment import folder_name
from striate.training.run import Run


@dataclass(frozen=True)
class FrozenCore:
    """Encoder whose core is frozen and reused.

    Attributes
    ----------
    encoder
        Encoder that the core is copied from.
    provenance
        Name of the run of the encoder, and the SHA-256 hash of the weights of its core.
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
        ignored = existing.training_only if isinstance(existing, CoreSettings) else frozenset()
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
