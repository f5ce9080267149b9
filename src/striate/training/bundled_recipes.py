"""The recipes that come with striate. This module imports no torch: a portal checks the names of recipes, and trains nothing."""

from importlib import resources

from striate.errors import InputError, nearest


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes that come with striate.

    Examples
    --------
    >>> from striate.training import recipe_names
    >>> "cnn-2022" in recipe_names()
    True
    """
    folder = resources.files("striate.training") / "recipes"
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


def recipe_text(name: str) -> str:
    """Return the TOML text, comments included, of a recipe that comes with striate.

    Parameters
    ----------
    name
        Name of the recipe, one of `recipe_names()`.

    Raises
    ------
    InputError
        If there is no recipe of that name.

    Examples
    --------
    >>> from striate.training import recipe_text
    >>> "laplace_weight = 6.3831" in recipe_text("cnn-2022")
    True
    """
    if name not in recipe_names():
        raise InputError(
            f"There is no recipe {name!r}: {nearest(name, recipe_names())}; or give the path of a .toml file."
        )
    return (resources.files("striate.training") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
