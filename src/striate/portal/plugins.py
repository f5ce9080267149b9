"""Plugins of the portal's processes: those that the environment names."""

import os

from striate.portal.place import PLUGINS
from striate.registry import load_plugin


def load_plugins() -> None:
    """Load the plugins that the environment names.

    Raises
    ------
    InputError
        If one cannot be loaded.
    """
    for plugin in filter(None, os.environ.get(PLUGINS, "").split(os.pathsep)):
        load_plugin(plugin)
