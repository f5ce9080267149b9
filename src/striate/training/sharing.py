"""Share a run: a folder, or a model on the Hugging Face Hub, that others load without the recordings."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq
from safetensors import safe_open

from striate._internal.atomic_write import atomic_write_folder, utf8_path
from striate._internal.hugging_face import is_reference, parse_reference, upload
from striate.errors import InputError, quoted
from striate.training.ensemble import Ensemble
from striate.training.model_card import PLACEHOLDER, write_card
from striate.training.open_run import open_run
from striate.training.run import Run
from striate.training.run_folder import (
    CARD,
    ENSEMBLE,
    HISTORY,
    INPUTS,
    MEMBERS,
    NEURONS,
    PROVENANCE,
    RECIPE,
    SCORES,
    WEIGHTS,
)

# All files that are shared. Others in the folder of a run, such as predictions or responses, stay where they are.
SHARED = (RECIPE, WEIGHTS, NEURONS, HISTORY, PROVENANCE, INPUTS, SCORES, CARD)
_OPTIONAL = (HISTORY, SCORES, CARD)  # of the members of an ensemble
_COLUMNS = {
    NEURONS: {"recording", "unit_id", "x", "y", "z", "response_scale", "loss_weight"},
}
# An absolute path, or one in a home folder: a slash or tilde at the start of a word, or a drive of Windows.
_PATH = re.compile(
    r"(?<![\w.:/)\]}<>°%~-])(?:~[\w.-]*/|/(?!/))[\w.@+~-]{2,}[\w./@+~-]*|(?<!\w)[A-Za-z]:\\{1,2}\w[^\s\"']*"
)


def share(
    run: Run | Ensemble | Path | str, destination: Path | str, *, private: bool = False, overwrite: bool = False
) -> str:
    """Write a folder that others can load, or upload it to the Hugging Face Hub.

    The folder holds what a prediction needs and the model card: weights, recipe, order of the neurons, standardisation, history,
    scores, provenance. `Run.open` and `striate.models.load` read it. No other file of the run's folder is shared, and no
    response of a neuron.

    Parameters
    ----------
    run
        A finished run or ensemble, or its folder. Of an ensemble, all members are shared.
    destination
        Folder to write, or ``"hf:USER/NAME"`` to upload it.
    private
        Whether a new model on the hub can be seen by its owner only.
    overwrite
        Whether to replace a folder or a model that exists.

    Returns
    -------
    str
        Path of the folder, or address of the model.

    Raises
    ------
    InputError
        If the run is not finished, a file names a folder of this machine, the destination exists, or the upload fails.

    Examples
    --------
    >>> share("runs/cnn", "shared/cnn")  # doctest: +SKIP
    'shared/cnn'
    >>> share("runs/cnn", "hf:ada/v1-cnn")  # doctest: +SKIP
    'https://huggingface.co/ada/v1-cnn'
    """
    model = open_run(run) if isinstance(run, str | Path) else run
    model.require_finished()
    if not (model.folder / CARD).is_file():
        write_card(model)
    if not is_reference(destination):
        with atomic_write_folder(destination, overwrite=overwrite) as folder:
            _fill(model, folder)
        return str(destination)
    reference = parse_reference(destination)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _fill(model, folder)
        card = (folder / CARD).read_text(encoding="utf-8")
        (folder / CARD).write_text(card.replace(PLACEHOLDER, f"hf:{reference.repository}"), encoding="utf-8")
        return upload(folder, destination, private=private, overwrite=overwrite)


def _fill(model: Run | Ensemble, folder: Path) -> None:
    """Copy the files of a model that are shared, and check that each can be."""
    if isinstance(model, Run):
        _copy(model.folder, folder, SHARED)
        return
    _copy(model.folder, folder, (ENSEMBLE, CARD), optional=(SCORES,))
    for run in model.members:
        place = folder / MEMBERS / run.folder.name
        place.mkdir(parents=True)
        needed = tuple(name for name in SHARED if name not in _OPTIONAL)
        _copy(run.folder, place, needed, optional=_OPTIONAL[:-1])  # the card is that of the ensemble


def _copy(source: Path, folder: Path, needed: Sequence[str], optional: Sequence[str] = ()) -> None:
    for name in (*needed, *optional):
        if not (source / name).is_file():
            if name in optional:
                continue
            raise InputError(f"{source} is not whole (it has no {name}): copy or train the run anew.")
        for text in _texts(source / name):
            if found := _PATH.search(text):
                raise InputError(
                    f"{source / name} names a folder of this machine, {quoted(found[0])}, so it is not shared: remove the folder from "
                    "it, and share again."
                )
        shutil.copyfile(source / name, folder / name)


def _texts(path: Path) -> Iterator[str]:
    """Yield all text in a file: all of it, or the names, metadata and text columns of a table, or the header of the weights."""
    if path.suffix == ".safetensors":
        with utf8_path(path) as readable, safe_open(readable, framework="pt") as file:
            yield from (file.metadata() or {}).values()
    elif path.suffix == ".parquet":
        with path.open("rb") as file:
            table = pq.read_table(file)
        if odd := set(table.column_names) - _COLUMNS.get(path.name, set(table.column_names)):
            raise InputError(
                f"{path} has the column {quoted(sorted(odd)[0])}, which striate did not write, so it is not shared: remove the column."
            )
        yield from (value.decode(errors="replace") for value in (table.schema.metadata or {}).values())
        for field in table.schema:
            yield field.name
            if str(field.type) in ("string", "large_string", "dictionary<values=string, indices=int32, ordered=0>"):
                yield from (str(value) for value in table[field.name].unique().to_pylist())
    else:
        yield path.read_text(encoding="utf-8")
