"""Where striate keeps what is not the user's own: caches, and settings."""

import os
from pathlib import Path

from platformdirs import user_cache_path, user_config_path


def cache_folder() -> Path:
    """Folder of packed recordings and fetched datasets: ``$STRIATE_CACHE``, else the platform's place for caches."""
    chosen = os.environ.get("STRIATE_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("striate")


def settings_folder() -> Path:
    """Folder of the user's own datasets, accepted terms and tokens: ``$STRIATE_SETTINGS``, else the platform's place."""
    chosen = os.environ.get("STRIATE_SETTINGS")
    return Path(chosen).expanduser() if chosen else user_config_path("striate")
