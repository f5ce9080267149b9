"""The plan of a sweep: what is trained, validated whole before any work, and compared with what its folder holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate._internal.atomic_write import atomic_write
from striate._internal.safe_parsing import MalformedError, parse_json_object, read_limited
from striate.errors import InputError, describe_type, option, quoted, validate_count, validate_seed
from striate.sweeps.jobs import Job
from striate.sweeps.search_options import SearchOptions
from striate.sweeps.space import Configuration, Kind, Space, read_space
from striate.training.provenance import without_folders
from striate.training.recipe import Recipe, load_recipe, load_recipe_of_run
from striate.training.recipe_difference import recipe_difference

if TYPE_CHECKING:
    from striate.recordings import Recording

_PLAN = "sweep.json"
_RECIPE = "recipe.toml"
_NEURONS = ("areas", "layers", "unit_ids", "neurons", "neuron_seed")  # settings that decide which neurons are predicted
_FLAGS = {"grid": "--grid", "random": "--random", "optuna": "--optuna"}


@dataclass(frozen=True, eq=False)
class Trial:
    """A configuration to train, once for each seed.

    Attributes
    ----------
    name
        Number of the trial, from 1, as text.
    settings
        Settings of the recipe that it changes.
    recipe
        The recipe with these settings.

    Examples
    --------
    >>> Trial("1", {"data.batch_size": 64}, load_recipe("cnn", {"data.batch_size": 64})).protocol
    'image'
    """

    name: str
    settings: Configuration
    recipe: Recipe

    @property
    def protocol(self) -> str:
        """Protocol of SENSORIUM 2022 that the inputs of its model need."""
        return self.recipe.protocol

    def jobs(self, recordings: Sequence[Recording], seeds: Iterable[int]) -> list[Job]:
        """Return a job for each seed."""
        return [Job(f"{self.name}-seed{seed}", self.recipe, recordings, seed) for seed in seeds]


@dataclass(frozen=True, eq=False)
class Plan:
    """What a sweep trains.

    Attributes
    ----------
    recipe
        The recipe that is varied.
    recordings
        Recordings to train on.
    seeds
        Seeds of each configuration.
    kind
        How configurations are chosen: ``"grid"``, ``"random"`` or ``"optuna"``.
    space
        What varies.
    options
        Options of the search.
    trials
        Number of configurations to draw; None for a grid.
    source
        What error messages call the file of the space.
    given
        The tables of that file, to compare with those that a folder was begun with.

    Examples
    --------
    >>> plan = make_plan("cnn", [], seeds=2, grid={"data.batch_size": [16, 64]})
    >>> [trial.settings for trial in plan.fixed_trials()]
    [{'data.batch_size': 16}, {'data.batch_size': 64}]
    """

    recipe: Recipe
    recordings: Sequence[Recording]
    seeds: tuple[int, ...]
    kind: Kind
    space: Space
    options: SearchOptions
    trials: int | None = None
    source: str = "The space"
    given: Mapping[str, Any] = field(default_factory=dict)

    def trial(self, number: int, settings: Configuration) -> Trial:
        """Return the trial of a number, from 1.

        Raises
        ------
        InputError
            If the settings are not valid in the recipe.
        """
        try:
            return Trial(str(number), settings, load_recipe(self.recipe, settings))
        except InputError as error:
            text = str(error)
            for prefix in ("--set: ", "overrides: "):
                text = text.removeprefix(prefix)
            if self.kind != "grid" and any(isinstance(value, list) for value in settings.values()):
                text += " Values to choose from are written as {choices = [16, 64]}."
            raise InputError(f"{self.source}: {text}") from error

    def fixed_trials(self) -> list[Trial]:
        """Return all trials of a grid or a random search."""
        if self.kind == "grid":
            return [self.trial(number, settings) for number, settings in enumerate(self.space.grid(), 1)]
        drawn = self.space.random(self.trials or 0, self.options.seed)
        return [self.trial(number, settings) for number, settings in enumerate(drawn, 1)]

    def validate(self) -> None:
        """Validate every bound and every alternative, before any work.

        Raises
        ------
        InputError
            If one is not valid in the recipe; if validation trials or neurons would differ; or, for Optuna, if trials would have different
            protocols, which have no common best.
        """
        found = [self.trial(1, settings) for settings in self.space.extremes()]
        if any(trial.recipe.data.folds is not None for trial in found):
            raise InputError(
                "data.folds splits training and validation trials anew, so that validation scores of trials are not compared: leave it out "
                "of a sweep."
            )
        for key in _NEURONS:
            if len({getattr(trial.recipe.data, key) for trial in found}) > 1:
                raise InputError(
                    f"{self.source} varies data.{key}: trials would predict different neurons, whose scores are not compared. Give it one "
                    f"value for all ({option('--set', 'overrides')})."
                )
        protocols = sorted({self._protocol(trial.recipe) for trial in found})
        if self.kind == "optuna" and len(protocols) > 1:
            raise InputError(
                f"{self.source} has models of the protocols {' and '.join(quoted(each) for each in protocols)}, whose scores are not "
                "compared: search for each on its own, and give data.behavior and data.pupil_center one value."
            )

    def _protocol(self, recipe: Recipe) -> str:
        if not self.recordings:
            return recipe.protocol
        return self.recordings[0].benchmark.protocol_for(recipe.data.extra_inputs).name

    def check_folder(self, folder: Path) -> None:
        """Compare the plan with that of a folder.

        More trials or seeds than before go on with what there is.

        Raises
        ------
        InputError
            If the folder was begun with another plan.
        """
        if not (folder / _PLAN).exists():
            if folder.is_dir() and any(not each.name.startswith(".") for each in folder.iterdir()):
                raise InputError(f"{folder} holds something else than a sweep: choose a new folder.")
            return
        try:
            kept = parse_json_object(read_limited(folder / _PLAN))
        except (OSError, MalformedError) as error:
            raise InputError(f"{folder / _PLAN} is damaged: choose another folder.") from error
        reason = self._difference(kept, folder)
        if reason is not None:
            raise InputError(
                f"{folder} holds another sweep: {reason}. Go on with what it began with, or choose another folder."
            )

    def _difference(self, kept: Mapping[str, Any], folder: Path) -> str | None:
        now = self._described()
        if kept.get("kind") != now["kind"]:
            return f"its search is {kept.get('kind')} there and {now['kind']} now"
        if kept.get("space") != now["space"]:
            return f"{self.source} varies something else now"
        if kept.get("options") != now["options"]:
            return f"the options of its search ([sweep] in {self.source}) are others now"
        if kept.get("recordings") != now["recordings"]:
            sessions = ", ".join(str(session) for session, _ in kept.get("recordings", []))
            return f"it was begun with other recordings ({sessions}), in another order, or with other content"
        if self.kind == "optuna" and kept.get("seeds") != now["seeds"]:
            return f"it has the seeds {kept.get('seeds')} there and {now['seeds']} now, which changes the scores that Optuna has learnt from"
        difference = recipe_difference(load_recipe_of_run(folder / _RECIPE), without_folders(self.recipe))
        return difference and f"in its recipe, {difference}"

    def write(self, folder: Path) -> None:
        """Write the plan and its recipe to the folder of the sweep."""
        with atomic_write(folder / _RECIPE, overwrite=True) as aside:
            aside.write_text(without_folders(self.recipe).to_toml(), encoding="utf-8")
        with atomic_write(folder / _PLAN, overwrite=True) as aside:
            aside.write_text(json.dumps(self._described(), indent=1) + "\n", encoding="utf-8")

    def _described(self) -> dict[str, Any]:
        plain: dict[str, Any] = json.loads(  # noqa: TID251 - what this process has just written
            json.dumps(
                {
                    "format": 1,
                    "kind": self.kind,
                    "space": self.given,
                    "options": self.options.model_dump(mode="json"),
                    "recordings": [[recording.session, recording.fingerprint] for recording in self.recordings],
                    "seeds": self.seeds,
                    "trials": self.trials,
                },
                default=str,
            )
        )
        return plain


def make_plan(
    recipe: str | Path | Mapping[str, Any] | Recipe,
    recordings: Sequence[Recording],
    *,
    grid: Any = None,
    random: Any = None,
    optuna: Any = None,
    trials: int | None = None,
    seeds: int | Iterable[int] = 1,
    overrides: Any = None,
) -> Plan:
    """Make and validate the plan of a sweep.

    Parameters
    ----------
    recipe, overrides
        As in `striate.train`.
    recordings
        Open recordings.
    grid, random, optuna
        What to vary, as in `striate.sweep`; exactly one of them.
    trials
        Number of configurations, for `random` and `optuna`.
    seeds
        Number of seeds, or the seeds.

    Raises
    ------
    InputError
        If an argument is not valid, or a value that the sweep could try is not valid in the recipe.

    Examples
    --------
    >>> make_plan("cnn", [], random={"data.batch_size": {"low": 8, "high": 64}}, trials=3).space.size
    57
    """
    given = {"grid": grid, "random": random, "optuna": optuna}
    kinds: list[Kind] = [kind for kind in ("grid", "random", "optuna") if given[kind] is not None]
    flags = ", ".join(option(flag, kind) for kind, flag in _FLAGS.items())
    if len(kinds) != 1:
        what = "nothing to vary" if not kinds else f"{len(kinds)} ways to vary the recipe"
        raise InputError(f"A sweep got {what}: give one of {flags}.")
    kind = kinds[0]
    if kind == "grid" and trials is not None:
        raise InputError(
            f"A grid has as many trials as it has configurations: leave {option('--trials', 'trials')} out, or use {option('--random', 'random')}."
        )
    if kind != "grid":
        if trials is None:
            raise InputError(f"A search needs a number of trials: give {option('--trials', 'trials')}, for example 20.")
        validate_count("number of trials", trials)
    base = load_recipe(recipe, overrides)
    space, options, source = read_space(given[kind], kind)
    plan = Plan(
        recipe=base,
        recordings=recordings,
        seeds=_seeds(seeds),
        kind=kind,
        space=space,
        options=SearchOptions.parse(options, kind, source),
        trials=trials,
        source=source,
        given=_tables(given[kind], source),
    )
    plan.validate()
    return plan


def _tables(given: Any, source: str) -> Mapping[str, Any]:
    """Return what is varied as flat tables of plain values, the same for a file and for a mapping."""
    from striate._internal.paths import expand_path
    from striate._internal.safe_parsing import parse_toml

    tables = given if isinstance(given, Mapping) else parse_toml(read_limited(expand_path(given)), source)
    return _flat({name: value for name, value in tables.items() if name != "sweep"})


def _flat(tables: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tables.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{above}{name}.")
        else:
            flat[f"{above}{name}"] = value.tolist() if hasattr(value, "tolist") else value
    return flat


def _seeds(seeds: int | Iterable[int]) -> tuple[int, ...]:
    if isinstance(seeds, Iterable) and not isinstance(seeds, str | bytes):
        found = tuple(validate_seed(seed) for seed in seeds)
        if not found or len(set(found)) < len(found):
            raise InputError(f"seeds is {list(found)}; expected different seeds, at least one.")
        return found
    if isinstance(seeds, str | bytes):
        raise InputError(f"seeds is {describe_type(seeds)}; expected their number, or a list of them.")
    return tuple(range(validate_count("number of seeds", seeds)))
