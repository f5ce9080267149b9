"""Where the portal's things lie: the competition's public folder, and a folder of the portal's own beside it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from striate._internal.paths import expand_path
from striate.competition.manifest import require_apart
from striate.errors import InputError
from striate.registry import loaded_plugins

_COMPETITION, _DATA = "STRIATE_PORTAL_COMPETITION", "STRIATE_PORTAL_DATA"
PLUGINS = "STRIATE_PORTAL_PLUGINS"
# Web process and worker can be two users of one group, so that the live truth is the worker's alone.
SHARED = bool(os.environ.get("STRIATE_PORTAL_SHARED"))
FOLDER_MODE, FILE_MODE = (0o770, 0o660) if SHARED else (0o700, 0o600)


@dataclass(frozen=True)
class Place:
    """Where the portal of one competition keeps its things.

    Attributes
    ----------
    competition
        The competition's folder, as it is published; only read.
    data
        The portal's own: database, submissions, secret key. Only this user can read it.
    """

    competition: Path
    data: Path

    @classmethod
    def of(cls, competition: Path | str, data: Path | str | None = None) -> "Place":
        """Find the place of a competition's portal; by default its data lie in ``NAME-portal`` beside ``NAME``.

        Raises
        ------
        InputError
            If the folder is not that of a competition, or the data would come to lie in it.
        """
        public = expand_path(competition).resolve()
        own = expand_path(data).resolve() if data else public.with_name(f"{public.name}-portal")
        if not (public / "competition.toml").is_file():
            raise InputError(
                f"{competition} is not the folder of a competition (it has no competition.toml): give the folder that "
                "`striate competition build` made to be published."
            )
        require_apart(public, own)
        return cls(public, own)

    @classmethod
    def from_environment(cls) -> "Place | None":
        """The place that `environment` told to this process; None if none was told."""
        public, own = os.environ.get(_COMPETITION), os.environ.get(_DATA)
        return cls(Path(public), Path(own)) if public and own else None

    @property
    def environment(self) -> Mapping[str, str]:
        """What tells this place to a process, and the plugins that this process has loaded."""
        told = filter(None, os.environ.get(PLUGINS, "").split(os.pathsep))
        plugins = os.pathsep.join(dict.fromkeys([*told, *loaded_plugins()]))
        return {_COMPETITION: str(self.competition), _DATA: str(self.data), **({PLUGINS: plugins} if plugins else {})}

    @property
    def database(self) -> Path:
        """The database, where no other is named."""
        return self.data / "portal.sqlite3"

    @property
    def submissions(self) -> Path:
        """Where submissions are kept, each named by its hash: what ``striate competition close --store`` takes."""
        return self.data / "submissions"

    @property
    def snapshots(self) -> Path:
        """Where hosted data are kept, each file named by its hash."""
        return self.data / "snapshots"

    @property
    def uploads(self) -> Path:
        """Where files lie that are being uploaded or checked."""
        return self.data / "uploads"

    @property
    def keys(self) -> Path:
        """Trials and neurons that submissions must predict; public, so that no truth is needed to check one."""
        return self.data / "keys.npz"

    @property
    def secret_key(self) -> Path:
        """The key that signs sessions and links."""
        return self.data / "secret-key"

    def prepare(self) -> None:
        """Make the portal's own folders, readable for this user alone."""
        for folder in (self.data, self.submissions, self.snapshots, self.uploads):
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
