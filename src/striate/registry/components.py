"""Components of one kind by name, and the settings that choose them."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, SerializationInfo, create_model
from pydantic_core import core_schema, to_json

from striate._internal.config_validation import SettingsChoice, field_markers
from striate.errors import InputError, describe_type, listed, nearest, option, quoted
from striate.registry.code_source import Source, shown_module, source_of
from striate.registry.plugins import describe_failure, import_object

T = TypeVar("T")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,59}")
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
                owner = shown_module(existing.module)
                raise InputError(
                    f"{shown_module(module)} registers the {self.singular} {name!r}"
                    + (" twice" if existing.module == module else f", which {owner} has registered")
                    + ": choose another name for one of them."
                )
        elif (declared := _entry_points(self.kind).get(name)) and module not in (declared[0].module,):
            packages = [point.dist.name if point.dist else point.module for point in declared]
            if not any(_same_package(module, point.module) for point in declared):
                raise InputError(
                    f"{shown_module(module)} registers the {self.singular} {name!r}, which package {listed(packages)} has: choose another name."
                )

    def _load(self, name: object) -> Component[T]:
        """Import the entry point of a component, and return the component."""
        declared = _entry_points(self.kind).get(name) if isinstance(name, str) else None
        if not declared:
            unknown = str(name)
            raise InputError(
                f"There is no {self.singular} {quoted(unknown)}: {nearest(unknown, self.names())}. If it belongs to a plugin, load that "
                f"first ({option('--plugin', 'striate.load_plugin')})."
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
                f"The {self.singular} {name!r} of package {package} cannot be loaded ({describe_failure(error)}): repair or uninstall {package}."
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


def _public_name(kind: type) -> str:
    """Return the name of a class of striate in the package that exports it, such as ``striate.models.Core``."""
    return f"{'.'.join(kind.__module__.split('.')[:2])}.{kind.__name__}"


def _qualified(value: object) -> str:
    return str(getattr(value, "__qualname__", value))


def _same_package(module: str, other: str) -> bool:
    return module.partition(".")[0] == other.partition(".")[0]
