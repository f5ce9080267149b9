"""The core of an earlier run, on which new readouts are trained."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from striate.errors import InputError, kind_of, option
from striate.models import CoreSettings, Encoder
from striate.training.environment import folder_name
from striate.training.run import Run

_WITHOUT_EFFECT = {"laplace_weight", "batch_norm_momentum"}  # on a core that does not learn


@dataclass(frozen=True)
class CoreOf:
    """An encoder whose core is to be taken.

    Attributes
    ----------
    encoder
        The encoder.
    facts
        Where it came from, and the hash of its core's weights.
    """

    encoder: Encoder
    facts: dict[str, Any]

    @classmethod
    def given(cls, core: str | Path | Run | Encoder | None) -> CoreOf | None:
        """Find the core that was given; None if none was.

        Raises
        ------
        InputError
            If it is neither a finished run nor an encoder.
        """
        if core is None:
            return None
        if isinstance(core, Encoder):
            encoder, source = core, None
        elif isinstance(core, Run | str | os.PathLike):
            run = core if isinstance(core, Run) else Run.open(core)
            encoder, source = run.encoder(), folder_name(run.folder)
        else:
            raise InputError(f"core is {kind_of(core)}; expected a finished run, its folder, or an encoder.")
        digest = hashlib.sha256()
        for name, value in sorted(encoder.core.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.cpu().contiguous().numpy().tobytes())
        return cls(encoder, {"run": source, "sha256": digest.hexdigest()})

    def refuse_unless_fits(self, settings: CoreSettings, input_shape: tuple[int, int, int]) -> None:
        """Refuse a recipe whose core, or whose input, is another than this one.

        Raises
        ------
        InputError
            Naming the first setting that differs.
        """
        own = self.encoder.settings.core
        for key in CoreSettings.model_fields:
            there, now = getattr(own, key), getattr(settings, key)
            if there != now and key not in _WITHOUT_EFFECT:
                raise InputError(
                    f"The core has {key} = {there}, but the recipe asks for model.core.{key} = {now}: use the recipe that the "
                    f"core was trained with, or change it ({option('--set', 'overrides')})."
                )
        if self.encoder.input_shape != input_shape:
            raise InputError(
                f"The core was trained on inputs of shape {self.encoder.input_shape} (planes, height, width), but the recipe "
                f"gives {input_shape}: set data.behavior and data.image_size as they were."
            )
