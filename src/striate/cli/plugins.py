"""The option ``--plugin``, which any command takes, before or after its name."""

from collections.abc import Sequence
from typing import Any

from striate.errors import InputError

OPTION = "--plugin"


def load_plugins(arguments: Sequence[str]) -> list[str]:
    """Load the plugins that the command line names, and return the other arguments.

    They are loaded before the command line is read, because components of plugins are values of other options.

    Raises
    ------
    InputError
        If a plugin cannot be loaded, or its name is missing.

    Examples
    --------
    >>> load_plugins(["recipes", "--plugin", "striate.training.losses", "--", "--plugin"])
    ['recipes', '--', '--plugin']
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    remaining: list[str] = []
    given = iter(arguments[:end])
    for argument in given:
        name, equals, value = argument.partition("=")
        if name != OPTION:
            remaining.append(argument)
            continue
        plugin = value if equals else next(given, "")
        if not plugin or plugin.startswith("--"):
            raise InputError(f"{OPTION} needs the path of a .py file, or the name of a module.")
        from striate.registry import load_plugin

        load_plugin(plugin)
    return [*remaining, *arguments[end:]]


def plugin_components() -> list[tuple[str, Any]]:
    """Return the components that do not belong to striate, each with the singular of its kind. Entry points are not loaded."""
    from striate.registry import REGISTRIES

    return [
        (registry.singular, component)
        for registry in REGISTRIES.values()
        for component in registry.loaded()
        if not component.module.startswith("striate.")
    ]
