"""The registry: everything that is chosen by name, from striate itself and from other packages.

There is one `Registry` for each kind of component: cores, readouts, losses, metrics and so on. A component is a class or a
function that a decorator registers::

    from striate.registry import cores

    @cores.register("tiny", settings=TinySettings)
    class TinyCore(Core): ...

The decorator runs when the module is imported. A module is imported

- when one of its components is first used, if its package declares an entry point: in ``pyproject.toml``,
  ``[project.entry-points."striate.cores"]`` with ``tiny = "my_lab.cores"``. The components of striate are declared in the
  same way;
- by ``striate --plugin my_cores.py`` on the command line, or `load_plugin` in Python;
- by ``plugins = ["my_lab.cores"]`` in a recipe.
"""

from striate.registry.code_source import Source, source_of
from striate.registry.components import Component, Part, Registry, Settings, chosen_settings
from striate.registry.kinds import (
    REGISTRIES,
    augmentations,
    benchmarks,
    callbacks,
    cores,
    formats,
    losses,
    metrics,
    models,
    modulators,
    nonlinearities,
    optimisers,
    readouts,
    schedules,
    shifters,
)
from striate.registry.plugins import (
    import_object,
    imported_classes,
    installed_plugins_only,
    load_plugin,
    loaded_plugins,
)

__all__ = [
    "REGISTRIES",
    "Component",
    "Part",
    "Registry",
    "Settings",
    "Source",
    "augmentations",
    "benchmarks",
    "callbacks",
    "chosen_settings",
    "cores",
    "formats",
    "import_object",
    "imported_classes",
    "installed_plugins_only",
    "load_plugin",
    "loaded_plugins",
    "losses",
    "metrics",
    "models",
    "modulators",
    "nonlinearities",
    "optimisers",
    "readouts",
    "schedules",
    "shifters",
    "source_of",
]
