"""Spaces: what a file says is what is tried, and nothing else."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.training.small import TABLES

from striate.errors import InputError
from striate.sweeps.plan import make_plan
from striate.sweeps.space import Range, parse_space, read_space

ALTERNATIVES: dict[str, Any] = {
    "schedule": {"learning_rate": {"low": 0.001, "high": 0.1, "log": True}},
    "model.core": {
        "choices": [{"type": "convolutional", "channels": {"low": 4, "high": 8}}, {"type": "minimodel", "pool": 1}]
    },
}


def test_a_grid_has_all_combinations_in_order(tmp_path: Path) -> None:
    file = tmp_path / "grid.toml"
    file.write_text("""
        schedule.max_epochs = 2
        data.batch_size = [8, 16]
        data.image_size = [[18, 32], [36, 64]]
        [model]
        core = [{type = "convolutional", channels = [4, 8]}, {type = "minimodel"}]
    """)
    space, options, _ = read_space(file, "grid")
    configurations = list(space.grid())
    assert len(configurations) == space.size == 12
    assert configurations[0] == {
        "schedule.max_epochs": 2,
        "data.batch_size": 8,
        "data.image_size": [18, 32],
        "model.core.type": "convolutional",
        "model.core.channels": 4,
    }
    assert configurations[-1]["model.core.type"] == "minimodel"
    assert "model.core.channels" not in configurations[-1]
    assert not options


@given(st.integers(-50, 50), st.integers(1, 50), st.booleans(), st.floats(0, 1))
def test_numbers_lie_in_their_range(low: int, width: int, log: bool, quantile: float) -> None:
    if log:
        low = abs(low) + 1
    value = Range(low, low + width, log).at(quantile)
    assert isinstance(value, int)
    assert low <= value <= low + width
    bounds = (low + 1e-3, low + 1e-3 + width) if log else (low / 7, low / 7 + width)
    assert bounds[0] <= Range(*bounds, log).at(quantile) <= bounds[1]


def test_whole_numbers_of_a_range_are_equally_probable() -> None:
    drawn = [Range(1, 4).at((index + 0.5) / 400) for index in range(400)]
    assert [drawn.count(number) for number in (1, 2, 3, 4)] == [100] * 4


@given(st.integers(0, 1000), st.integers(1, 12))
def test_more_random_trials_go_on_with_fewer(seed: int, count: int) -> None:
    space = parse_space(ALTERNATIVES, "random")
    some, more = space.random(count, seed), space.random(count + 5, seed)
    assert more[:count] == some
    assert all(more.count(each) == 1 for each in more)
    for each in more:
        assert ("model.core.channels" in each) == (each["model.core.type"] == "convolutional")


def test_a_small_space_is_not_drawn_twice() -> None:
    space = parse_space({"data.batch_size": {"low": 8, "high": 10}}, "random")
    assert sorted(each["data.batch_size"] for each in space.random(50, 0)) == [8, 9, 10]


def test_extremes_have_every_bound_and_alternative() -> None:
    found = list(parse_space(ALTERNATIVES, "random").extremes())
    for key, values in {
        "schedule.learning_rate": {0.001, 0.1},
        "model.core.channels": {4, 8},
        "model.core.type": {"convolutional", "minimodel"},
    }.items():
        assert {each[key] for each in found if key in each} == values


@pytest.mark.parametrize(
    ("kind", "tables", "mentions"),
    [
        ("grid", {}, "varies nothing"),
        ("grid", {"data.batch_size": []}, "has no values"),
        ("grid", {"data.batch_size": [8, 8]}, "names 8 twice"),
        ("grid", {f"data.{name}": list(range(100)) for name in "abc"}, "1,000,000 configurations"),
        ("random", {"a": {"low": 1}}, "needs two numbers"),
        ("random", {"a": {"low": 2, "high": 1}}, "goes from 2 to 1"),
        ("random", {"a": {"low": 0, "high": 1, "log": True}}, "has no logarithm"),
        ("random", {"a": {"low": 0, "high": 1, "logg": True}}, "has the key 'logg'"),
        ("random", {"a": {"low": 0, "high": 1, "log": 2}}, "expected true or false"),
        ("random", {"a": {"low": True, "high": 2}}, "needs two numbers"),
        ("random", {"a": {"choices": 3}}, "must have a list of choices"),
    ],
)
def test_what_is_no_space_is_refused(kind: Any, tables: dict[str, Any], mentions: str) -> None:
    with pytest.raises(InputError, match=re.escape(mentions)):
        parse_space(tables, kind)


@pytest.mark.parametrize(
    ("what", "mentions"),
    [
        ({"grid": {"data.batch_sizes": [1]}}, "grid: the table [data] has no key 'batch_sizes'"),
        ({"grid": {"data.batch_size": [8, -1]}}, "grid: data.batch_size = -1"),
        ({"random": {"model.core.channels": {"low": 0, "high": 4}}, "trials": 1}, "random: model.core.channels = 0"),
        ({"random": {"schedule.learning_rate": {"low": 1, "high": 11}}, "trials": 1}, "schedule.learning_rate = 11"),
        ({"grid": {"model.core": [{"type": "minimodel", "layers": [2]}]}}, "has no key 'layers'"),
        ({"grid": {"data.neurons": [5, 9]}}, "grid varies data.neurons: trials would predict different neurons"),
        ({"grid": {"data.folds": [2]}}, "data.folds splits training and validation trials anew"),
        ({}, "got nothing to vary"),
        ({"grid": {"data.batch_size": [8]}, "random": {}}, "got 2 ways to vary"),
        ({"grid": {"data.batch_size": [8]}, "trials": 3}, "as many trials as it has configurations"),
        ({"random": {"data.batch_size": {"low": 8, "high": 16}}}, "needs a number of trials"),
        ({"grid": {"data.batch_size": [8]}, "seeds": 0}, "seeds"),
        ({"grid": {"data.batch_size": [8]}, "seeds": [1, 1]}, "expected different seeds"),
        ({"grid": {"data.batch_size": [8], "sweep": {"seed": 1}}}, "sweep.seed has no effect in a grid"),
        ({"grid": "no.toml"}, "no.toml cannot be read"),
        ({"grid": 3}, "grid is int"),
        ({"grid": {"data.batch_size": [8], "sweep": 1}}, "sweep is no table"),
    ],
)
def test_the_whole_plan_is_validated(what: dict[str, Any], mentions: str) -> None:
    with pytest.raises(InputError, match=re.escape(mentions)):
        make_plan(TABLES, [], **what)
