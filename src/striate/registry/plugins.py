"""Plugins: modules and Python files that register components."""

import hashlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import Any

from striate._internal.paths import expand_path
from striate.errors import InputError, StriateError, nearest, option, quoted, shortened
from striate.registry.code_source import PLUGIN_PREFIX, package_of

_LARGEST_FILE = 2**22  # bytes of a plugin file
_loaded: dict[str, None] = {}  # plugins that were loaded, in their order
_installed_only: ContextVar[bool] = ContextVar("installed_only", default=False)
_forget: list[Callable[[str], None]] = []
imported_classes: dict[type, str] = {}  # classes that were imported by their references


def load_plugin(plugin: str | Path) -> ModuleType:
    """Import a module or a Python file that registers components.

    A file that has been loaded is loaded again only if its content has changed.

    Parameters
    ----------
    plugin
        Name of a module, such as ``"my_lab.cores"``, or path of a ``.py`` file. **Its code is executed.**

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    InputError
        If there is no such module or file, or its code raises an exception.

    Examples
    --------
    >>> load_plugin("striate.models.readouts.gaussian").__name__
    'striate.models.readouts.gaussian'
    """
    text = str(plugin)
    is_file = text.endswith(".py") or "/" in text or isinstance(plugin, Path)
    if _installed_only.get() and (is_file or (text not in sys.modules and package_of(text) is None)):
        raise InputError(
            f"The plugin {quoted(text)} is needed, which belongs to no installed package: install its package, or load it first "
            f"({option('--plugin', 'striate.load_plugin')})."
        )
    if is_file:
        module = _load_file(expand_path(plugin))
        _loaded[str(expand_path(plugin).resolve())] = None
        return module
    try:
        module = importlib.import_module(text)
        if not text.startswith("striate."):
            _loaded[text] = None
        return module
    except ModuleNotFoundError as error:
        if error.name is not None and (text == error.name or text.startswith(f"{error.name}.")):
            raise InputError(
                f"There is no module {quoted(text)}: install the package that has it, or give the path of a .py file."
            ) from error
        raise InputError(f"The plugin {text} cannot be loaded ({describe_failure(error)}).") from error
    except Exception as error:  # code of others may raise anything
        raise InputError(f"The plugin {text} cannot be loaded ({describe_failure(error)}).") from error


def loaded_plugins() -> tuple[str, ...]:
    """Return the plugins that `load_plugin` has loaded, to load them in another process: absolute paths and names of modules."""
    return tuple(_loaded)


@contextmanager
def installed_plugins_only() -> Iterator[None]:
    """Refuse to import modules that do not belong to an installed package, within the ``with`` block.

    Files from others, such as runs and weights, name the plugins that they need. Opening them must not execute code that lies
    beside them. Modules that have been imported already are allowed.
    """
    token = _installed_only.set(True)
    try:
        yield
    finally:
        _installed_only.reset(token)


def import_object(reference: str) -> Any:
    """Import an object by its reference ``module:name``, such as ``"my_lab.models:Net"``.

    Raises
    ------
    InputError
        If the module cannot be imported, or has no such object.

    Examples
    --------
    >>> import_object("pathlib:Path").__name__
    'Path'
    """
    module_name, _, name = reference.partition(":")
    module = load_plugin(module_name)
    try:
        value: Any = module
        for part in name.split("."):
            value = getattr(value, part)
    except AttributeError as error:
        public = [each for each in vars(module) if not each.startswith("_")]
        raise InputError(f"{module_name} has no {name!r}: {nearest(name, public)}.") from error
    if isinstance(value, type):
        imported_classes[value] = reference
    return value


def when_a_plugin_fails(forget: Callable[[str], None]) -> None:
    """Have a function called with the name of the module of each plugin file whose code raises an exception."""
    _forget.append(forget)


def _load_file(path: Path) -> ModuleType:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise InputError(f"{path} has more than {_LARGEST_FILE // 2**20} MiB, which is no plugin: give a .py file.")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"The plugin {path} cannot be read ({error.strerror}): give the path of a .py file."
        ) from error
    resolved = path.resolve()
    digest = hashlib.sha256(content).hexdigest()
    stem = re.sub(r"\W", "_", resolved.stem)
    name = f"{PLUGIN_PREFIX}{stem}_{hashlib.sha256(str(resolved).encode(errors='replace')).hexdigest()[:8]}"
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__striate_sha256__", None) == digest:
        return loaded
    spec = importlib.util.spec_from_file_location(name, resolved)
    if spec is None or spec.loader is None:
        raise InputError(f"The plugin {path} is no Python file: give the path of a .py file.")
    module = importlib.util.module_from_spec(spec)
    module.__dict__["__striate_sha256__"] = digest
    sys.modules[name] = module
    try:
        exec(compile(content, str(resolved), "exec"), module.__dict__)
    except BaseException as error:
        del sys.modules[name]
        for forget in _forget:
            forget(name)
        if not isinstance(error, Exception):
            raise
        raise InputError(f"The plugin {path} cannot be loaded ({describe_failure(error, str(resolved))}).") from error
    return module


def describe_failure(error: BaseException, file: str | None = None) -> str:
    """Describe an exception of a plugin, with the line of the plugin's file that raised it."""
    if isinstance(error, SyntaxError):
        line = f"line {error.lineno}: " if error.lineno else ""
        return f"{line}{error.msg}"
    line = ""
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == file:
            line = f"line {step.tb_lineno}: "
        step = step.tb_next
    if isinstance(error, StriateError):  # says itself what is wrong
        return f"{line}{shortened(str(error).rstrip('.'), 300)}"
    if isinstance(error, ModuleNotFoundError):
        return f"{line}it imports {error.name!r}, which is not installed: install the package that has it"
    text = str(error).partition("For further information visit")[0].strip()  # pydantic's
    return f"{line}{type(error).__name__}: {shortened(text.rstrip('.'), 200)}"
