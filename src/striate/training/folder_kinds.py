"""Which folders are those of trained models, told without opening them or importing PyTorch."""

from pathlib import Path

from striate._internal.paths import expand_path

RECIPE = "recipe.toml"  # in the folder of a run
ENSEMBLE = "ensemble.json"  # in the folder of an ensemble


def is_run_folder(folder: Path | str) -> bool:
    """Return whether a folder is that of a run or an ensemble, finished or not.

    Examples
    --------
    >>> is_run_folder("mouse.zip")
    False
    """
    place = expand_path(folder)
    return (place / RECIPE).is_file() or (place / ENSEMBLE).is_file()
