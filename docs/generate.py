"""Write the pages of the reference that follow from the code: commands, rules, keys of a recipe.

``python docs/generate.py`` writes them anew (``make docs`` does so first); a test compares what is committed with what the
code says today.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from enum import Enum
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from striate._internal.config_validation import field_markers
from striate.registry import Component, Part, Registry, Settings

DOCS = Path(__file__).parent
NOTICE = "<!-- Written by docs/generate.py: change the code, then run `make docs`. -->"

# The class of rules that begins with each of these (RULES is in this order).
RULE_CLASSES = {
    "not-an-archive": "The archive as a container",
    "not-an-array": "Arrays",
    "missing-file": "Tables of neurons and trials",
    "missing-trial": "Values of the trials",
    "one-image-one-id": "Images and repeats",
    "withheld-not-zero": "Withholding",
    "missing-statistics": "Statistics",
}

_HEAD = ("| key | type | default | meaning |", "|---|---|---|---|")
_SHOWN = "cnn-2022-behavior"


def pages() -> dict[str, Callable[[], str]]:
    """Path of each generated page below ``docs``, and what makes its text."""
    return {
        "reference/cli.md": cli,
        "reference/rules.md": rules,
        "reference/recipes.md": recipes,
        "reference/benchmark-toml.md": benchmark_toml,
        "reference/competition-toml.md": competition_toml,
        "reference/leaks.md": leaks,
        "reference/portal-settings.md": portal_settings,
        "zoo.md": zoo,
    }


def zoo() -> str:
    """What `striate zoo` has measured: the results in ``docs/zoo``, with the figures that ``figures/zoo.py`` draws of them."""
    from striate.zoo import ZooResults, zoo_markdown

    parts = [
        "# The zoo",
        "<!-- Written by docs/generate.py: replace the results in docs/zoo, run docs/figures/zoo.py, then `make docs`. -->",
        "",
        "Recipes that come with striate, measured by `striate zoo` ([Compare models](how-to/compare-models.md)). Choices were made on validation",
        "trials only. Models of different protocols, or of different recordings, must not be compared. What the recipes are is on the page",
        "[Recipes](reference/recipes.md); what their parts compute, on the page [Models](explanation/models.md).",
        "",
    ]
    for path in sorted((DOCS / "zoo").glob("*.json")):
        figures = {
            figure.stem.removeprefix(f"zoo-{path.stem}-"): f"figures/{figure.name}"
            for figure in sorted((DOCS / "figures").glob(f"zoo-{path.stem}-*.png"))
        }
        parts.append(zoo_markdown([ZooResults.read(path)], level=2, figures=figures))
    return "\n".join(parts)


def cli() -> str:
    """Every command with its arguments and options, from the Typer app."""
    from striate.cli.app import program

    group = program()
    lines = [
        "# Commands",
        NOTICE,
        "",
        "Each command says the same about itself with `--help`. Where a command is given something that it cannot use, it prints "
        "one sentence on standard error and exits with status 1; nothing is half written. `striate --version` prints the version, "
        "and `striate --install-completion` teaches your shell to complete commands and options.",
        "",
        "| command | what it does |",
        "|---|---|",
    ]
    panels: dict[str, list[tuple[str, Any]]] = {}
    for name, command in group.commands.items():
        if not command.hidden:
            shown = panels.setdefault(command.rich_help_panel, [])
            shown += _commands({name: command}, "striate")
    for panel, listed in panels.items():
        lines.append(f"| **{panel}** | |")
        for name, command in listed:
            lines.append(
                f"| [`{name}`](#{name.replace(' ', '-')}) | {_first_sentence(_help(command))} |"
            )
    commands = [each for listed in panels.values() for each in listed]
    for name, command in commands:
        lines += ["", f"## {name}", "", *_command(name, command)]
    return "\n".join(lines) + "\n"


def _commands(commands: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for name, command in commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from _commands(command.commands, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _command(name: str, command: Any) -> Iterator[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [
        p for p in command.params if p.param_type_name == "option" and p.name != "help"
    ]
    yield _help(command)
    yield ""
    yield "```text"
    said = [_metavar(p) if p.required else f"[{_metavar(p)}]" for p in arguments]
    yield " ".join(
        [
            name,
            *said,
            *(f"{p.opts[0]} {_type(p)}" for p in options if p.required),
            "[options]" if options else "",
        ]
    ).strip()
    yield "```"
    if arguments:
        yield ""
        yield "| argument | |"
        yield "|---|---|"
        for p in arguments:
            yield f"| `{_metavar(p)}` | {_cell(p.help)} |"
    if options:
        yield ""
        yield "| option | | default |"
        yield "|---|---|---|"
        for p in options:
            yield f"| {_option(p)} | {_cell(p.help)} | {_default(p)} |"


def _help(command: Any) -> str:
    text = (command.help or "").split("\f")[0].strip()
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]
    return "\n\n".join(paragraphs).replace("``", "`")


def _first_sentence(text: str) -> str:
    first = text.split("\n\n")[0]
    return re.split(r"(?<=\.)\s", first)[0].rstrip(".")


def _metavar(parameter: Any) -> str:
    name = parameter.metavar or parameter.name
    return f"{name}..." if parameter.nargs == -1 else name


def _type(parameter: Any) -> str:
    if parameter.metavar:
        return str(parameter.metavar)
    annotation = parameter.type_descriptor.annotation
    for part in getattr(annotation, "__args__", ()):
        if isinstance(part, type) and part is not type(None):
            annotation = part
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "/".join(str(choice.value) for choice in annotation)
    return f"<{getattr(annotation, '__name__', str(annotation)).lower()}>"


def _option(parameter: Any) -> str:
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    kind = "" if parameter.is_flag else f" {_type(parameter)}"
    return f"`{names}{kind}`" + (
        " (may be given several times)" if parameter.multiple else ""
    )


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    default = parameter.default
    if (
        default is None
        or default is False
        or default in ("", (), [])
        or callable(default)
    ):
        return ""
    return f"`{'yes' if default is True else default}`"


def _cell(text: str | None) -> str:
    plain = " ".join((text or "").split()).replace("|", r"\|")
    return re.sub(r"(?<![`\w=-])(--[a-z][\w-]*)", r"`\1`", plain)


def rules() -> str:
    """Every rule of ``striate check``, by class."""
    from striate.recordings import RULES

    lines = [
        "# Rules of `striate check`",
        NOTICE,
        "",
        "A finding of `striate check` begins with its severity and the name of a rule. An **error** makes the recording invalid: it "
        "cannot be read, or results would be wrong. A **warning** deserves a look before you rely on the recording. A **note** is "
        "true and harmless. A finding may weigh less than its rule, where only part of a recording is concerned. What to do "
        "about each class of finding is told in [Open and check a recording](../how-to/open-and-check.md#what-to-do-about-a-finding).",
    ]
    for name, rule in RULES.items():
        if name in RULE_CLASSES:
            lines += [
                "",
                f"## {RULE_CLASSES[name]}",
                "",
                "| rule | severity | what it demands |",
                "|---|---|---|",
            ]
        lines.append(f"| `{name}` | {rule.severity} | {_cell(rule.demand)} |")
    return "\n".join(lines) + "\n"


def recipes() -> str:
    """Every key of a recipe, from the models that check it, and the recipes that come with striate."""
    from striate.training import Recipe, load_recipe, recipe_names, recipe_text

    lines = [
        "# Recipes",
        NOTICE,
        "",
        "A recipe is a TOML file that decides how an encoder is trained. It is checked whole before any work: an unknown key is an "
        "error that names the key to use, also for names of the SENSORIUM 2022 tools. Every key may be left out, and then has the default below. On the command line, "
        "`--set table.key=value` changes one key. [Train an encoder](../how-to/train.md) shows them at work; "
        "[Models](../explanation/models.md) explains what they mean.",
        "",
        "## Keys",
        "",
        "| key | type | default | meaning |",
        "|---|---|---|---|",
        *_rows(Recipe, ()),
        *_keys_of(Recipe, ()),
        "",
        "## The recipes that come with striate",
        "",
        "`striate train` takes these by name, and `striate recipes NAME` prints one in full, to be changed and kept as your own.",
        "",
        "| name | what it is |",
        "|---|---|",
        *(
            f"| `{name}` | {_cell(load_recipe(name).description)} |"
            for name in recipe_names()
        ),
        "",
        f"In full, `{_SHOWN}`:",
        "",
        "```toml",
        recipe_text(_SHOWN).strip(),
        "```",
    ]
    return "\n".join(lines) + "\n"


def benchmark_toml() -> str:
    """Every key of the description of a benchmark, from the models that check it."""
    from importlib.resources import files

    from striate.benchmarks import BenchmarkSpec

    text = (files("striate.benchmarks") / "sensorium2022.toml").read_text(
        encoding="utf-8"
    )
    lines = [
        "# Benchmarks",
        NOTICE,
        "",
        "A TOML file describes a benchmark: what is shown, measured, withheld and ranked. It is checked whole: an unknown key is an error "
        "that names the key to use. `striate benchmarks new` writes a commented one; [Describe a "
        "benchmark](../how-to/describe-a-benchmark.md) shows it at work. Double brackets stand for a table that may be given "
        "several times.",
        "",
        *_HEAD,
        *(row for row in _rows(BenchmarkSpec, ()) if "(see [" not in row),
        *_sections(BenchmarkSpec),
        "",
        "## SENSORIUM 2022",
        "",
        "In full, the benchmark `sensorium2022`:",
        "",
        "```toml",
        text.strip(),
        "```",
    ]
    return "\n".join(lines) + "\n"


def _sections(model: type[BaseModel]) -> Iterator[str]:
    """Yield the section of each table of a model; tables that may be given several times have double brackets."""
    for table, inner, _ in _tables(model, ()):
        owner: type[BaseModel] = model
        for name in table.split(".")[:-1]:
            owner = _model_in(owner.model_fields[name].annotation) or owner
        field = owner.model_fields[table.split(".")[-1]]
        several = "tuple" in str(field.annotation)
        yield from (
            "",
            f"## [[{table}]]" if several else f"## [{table}]",
            "",
            _summary(inner),
            "",
            *_HEAD,
            *_rows(inner, tuple(table.split("."))),
        )


def competition_toml() -> str:
    """Every key of a ``competition.toml``, from the models that check it."""
    from striate.competition import Rules

    lines = [
        "# competition.toml",
        NOTICE,
        "",
        "The rules of a competition: everything that its participants may know. The file is checked whole before anything is "
        "written, and published as it stands. `striate competition new` writes a commented one; [Make a "
        "competition](../how-to/make-a-competition.md) shows it at work. Double brackets stand for a table that may be "
        "given several times.",
        "",
        "| key | type | default | meaning |",
        "|---|---|---|---|",
        *_rows(Rules, ()),
    ]
    for table, model, _ in _tables(Rules, ()):
        several = "tuple" in str(Rules.model_fields[table.split(".")[0]].annotation)
        heading = f"[[{table}]]" if several else f"[{table}]"
        lines += [
            "",
            f"## {heading}",
            "",
            _summary(model),
            "",
            "| key | type | default | meaning |",
            "|---|---|---|---|",
            *_rows(model, tuple(table.split("."))),
        ]
    return "\n".join(lines) + "\n"


def leaks() -> str:
    """Every rule of ``striate competition audit``."""
    from striate.competition import LEAKS
    from striate.competition.leaks import DECLARABLE

    lines = [
        "# Rules of `striate competition audit`",
        NOTICE,
        "",
        "A finding of `striate competition audit` begins with its severity and the name of a rule. An **error** gives away something "
        "that is withheld. A **warning** may, and deserves a look. A **note** is so by design, or harmless. What can be *declared* "
        "in the rules of a competition is reported as a note there. [What leaks](../explanation/fair-competitions.md) explains "
        "how each is looked for.",
        "",
        "| rule | severity | what it demands | can be declared |",
        "|---|---|---|---|",
    ]
    for name, rule in LEAKS.items():
        declared = "yes" if name in DECLARABLE else ""
        lines.append(
            f"| `{name}` | {rule.severity} | {_cell(rule.demand)} | {declared} |"
        )
    return "\n".join(lines) + "\n"


def portal_settings() -> str:
    """Every environment variable of the portal, from the tables that check them."""
    from striate.portal.environment import PREFIX, VARIABLES
    from striate.portal.rates import LIMITS, variable

    lines = [
        "# Settings of the portal",
        NOTICE,
        "",
        "The portal is set up by environment variables, and each has a default that is right on a laptop. An unknown variable that "
        f"begins with `{PREFIX}`, such as a misspelt one, is refused before anything starts, with the nearest valid name; so is a "
        f"value that cannot be used. The variables that Kubernetes sets for a service called `striate-portal` (`{PREFIX}SERVICE_HOST`, "
        f"`{PREFIX}PORT_…`) are ignored.",
        "",
        "| variable | what it sets | default |",
        "|---|---|---|",
        *(f"| `{each.name}` | {each.sets} | {each.default} |" for each in VARIABLES),
        "",
        "## Limits",
        "",
        "A limit is a number of attempts and a time of at most 24 hours in `s`, `m` or `h`: `200/1h`. [What may not be tried too "
        "often](portal.md#what-may-not-be-tried-too-often) says how attempts are counted.",
        "",
        "| variable | what is limited | for | default |",
        "|---|---|---|---|",
        *(
            f"| `{variable(name)}` | {limit.what} | {limit.whose} | `{limit.default}` |"
            for name, limit in LIMITS.items()
        ),
    ]
    return "\n".join(lines) + "\n"


def _tables(
    model: type[BaseModel], path: tuple[str, ...], known: Collection[str] = ()
) -> Iterator[tuple[str, type[BaseModel], Registry[Any] | None]]:
    """Yield the tables below `path`, with the model that checks each, and the registry that it chooses a component from.

    The tables called `known` are left out.
    """
    for name, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        if inner is None or name in known:
            continue
        part = next(field_markers(Part, field.annotation, field.metadata), None)
        registry = part.registry if part else None
        if any(_is_key(f) for f in inner.model_fields.values()):
            yield ".".join((*path, name)), inner, registry
        yield from _tables(inner, (*path, name))
        for component in _own_components(registry):
            yield from _tables(component.settings, (*path, name), inner.model_fields)


def _own_components(registry: Registry[Any] | None) -> Iterator[Component[Any]]:
    """Yield the components of a registry that come with striate."""
    for name in registry or ():
        component = registry[name]
        if component.module.startswith("striate."):
            yield component


def _keys_of(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[str]:
    """Yield the section of each table of a model, and of each component that a table chooses."""
    for (inner, registry), same in groupby(
        _tables(model, path), key=lambda each: each[1:]
    ):
        tables = [table for table, *_ in same]
        table, above = tables[0], tuple(tables[0].split("."))
        heading = ", ".join(f"[{each}]" for each in tables)
        summary = (
            f"Chooses the {registry.singular} by `type`; the other keys are those of the {registry.singular}."
            if registry is not None
            and inner.model_fields.keys() == Settings.model_fields.keys()
            else _summary(inner)
        )
        yield from ["", f"### {heading}", "", summary, ""]
        yield from [*_HEAD, *_rows(inner, above, registry=registry)]
        for component in _own_components(registry):
            extra = _extra_keys(component.settings, inner)
            if not any(
                _is_key(component.settings.model_fields[name]) for name in extra
            ):
                continue
            yield from ["", f'#### [{table}] type = "{component.name}"', ""]
            yield from [_summary(component.settings), "", *_HEAD]
            yield from _rows(component.settings, above, extra)


def _extra_keys(model: type[BaseModel], base: type[BaseModel]) -> set[str]:
    """Return the keys that a model has in addition to those of its base, or with another default or type."""
    return {
        name
        for name, field in model.model_fields.items()
        if name != "type"
        and (
            name not in base.model_fields
            or (field.annotation, field.default)
            != (base.model_fields[name].annotation, base.model_fields[name].default)
        )
    }


def _rows(
    model: type[BaseModel],
    path: tuple[str, ...],
    only: set[str] | None = None,
    registry: Registry[Any] | None = None,
) -> Iterator[str]:
    meanings = attributes(model)
    for name, field in model.model_fields.items():
        if not _is_key(field) or (only is not None and name not in only):
            continue
        if _model_in(field.annotation) is not None:
            kind, default = (
                f"table, true or false (see [{'.'.join((*path, name))}])",
                "`false`",
            )
        else:
            kind, default = (
                schema_type(TypeAdapter(_whole_type(field)).json_schema()),
                "required"
                if field.is_required()
                else _toml(field.get_default(call_default_factory=True)),
            )
        if name == "type" and registry is not None:
            own = [n for n in registry if registry[n].module.startswith("striate.")]
            kind = f"{' or '.join(map(_toml, own))}, or one of a plugin"
            default = _toml(registry.default) if registry.default else "required"
        yield f"| `{name}` | {_cell(kind)} | {default} | {_cell(meanings[name])} |"


def _whole_type(field: FieldInfo) -> Any:
    """Return the annotation of a field with its limits."""
    if not field.metadata:
        return field.annotation
    return Annotated[field.annotation, *field.metadata]


def _is_key(field: FieldInfo) -> bool:
    """Whether a field stands in its table as a key: it is no table, or one that may be left out."""
    return _model_in(field.annotation) is None or field.default is None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = [
        found
        for part in getattr(annotation, "__args__", ())
        if (found := _model_in(part))
    ]
    return inner[0] if inner else None


def _summary(model: type[BaseModel]) -> str:
    text = (model.__doc__ or "").strip().split("\n\n")[0]
    return " ".join(text.split()).replace("``", "`")


def attributes(model: type[BaseModel]) -> dict[str, str]:
    """The sections "Attributes" of a model's NumPy docstring and of those of its base classes: text by name."""
    found: dict[str, str] = {}
    for each in model.__mro__:
        found = _attributes(each.__doc__ or "") | found
    return found


def _attributes(docstring: str) -> dict[str, str]:
    parts = re.split(r"\n\s*Attributes\n\s*-+\n", docstring)
    section = parts[1] if len(parts) > 1 else ""
    section = re.split(r"\n\s*(?:Raises|References|Notes|Examples)\n\s*-+\n", section)[
        0
    ]
    found: dict[str, str] = {}
    for entry in re.finditer(
        r"^    (?P<names>\S[^\n]*)\n(?P<text>(?:(?:        [^\n]*)?\n?)+)",
        section,
        re.MULTILINE,
    ):
        names = entry["names"].split(" : ")[0].split(", ")
        text = " ".join(entry["text"].split()).replace("``", "`")
        for name in names:
            found[name] = text
    return found


def schema_type(schema: dict[str, Any]) -> str:
    """A JSON schema in words: ``integer ≥ 1``, ``list of text``."""
    if "anyOf" in schema:
        return " or ".join(
            schema_type(part) for part in schema["anyOf"] if part.get("type") != "null"
        )
    if "const" in schema:
        return f'"{schema["const"]}"'
    if "enum" in schema:
        return " or ".join(f'"{value}"' for value in schema["enum"])
    if schema.get("type") == "array":
        if "prefixItems" in schema:
            return f"[{', '.join(schema_type(item) for item in schema['prefixItems'])}]"
        return f"list of {schema_type(schema['items'])}"
    if schema.get("type") == "object":
        return f"table of {schema_type(schema['additionalProperties'])}"
    if schema.get("format") == "date-time":
        return "date and time"
    word = {
        "integer": "integer",
        "number": "number",
        "boolean": "true or false",
        "string": "text",
    }[schema["type"]]
    signs = {
        "minimum": "≥",
        "exclusiveMinimum": ">",
        "maximum": "≤",
        "exclusiveMaximum": "<",
    }
    limits = [f"{sign} {schema[key]:g}" for key, sign in signs.items() if key in schema]
    return f"{word} {' and '.join(limits)}".strip()


def _toml(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f'`"{value}"`'
    return f"`{json.dumps(list(value)) if isinstance(value, tuple) else value}`"


if __name__ == "__main__":
    for path, text in pages().items():
        (DOCS / path).parent.mkdir(parents=True, exist_ok=True)
        (DOCS / path).write_text(text(), encoding="utf-8")
