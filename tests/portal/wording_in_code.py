"""Find sentences in the portal's own code that people see and that no translation reaches."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import striate.portal

PORTAL = Path(striate.portal.__file__).parent

# What is said where no reader's language is known: each with the reason.
ENGLISH = {
    "client.py": "a program on the sender's machine, which loads no Django",
    "pushing.py": "a program on the organiser's machine, which loads no Django",
    "entries/card.py": "read_card serves the command line; what the form says of a card is translated in entries/forms.py",
    "place.py": "told on the command line, before Django is loaded",
    "secret_key.py": "told on the command line, before Django is loaded",
    "bucket.py": "told on the command line, before Django is loaded",
    "days.py": "told on the command line, before Django is loaded",
    "rates.py": "told on the command line, before Django is loaded",
    "migrations/0012_name_keys.py": "told on the command line",
    "vaults.py": "told on the command line",
    "boards/publish.py": "striate publish, on the command line",
    "organising/audit.py": "only striate serve --verify-audit-log, on the command line, reads the log against itself",
    "organising/backup.py": "told on the command line",
    "organising/restore.py": "told on the command line",
    "organising/tables.py": "told on the command line",
    "organising/export.py": "told on the command line",
    "receiving/takeover.py": "told on the command line, when the portal begins",
    "receiving/keys.py": "told on the command line, when the portal begins",
    "receiving/confine.py": "the process that reads files, which loads no Django",
    "receiving/decode.py": "the process that reads files, which loads no Django",
    "environment.py": "printed when the portal is started",
    "settings.py": "printed when the portal is started",
    "running/prepare.py": "told on the command line",
    "running/serve.py": "told on the command line",
    "running/upgrade.py": "told on the command line",
}

_SPOKEN = {"InputError", "BusyError", "PermissionDenied", "Http404", "ValidationError", "HttpError"}
_MESSAGES = {"success", "error", "warning", "info", "message_user", "add_error"}
_KEYWORDS = {
    "label",
    "help_text",
    "empty_label",
    "short_description",
    "description",
    "verbose_name",
    "verbose_name_plural",
}
_NAMES = {*_KEYWORDS, "title", "why", "sentence", "site_header", "site_title", "index_title"}
_TRANSLATED = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "pgettext", "npgettext"}
_WORD = re.compile(r"[A-Za-z]{2,}")


def bare_in_code() -> Iterator[str]:
    """Sentences that are said without ``gettext``; and those that are put together before it sees them."""
    for file in sorted(PORTAL.rglob("*.py")):
        name = file.relative_to(PORTAL).as_posix()
        if "migrations/" in name or name in ENGLISH:
            continue
        for line, text in bare(file.read_text()):
            yield f"{name}:{line}: {text}"


def bare(source: str) -> Iterator[tuple[int, str]]:
    """Lines of such sentences in a module, with what stands there."""
    for node in ast.walk(ast.parse(source)):
        for said in _said(node):
            for part in _parts(said):
                yield part.lineno, ast.unparse(part)[:80]
        if isinstance(node, ast.Call) and _called(node) in _TRANSLATED:
            yield from ((each.lineno, ast.unparse(each)[:80]) for each in node.args if _is_made(each, _called(node)))


def _said(node: ast.AST) -> Iterator[ast.expr]:
    """What a call, an assignment or a class of choices says to people."""
    if isinstance(node, ast.Call):
        name = _called(node)
        if name in _SPOKEN:
            yield from node.args
        elif name in _MESSAGES and isinstance(node.func, ast.Attribute):
            yield from node.args[1:2]
        yield from (each.value for each in node.keywords if each.arg in _KEYWORDS)
    elif isinstance(node, ast.Assign):
        targets = {getattr(each, "id", getattr(each, "attr", "")) for each in node.targets}
        if targets & _NAMES:
            yield node.value
    elif isinstance(node, ast.ClassDef) and any(ast.unparse(each) == "models.TextChoices" for each in node.bases):
        values = (each.value for each in node.body if isinstance(each, ast.Assign))
        yield from (each.elts[1] for each in values if isinstance(each, ast.Tuple))


def _parts(said: ast.expr) -> Iterator[ast.expr]:
    """Words of an expression that are not translated."""
    if isinstance(said, ast.Constant):
        if (isinstance(said.value, str) and " " in said.value.strip() and _WORD.search(said.value)) or (
            isinstance(said.value, str) and said.value[:1].isupper() and _WORD.search(said.value)
        ):
            yield said
    elif isinstance(said, ast.JoinedStr):
        written = (each.value for each in said.values if isinstance(each, ast.Constant))
        if any(_WORD.search(str(each)) for each in written):
            yield said
    elif isinstance(said, ast.BinOp | ast.BoolOp | ast.IfExp | ast.Dict):
        inside = {
            ast.BinOp: ("left", "right") if isinstance(getattr(said, "op", None), ast.Add) else ("left",),
            ast.BoolOp: ("values",),
            ast.IfExp: ("body", "orelse"),
            ast.Dict: ("values",),
        }[type(said)]
        for name in inside:
            found = getattr(said, name)
            for each in found if isinstance(found, list) else [found]:
                yield from _parts(each)


def _is_made(said: ast.expr, called: str) -> bool:
    """Whether a sentence is put together from parts, so that no catalogue can have it."""
    if isinstance(said, ast.Constant):
        return False
    return not (called.startswith("n") and not isinstance(said, ast.JoinedStr | ast.BinOp))  # a count is no sentence


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
