"""Recipes: those that come with striate, overrides, and that every key is there and does something."""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
import torch
from pydantic import BaseModel

from striate._internal.renamed_settings import RENAMED_SETTINGS
from striate.errors import InputError
from striate.models import ModelInputs, build_model
from striate.training import Recipe, load_recipe, recipe_names, recipe_text
from striate.training.optimisers import build_optimiser


def keys(settings: BaseModel, above: str = "") -> set[str]:
    found = set()
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        found |= keys(value, f"{above}{name}.") if isinstance(value, BaseModel) else {f"{above}{name}"}
    return found


ZOO = (
    "best",
    "cnn-wide",
    "full-resolution",
    "inverted-residual",
    "minimodel",
    "rotation-equivariant",
    "vit",
    "vivit",
)  # each with a recipe for images alone and one with behaviour


def test_the_recipes_that_come_with_striate() -> None:
    baselines = {f"{kind}{size}" for kind in ("ln", "cnn") for size in ("", "-2022", "-small")}
    twins = {*baselines, *ZOO}
    assert {*twins, *(f"{name}-behavior" for name in twins), "v1t", "cnn-behavior-history"} == set(recipe_names())


@pytest.mark.parametrize("name", recipe_names())
def test_each_is_whole_and_says_what_it_is(name: str) -> None:
    recipe = load_recipe(name)
    written = {
        f"{table}.{key}" if table else key
        for table, values in _tables(tomllib.loads(recipe_text(name))).items()
        for key in values
    }
    optional = {f"data.{k}" for k in Recipe.model_fields["data"].annotation.model_fields} - {  # type: ignore[union-attr]
        "data.behavior",
        "data.pupil_center",
        "data.image_size",
        "data.batch_size",
    }
    needed = keys(recipe) - optional - {"loss.neuron_weights", "plugins", "optimiser.groups", "distillation"}
    needed -= {key for key in needed if key.startswith("optimiser.") and key.count(".") == 2}
    assert needed <= written, "a reader finds every setting of training in the file"
    assert recipe.description.endswith(".")
    behaves = "-behavior" in name or name == "v1t"
    inputs = ["image", *(["behaviour"] * behaves), *(["past responses"] * name.endswith("-history"))]
    assert recipe.protocol == " + ".join(inputs)
    assert (recipe.model.shifter is not None) == behaves
    if recipe.model.core.type == "convolutional":
        assert recipe.model.core.nonlinear == name.startswith("cnn")


@pytest.mark.parametrize("name", [*(f"{name}-behavior" for name in ZOO), "minimodel", "vit", "v1t"])
def test_each_makes_a_model_and_an_optimiser_of_it(name: str) -> None:
    recipe = load_recipe(name)
    data, size = recipe.data, (36, 64) if recipe.data.image_size == "benchmark" else recipe.data.image_size
    planes = 3 if data.behavior and data.behavior_planes else 0
    inputs = ModelInputs((1 + planes, *size), {"mouse": np.zeros((5, 3))}, 3 if data.behavior else 0, planes)
    model = build_model(recipe.model, inputs)
    assert build_optimiser(recipe.optimiser, model, recipe.schedule.learning_rate).param_groups
    images, eye, behavior = (torch.zeros(1, *shape) for shape in (inputs.image_shape, (2,), (3,)))
    with torch.no_grad():
        rates = model.eval().rates(images, "mouse", eye, behavior=behavior)
    assert rates.shape == (1, 5)
    assert (rates > 0).all()


def test_v1t_is_v1t() -> None:
    recipe = load_recipe("v1t")
    core, schedule = recipe.model.core, recipe.schedule
    assert (core.patch_size, core.stride, core.channels, core.blocks, core.heads, core.head_channels) == (
        8,
        1,
        155,
        4,
        4,
        155,
    )
    assert (core.mlp_channels, core.patch_dropout, core.dropout, core.drop_path) == (488, 0.0229, 0.2544, 0.0)
    assert (core.behavior, core.pupil_center, core.l1_weight, recipe.model.readout.l1_weight) == (
        True,
        True,
        0.5379,
        0.0076,
    )
    assert (recipe.optimiser.type, recipe.optimiser.betas, recipe.optimiser.weight_decay) == (
        "adamw",
        (0.9, 0.9999),
        0.0,
    )
    assert (schedule.learning_rate, schedule.lr_decay_factor, schedule.max_epochs) == (0.001647, 0.3, 400)
    assert (recipe.data.batch_size, recipe.data.behavior_planes, recipe.data.image_size) == (16, False, (36, 64))


def test_the_minimodel_decays_its_profiles_most() -> None:
    recipe = load_recipe("minimodel")
    model = build_model(recipe.model, ModelInputs((1, 36, 64), {"mouse": np.zeros((5, 3))}))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = build_optimiser(recipe.optimiser, model, 1.0).param_groups
    decays = {names[id(each)]: group["weight_decay"] for group in groups for each in group["params"]}
    readout = {name.split(".")[-1]: decay for name, decay in decays.items() if name.startswith("readouts")}
    assert readout == {"vertical": 1.0, "horizontal": 1.0, "features": 0.1, "bias": 0.0}
    assert {decay for name, decay in decays.items() if name.startswith("core")} == {0.1}


def _tables(tables: dict[str, Any], above: str = "") -> dict[str, dict[str, Any]]:
    flat: dict[str, dict[str, Any]] = {above: {k: v for k, v in tables.items() if not isinstance(v, dict)}}
    for name, value in tables.items():
        if isinstance(value, dict):
            flat |= _tables(value, f"{above}.{name}" if above else name)
    return flat


@pytest.mark.parametrize("kind", ["ln", "cnn"])
@pytest.mark.parametrize("inputs", ["", "-behavior"])
def test_the_recipes_of_2022_are_those_of_2022(kind: str, inputs: str) -> None:
    recipe = load_recipe(f"{kind}-2022{inputs}")
    core, schedule = recipe.model.core, recipe.schedule
    assert (core.layers, core.channels, core.input_kernel_size, core.hidden_kernel_size) == (
        4 if kind == "cnn" else 3,
        64,
        9,
        7,
    )
    assert (core.laplace_weight, recipe.model.readout.l1_weight, recipe.model.readout.position_hidden_units) == (
        6.3831,
        0.0076,
        30,
    )
    assert (schedule.learning_rate, schedule.patience, schedule.max_plateaus, schedule.lr_patience) == (0.009, 5, 4, 6)
    assert (schedule.lr_decay_factor, schedule.min_delta, schedule.max_epochs) == (0.3, 1e-6, 200)
    assert (recipe.data.batch_size, recipe.data.image_size, recipe.loss.type) == (128, (36, 64), "poisson")
    if inputs:
        assert recipe.model.shifter is not None
        assert (recipe.model.shifter.layers, recipe.model.shifter.hidden_units) == (3, 5)


def test_a_recipe_is_written_out_in_full_and_read_back(tmp_path: Path) -> None:
    for name in recipe_names():
        recipe = load_recipe(name, {"data.areas": ["V1"], "data.neurons": 10})
        path = tmp_path / f"{name}.toml"
        path.write_text(recipe.to_toml())
        assert load_recipe(path) == recipe
        assert load_recipe(str(path)) == recipe
    assert load_recipe(recipe) == recipe


def test_an_empty_recipe_is_the_default(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("")
    assert load_recipe(tmp_path / "mine.toml") == Recipe()


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("data.batch_size=64", "data.batch_size", 64),
        (" data.batch_size = 64 ", "data.batch_size", 64),
        ("schedule.learning_rate=1", "schedule.learning_rate", 1.0),
        ("schedule.min_delta=1e-3", "schedule.min_delta", 1e-3),
        ("loss.type=squared_error", "loss.type", "squared_error"),
        ('loss.type="squared_error"', "loss.type", "squared_error"),
        ("data.image_size=[18, 32]", "data.image_size", (18, 32)),
        ("data.image_size=original", "data.image_size", "original"),
        ("data.behavior=true", "data.behavior", True),
        ("data.areas=['V1', 'LM']", "data.areas", ("V1", "LM")),
        ("model.core.layers=2", "model.core.layers", 2),
        ("description=Mine", "description", "Mine"),
    ],
)
def test_overrides_are_written_as_in_toml(override: str, path: str, value: object) -> None:
    got: Any = load_recipe("cnn", [override])
    for name in path.split("."):
        got = getattr(got, name)
    assert got == value


def test_overrides_may_switch_the_shifter() -> None:
    on = load_recipe("cnn", ["data.pupil_center=true", "model.shifter.hidden_units=7"])
    assert on.model.shifter is not None
    assert (on.model.shifter.layers, on.model.shifter.hidden_units) == (3, 7)
    off = load_recipe("cnn-behavior", {"data.pupil_center": False, "model.shifter": False})
    assert off.model.shifter is None
    assert off.protocol == "image + behaviour"


def test_overrides_leave_the_rest_alone() -> None:
    before, after = load_recipe("cnn-behavior"), load_recipe("cnn-behavior", ["model.core.channels=8"])
    assert after.model.core.model_copy(update={"channels": 64}) == before.model.core
    assert (after.data, after.schedule, after.model.shifter) == (before.data, before.schedule, before.model.shifter)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("data.batch_size", "expected key=value"),
        ("=3", "not a key|expected key=value"),
        ("data.batch_size=", "expected key=value"),
        ("data.batch_size=6 4", "not written as in TOML"),
        ("data.batch_size=1\nseed=2", "one setting a time"),
        ("data batch=1", "is not a key"),
        ("data.batch_sise=64", "^overrides: the table .data. has no key 'batch_sise': did you mean 'batch_size'"),
        ("data.batch_size=many", '^overrides: data.batch_size = "many"'),
        ("data.batch_size.x=1", "no table|should be"),
        ("batch_size=64", "the recipe has no key 'batch_size'"),
    ],
)
def test_overrides_that_cannot_be_meant(override: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        load_recipe("cnn", [override])


@pytest.mark.parametrize(("former", "path"), RENAMED_SETTINGS.items())
def test_former_and_2022_names_of_keys_are_answered_with_the_name_of_today(former: str, path: str) -> None:
    table, _, name = path.rpartition(".")
    location = f"{table}.{former}" if table else former
    with pytest.raises(InputError, match=rf"has no key '{former}': it is called '{name}'(, .*)?\.$"):
        load_recipe("cnn-behavior", {location: 1})
    assert name in keys_and_tables(load_recipe("cnn-behavior"))[table]


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"model": {"core": {"gamma_readout": 0.1}}}, r"the table \[model.core\] has no key 'gamma_readout': it is called "
         r"'model.readout.l1_weight'\.$"),
        ({"lr_init": 0.1}, r"the recipe has no key 'lr_init': it is called 'schedule.learning_rate'\.$"),
        ({"objective": {"loss": "poisson"}}, r"the recipe has no key 'objective': it is called 'loss'\.$"),
    ],
)  # fmt: skip
def test_a_former_name_in_another_table_is_answered_with_the_whole_path(tables: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_recipe(tables)


def keys_and_tables(settings: BaseModel, above: str = "") -> dict[str, set[str]]:
    found = {above: set(type(settings).model_fields)}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            found |= keys_and_tables(value, f"{above}.{name}" if above else name)
    return found


def test_errors_of_a_file_are_not_blamed_on_overrides(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(tomli_w.dumps({"schedule": {"patience": "five"}}))
    with pytest.raises(InputError, match=r"^/.*mine\.toml: schedule\.patience = \"five\""):
        load_recipe(tmp_path / "mine.toml", ["data.batch_size=64"])


@pytest.mark.parametrize("name", ["mouse.zip", "mouse"])
def test_a_recording_in_the_place_of_the_recipe_is_recognised(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"PK\x05\x06" + bytes(18)) if path.suffix else path.mkdir()
    with pytest.raises(InputError, match="the recipe comes first"):
        load_recipe(path)


def test_another_type_resets_the_keys_that_belonged_to_the_former() -> None:
    cosine = load_recipe("cnn", ["schedule.type=cosine"]).schedule
    assert (cosine.type, cosine.learning_rate) == ("cosine", 0.0015), "what both have stays"
    assert cosine.patience == load_recipe({"schedule": {"type": "cosine"}}).schedule.patience, "it has another default"
    assert load_recipe("cnn", ["schedule.type=cosine", "schedule.patience=7"]).schedule.patience == 7
    assert load_recipe("cnn", ["schedule.type=plateau"]) == load_recipe("cnn")
    with pytest.raises(InputError, match="has no key 'lr_patience'"):
        load_recipe("cnn", ["schedule.type=cosine", "schedule.lr_patience=3"])
    with pytest.raises(InputError, match="There is no schedule 'cosin'"):
        load_recipe("cnn", ["schedule.type=cosin"])


def test_a_model_of_ones_own_replaces_all_of_the_table() -> None:
    model = load_recipe("cnn", ["model.type=my_lab.models:Net", "model.width=3"]).model
    assert model.model_dump() == {"type": "my_lab.models:Net", "width": 3}
