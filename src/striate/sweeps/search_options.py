"""Options of a search: the table ``[sweep]`` of its file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from striate._internal.config_validation import validate_settings
from striate.errors import InputError, option

_Component = dict[str, Any]


class SearchOptions(BaseModel):
    """How configurations are chosen.

    Attributes
    ----------
    seed
        Random seed of the choice.
    sampler
        Optuna's sampler: ``"tpe"``, ``"random"``, ``"cmaes"``, ``"gp"`` or ``"qmc"``, or a table of its type and its options, such as
        ``{type = "tpe", multivariate = true}``.
    pruner
        Optuna's pruner, which ends trials that do worse than others after as many epochs: ``"none"``, ``"median"``,
        ``"percentile"``, ``"hyperband"`` or ``"successive_halving"``, or a table likewise.

    Examples
    --------
    >>> SearchOptions.parse({"seed": 3}, "random", "space.toml").seed
    3
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: Annotated[int, Field(ge=0)] = 0
    sampler: str | _Component = "tpe"
    pruner: str | _Component = "none"

    @classmethod
    def parse(cls, tables: Mapping[str, Any], kind: str, source: str) -> Self:
        """Validate the table ``[sweep]`` of a file.

        Raises
        ------
        InputError
            If a key is unknown, or has no effect in this kind of search.
        """
        without_effect = set(tables) & ({"seed", "sampler", "pruner"} if kind == "grid" else {"sampler", "pruner"})
        if kind != "optuna" and without_effect:
            raise InputError(
                f"{source}: sweep.{min(without_effect)} has no effect in {'a grid' if kind == 'grid' else 'a random search'}: leave it "
                f"out, or use {option('--optuna', 'optuna')}."
            )
        found = validate_settings(cls, tables, f"{source}: [sweep]", kind="table [sweep]")
        if kind == "optuna":
            from striate.sweeps.optuna_search import build_pruner, build_sampler

            build_sampler(found, source)  # options that Optuna does not know are refused before any work
            build_pruner(found, source)
        return found
