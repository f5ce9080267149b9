"""Open a trained model, whatever it is: a run or an ensemble."""

from __future__ import annotations

import os

from striate._internal.hugging_face import local_folder
from striate.errors import InputError
from striate.training.ensemble import Ensemble
from striate.training.run import Run


def open_run(folder: str | os.PathLike[str]) -> Run | Ensemble:
    """Open the folder of a run or an ensemble, finished or not.

    Code in the folder is never executed.

    Parameters
    ----------
    folder
        Folder that ``striate train`` or ``striate ensemble`` wrote, or a run on the Hugging Face Hub, ``"hf:USER/NAME"``.

    Raises
    ------
    InputError
        If the folder is neither, its files are damaged, or it needs a plugin that is neither installed nor loaded.

    Examples
    --------
    >>> striate.open_run("runs/ensemble").respond("grating.png")  # doctest: +SKIP
    """
    place = local_folder(folder, "run")
    if Ensemble.is_ensemble_folder(place):
        return Ensemble.open(place)
    if not place.exists():
        raise InputError(
            f"There is no run or ensemble at {place}: give the folder that striate train or striate ensemble wrote."
        )
    return Run.open(place)
