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

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, SerializationInfo, create_model
from pydantic_core import core_schema, to_json

from striate._internal.config_validation import SettingsChoice, field_markers
from striate._internal.paths import expand_path
from striate.errors import InputError, StriateError, describe_type, listed, nearest, option, quoted, shortened

T = TypeVar("T")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,59}")
_PREFIX = "striate_plugin_"  # of the modules that are made of plugin files
_LARGEST_FILE = 2**22  # bytes of a plugin file
_loaded: dict[str, None] = {}  # plugins that were loaded, in their order
_installed_only: ContextVar[bool] = ContextVar("installed_only", default=False)
imported_classes: dict[type, str] = {}  # classes that were imported by their references
_owners: dict[type[Settings], tuple[str, str]] = {}  # kind and name of the component that settings belong to


class Settings(BaseModel):
    """Base class of the settings of a component: a table of a recipe.

    Unknown keys are refused. Describe each key in a section ``Attributes`` of the docstring; the reference pages show it.

    Attributes
    ----------
    type
        Name of the component in its registry. It is set when the component is registered.

    Examples
    --------
    >>> class TinySettings(Settings):
    ...     channels: int = 8
    >>> TinySettings(channels=4).channels
    4
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    type: str = ""


@dataclass(frozen=True)
class Source:
    """Where the code of a component comes from, as a run records it.

    Attributes
    ----------
    module
        Module that registers the component; for a plugin file, the name of the file.
    package
        Installed package (distribution) that the module belongs to; None for a plugin file or a script.
    version
        Version of the package.
    sha256
        SHA-256 hash of the source file of the module; None if it has no file, as in a notebook.
    """

    module: str
    package: str | None
    version: str | None
    sha256: str | None


@dataclass(frozen=True)
class Component(Generic[T]):
    """A registered class or function.

    Attributes
    ----------
    name
        Name that recipes and commands choose it by.
    value
        The class or function.
    settings
        Class of its settings.
    has_settings
        Whether it was registered with settings of its own.
    module
        Module that registered it.
    """

    name: str
    value: T
    settings: type[Settings]
    has_settings: bool
    module: str

    @property
    def summary(self) -> str:
        """First sentence of the docstring of the class or function; empty if there is none."""
        return (inspect.getdoc(self.value) or "").split("\n\n", 1)[0].replace("\n", " ").strip()

    @property
    def source(self) -> Source:
        """Module, package and hash of the code."""
        return source_of(self.module)


class Registry(Generic[T]):
    """Components of one kind, by name.

    Parameters
    ----------
    kind
        What the components are called in messages, in the plural, such as ``"cores"``. The entry points of other packages are
        those of the group ``striate.<kind>``.
    singular
        The singular of `kind`.
    default
        Name of the component that settings without ``type`` mean; None if ``type`` is required.
    settings_base
        Reference (``module:name``) of the base class of the settings of all components; by default `Settings`.
    base
        Reference of the base class of the components; None if they are functions, or classes without a common base class.

    Examples
    --------
    >>> colours = Registry("colours", "colour")
    >>> @colours.register("red")
    ... def red():
    ...     return "#ff0000"
    >>> colours["red"].value(), "red" in colours
    ('#ff0000', True)
    """

    def __init__(
        self,
        kind: str,
        singular: str,
        default: str | None = None,
        *,
        settings_base: str = "striate.registry:Settings",
        base: str | None = None,
    ) -> None:
        self.kind = kind
        self.singular = singular
        self.default = default
        self._settings_base = settings_base
        self._base = base
        self._components: dict[str, Component[T]] = {}

    def register(self, name: str, *, settings: type[Settings] | None = None) -> Callable[[T], T]:
        """Return a decorator that registers a class or function.

        Parameters
        ----------
        name
            Name of the component: lower-case letters, digits, ``-`` and ``_``.
        settings
            Class of its settings, for this component only, derived from the base class of the settings of its kind. By default
            there are no settings.

        Raises
        ------
        InputError
            If the name is not allowed or another component has it, or if `settings` is not derived from `Settings` or
            belongs to another component.
        """
        if callable(name):
            called = str(getattr(name, "__name__", "name"))
            raise InputError(f'register needs a name: write @{self.kind}.register("{called.lower()}") above {called}.')
        if not _NAME.fullmatch(str(name)):
            raise InputError(
                f"{quoted(name)} cannot name a {self.singular}: use lower-case letters, digits, '-' and '_', such as 'my-{self.singular}'."
            )

        def decorate(value: T) -> T:
            module = str(getattr(value, "__module__", None) or "__main__")
            self._check_name_is_free(name, value, module)
            self._check_base(name, value)
            own = self._named_settings(name, settings, value)
            self._components[name] = Component(name, value, own, settings is not None, module)
            return value

        return decorate

    def names(self) -> tuple[str, ...]:
        """Return the names of all components, those of entry points that are not loaded included."""
        return tuple(sorted({*self._components, *_entry_points(self.kind)}))

    def loaded(self) -> tuple[Component[T], ...]:
        """Return the components whose modules have been imported, by name."""
        return tuple(component for _, component in sorted(self._components.items()))

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __getitem__(self, name: str) -> Component[T]:
        """Return a component; the module of its entry point is imported if necessary.

        Raises
        ------
        InputError
            If there is no such component, or its module cannot be imported.
        """
        if name not in self._components:
            self._load(name)
        return self._components[name]

    def default_settings(self) -> Any:  # of the base class of the kind
        """Return the settings of the default component."""
        assert self.default is not None
        return self[self.default].settings()

    def settings(self, value: object, *, strict_json: bool = False) -> Settings:
        """Validate the settings of a component.

        Parameters
        ----------
        value
            A mapping with the key ``type`` and the settings of that component, or its settings.
        strict_json
            Whether values have the types of JSON and are not converted, as in a recipe.

        Raises
        ------
        InputError
            If `value` is of another type, or names no component.
        pydantic.ValidationError
            If a setting is not allowed.
        """
        if isinstance(value, Settings):
            if type(value) is not self[value.type].settings:
                raise InputError(
                    f"{type(value).__name__} are not the settings of a {self.singular}; registered: {listed(self.names(), 12)}."
                )
            return value
        if not isinstance(value, Mapping):
            raise InputError(
                f"expected a table with the key type, such as {{type = {(self.default or next(iter(self.names()), '…'))!r}}}"
            )
        name = value.get("type", self.default)
        if name is None:
            raise InputError(f"type is missing; valid: {listed(self.names(), 12)}")
        component = self[name] if isinstance(name, str) else self._load(name)
        given = {**value, "type": name}
        if strict_json:
            return component.settings.model_validate_json(to_json(given), strict=True)
        return component.settings.model_validate(given)

    def build(self, settings: Settings, *arguments: Any, **options: Any) -> Any:
        """Call the class or function that `settings` belong to, with the settings first."""
        return self[settings.type].value(settings, *arguments, **options)  # type: ignore[operator]

    def function(self, settings: Settings) -> Callable[..., Any]:
        """Return the function that `settings` choose. One that was registered with settings gets them as ``settings=``."""
        component = self[settings.type]
        value: Any = component.value
        return partial(value, settings=settings) if component.has_settings else value

    def forget(self, module: str) -> None:
        """Remove the components that a module registered."""
        self._components = {name: each for name, each in self._components.items() if each.module != module}

    def _named_settings(self, name: str, settings: type[Settings] | None, value: T) -> type[Settings]:
        """Return the class of the settings, whose default of ``type`` is the name of the component."""
        base: type[Settings] = import_object(self._settings_base)
        if settings is None:
            return create_model(f"{getattr(value, '__name__', 'Component')}Settings", __base__=base, type=(str, name))
        if base not in getattr(settings, "__mro__", ()):
            given = getattr(settings, "__name__", describe_type(settings))
            raise InputError(
                f"The settings of {self.singular} {name!r} are {given}; expected a class derived from {_public_name(base)}."
            )
        owner = _owners.setdefault(settings, (self.kind, name))
        if owner != (self.kind, name):
            raise InputError(
                f"{settings.__name__} are the settings of {owner[1]!r} ({owner[0]}): derive a class of its own for {name!r}."
            )
        settings.model_fields["type"].default = name
        settings.model_rebuild(force=True)
        return settings

    def _check_base(self, name: str, value: T) -> None:
        if self._base is None:
            return
        base: type[Any] = import_object(self._base)
        if not (isinstance(value, type) and issubclass(value, base)):
            given = f"the class {value.__name__}" if isinstance(value, type) else f"a {describe_type(value)}"
            raise InputError(
                f"The {self.singular} {name!r} is {given}; expected a class derived from {_public_name(base)}."
            )

    def _check_name_is_free(self, name: str, value: T, module: str) -> None:
        existing = self._components.get(name)
        if existing is not None:
            same = existing.module == module and _qualified(existing.value) == _qualified(value)
            if not same:  # the same definition may run again, in a notebook or after a plugin file changed
                owner = _shown(existing.module)
                raise InputError(
                    f"{_shown(module)} registers the {self.singular} {name!r}"
                    + (" twice" if existing.module == module else f", which {owner} has registered")
                    + ": choose another name for one of them."
                )
        elif (declared := _entry_points(self.kind).get(name)) and module not in (declared[0].module,):
            packages = [point.dist.name if point.dist else point.module for point in declared]
            if not any(_same_package(module, point.module) for point in declared):
                raise InputError(
                    f"{_shown(module)} registers the {self.singular} {name!r}, which package {listed(packages)} has: choose another name."
                )

    def _load(self, name: object) -> Component[T]:
        """Import the entry point of a component, and return the component."""
        declared = _entry_points(self.kind).get(name) if isinstance(name, str) else None
        if not declared:
            unknown = str(name)
            raise InputError(
                f"There is no {self.singular} {quoted(unknown)}: {nearest(unknown, self.names())}. If it belongs to a plugin, load that "
                f"first ({option('--plugin', 'striate.load_plugin')})"
            )
        if len(declared) > 1:
            packages = listed(sorted(point.dist.name if point.dist else point.module for point in declared), 6)
            raise InputError(
                f"Several packages have a {self.singular} {name!r}: {packages}. Uninstall all but one of them."
            )
        point = declared[0]
        package = point.dist.name if point.dist else "unknown"
        try:
            importlib.import_module(point.module)
        except Exception as error:  # code of others may raise anything
            raise InputError(
                f"The {self.singular} {name!r} of package {package} cannot be loaded ({_reason(error)}): repair or uninstall {package}."
            ) from error
        if name not in self._components:
            raise InputError(
                f"Package {package} declares the {self.singular} {name!r}, but its module {point.module} does not register it: update or "
                f"uninstall {package}."
            )
        return self._components[str(name)]


class Part(SettingsChoice):
    """Makes a field of a pydantic model hold the settings of any component of a registry.

    Examples
    --------
    >>> from typing import Annotated
    >>> from pydantic import BaseModel
    >>> colours = Registry("colours", "colour")
    >>> @colours.register("red")
    ... def red():
    ...     return "#ff0000"
    >>> class Paint(BaseModel):
    ...     colour: Annotated[Settings, Part(colours)]
    >>> Paint(colour={"type": "red"}).colour.type
    'red'
    """

    def __init__(self, registry: Registry[Any]) -> None:
        self.registry = registry

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        """Return the schema that validates and serialises the settings of the chosen component."""
        return core_schema.with_info_plain_validator_function(
            lambda value, info: self.validate(value, strict_json=info.mode == "json"),
            serialization=core_schema.plain_serializer_function_ser_schema(_dump, info_arg=True),
        )

    def validate(self, value: Any, *, strict_json: bool = False) -> Settings:
        """Validate the settings of a component; see `Registry.settings`."""
        return self.registry.settings(value, strict_json=strict_json)

    def settings_class(self, value: object) -> type[Settings] | None:
        """Return the class of the settings that a table chooses; None if it chooses none that exists."""
        if isinstance(value, Settings):
            return type(value)
        name = value.get("type", self.registry.default) if isinstance(value, Mapping) else self.registry.default
        try:
            return self.registry[name].settings if isinstance(name, str) else None
        except InputError:
            return None


def _dump(settings: Settings, info: SerializationInfo) -> dict[str, Any]:
    return settings.model_dump(mode=info.mode, exclude_none=bool(info.exclude_none))


# One registry for each kind of component. What a component must provide is described in the class named beside it.
models: Registry[Any] = Registry("models", "model", default="encoder")
cores: Registry[Any] = Registry(
    "cores",
    "core",
    default="convolutional",
    settings_base="striate.models.cores.base:CoreSettings",
    base="striate.models.cores.base:Core",
)
readouts: Registry[Any] = Registry(
    "readouts", "readout", default="gaussian", base="striate.models.readouts.base:Readout"
)
shifters: Registry[Any] = Registry("shifters", "shifter", default="mlp", base="striate.models.shifters.base:Shifter")
modulators: Registry[Any] = Registry("modulators", "modulator", base="striate.models.modulators.base:Modulator")
nonlinearities: Registry[Any] = Registry(
    "nonlinearities", "nonlinearity", default="elu", base="striate.models.nonlinearities:Nonlinearity"
)
losses: Registry[Any] = Registry(  # striate.training.losses says what a loss is
    "losses", "loss", default="poisson", settings_base="striate.training.recipe:LossSettings"
)
optimisers: Registry[Any] = Registry(  # striate.training.optimisers
    "optimisers", "optimiser", default="adam", settings_base="striate.training.recipe:OptimiserSettings"
)
schedules: Registry[Any] = Registry(
    "schedules",
    "schedule",
    default="plateau",
    settings_base="striate.training.recipe:ScheduleSettings",
    base="striate.training.schedules:Schedule",
)
augmentations: Registry[Any] = Registry("augmentations", "augmentation")  # striate.data.augmentations
callbacks: Registry[Any] = Registry("callbacks", "callback", base="striate.training.callbacks:Callback")
metrics: Registry[Any] = Registry("metrics", "metric")  # striate.metrics.registered
formats: Registry[Any] = Registry("formats", "format")  # striate.submissions.formats
benchmarks: Registry[Any] = Registry("benchmarks", "benchmark", default="sensorium2022")  # striate.benchmarks

REGISTRIES: Mapping[str, Registry[Any]] = {
    registry.kind: registry
    for registry in (
        models,
        cores,
        readouts,
        shifters,
        modulators,
        nonlinearities,
        losses,
        optimisers,
        schedules,
        augmentations,
        callbacks,
        metrics,
        formats,
        benchmarks,
    )
}


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
    if _installed_only.get() and (is_file or (text not in sys.modules and _package_of(text) is None)):
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
        raise InputError(f"The plugin {text} cannot be loaded ({_reason(error)}).") from error
    except Exception as error:  # code of others may raise anything
        raise InputError(f"The plugin {text} cannot be loaded ({_reason(error)}).") from error


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


def source_of(module: str) -> Source:
    """Return the package, version and content hash of a module that has been imported."""
    package = _package_of(module)
    version = importlib.metadata.version(package) if package else None
    file = getattr(sys.modules.get(module), "__file__", None)
    digest = None
    if file is not None and Path(file).is_file():
        digest = hashlib.sha256(Path(file).read_bytes()).hexdigest()
    return Source(_shown(module), package, version, digest)


def chosen_settings(model: BaseModel) -> Iterator[tuple[Registry[Any], Settings]]:
    """Yield the settings of the components that the fields of settings choose, with their registries, nested tables included."""
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        values = value if isinstance(value, tuple | list) else (value,)
        for part in field_markers(Part, field.annotation, field.metadata):
            for settings in values:
                if isinstance(settings, Settings):
                    yield part.registry, settings
        for inner in values:
            if isinstance(inner, BaseModel):
                yield from chosen_settings(inner)


@cache
def _entry_points(kind: str) -> Mapping[str, list[importlib.metadata.EntryPoint]]:
    """Return the entry points of all installed packages for one kind of component, by name."""
    found: dict[str, list[importlib.metadata.EntryPoint]] = {}
    for point in importlib.metadata.entry_points(group=f"striate.{kind}"):
        found.setdefault(point.name, []).append(point)
    return found


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
    name = f"{_PREFIX}{stem}_{hashlib.sha256(str(resolved).encode(errors='replace')).hexdigest()[:8]}"
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
        for registry in REGISTRIES.values():
            registry.forget(name)
        if not isinstance(error, Exception):
            raise
        raise InputError(f"The plugin {path} cannot be loaded ({_reason(error, str(resolved))}).") from error
    return module


def _reason(error: BaseException, file: str | None = None) -> str:
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


@cache
def _packages() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()


def _package_of(module: str) -> str | None:
    """Return the installed package that a module belongs to; None for files, scripts and notebooks."""
    top = module.partition(".")[0]
    if top.startswith(_PREFIX) or top == "__main__":
        return None
    if top == "striate":
        return "striate"
    return next(iter(_packages().get(top, ())), None)


def _public_name(kind: type) -> str:
    """Return the name of a class of striate in the package that exports it, such as ``striate.models.Core``."""
    return f"{'.'.join(kind.__module__.split('.')[:2])}.{kind.__name__}"


def _shown(module: str) -> str:
    """Return the name of a module for people: that of the file, for a plugin file."""
    file = getattr(sys.modules.get(module), "__file__", None)
    return Path(file).name if module.startswith(_PREFIX) and file else module


def _qualified(value: object) -> str:
    return str(getattr(value, "__qualname__", value))


def _same_package(module: str, other: str) -> bool:
    return module.partition(".")[0] == other.partition(".")[0]
