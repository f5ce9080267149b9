"""Transfer: new readouts are trained on the frozen core of an earlier run."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from striate.errors import InputError, describe_type, option
from striate.models import CoreSettings, Encoder
from striate.training.environment import folder_name
from striate.training.run import Run

_TRAINING_ONLY = {"laplace_weight", "batch_norm_momentum"}  # settings without effect on a frozen core


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

    def check_compatible(self, settings: CoreSettings, input_shape: tuple[int, int, int]) -> None:
        """Check that the core settings of a recipe, and the shape of its inputs, are those of this core.

        Raises
        ------
        InputError
            If a setting or the input shape differs. The message names the first one.
        """
        core_settings = self.encoder.settings.core
        for key in CoreSettings.model_fields:
            existing, requested = getattr(core_settings, key), getattr(settings, key)
            if existing != requested and key not in _TRAINING_ONLY:
                raise InputError(
                    f"The core has {key} = {existing}, but the recipe asks for model.core.{key} = {requested}: use the recipe that the "
                    f"core was trained with, or change it ({option('--set', 'overrides')})."
                )
        if self.encoder.input_shape != input_shape:
            raise InputError(
                f"The core was trained on inputs of shape {self.encoder.input_shape} (planes, height, width), but the recipe "
                f"gives {input_shape}: set data.behavior and data.image_size as they were."
            )
