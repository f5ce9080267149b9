"""Find words in templates that people see and that no translation reaches."""

import re
from collections.abc import Iterator
from pathlib import Path

import striate.portal

PORTAL = Path(striate.portal.__file__).parent
LOCALE = PORTAL / "locale"

_TOKEN = re.compile(r"({%.*?%}|{{.*?}}|{#.*?#})", re.DOTALL)
_NO_WORDS = re.compile(r"<!--.*?-->|<script\b.*?</script>|<svg\b.*?</svg>|<(code|kbd|pre)\b.*?</\1>", re.DOTALL)
_TAG = re.compile(r"<[^<>]*>", re.DOTALL)
_READ_ALOUD = re.compile(r'\s(?:title|alt|placeholder|aria-label|label|summary|content)="([^"]*)"')
# Names, which are the same in every language.
_NAMES = (
    *("striate", "README", "CITATION", "cff", "DataCite", "DOI", "ORCID", "SHA"),
    *("UTC", "MB", "CSV", "JSON", "XML", "TOML", "tar", "Atom", "API", "FEVE"),
)
_WORD = re.compile(r"[A-Za-z]{2,}")


def bare_in_templates() -> Iterator[str]:
    """Text of templates, of pages and of mails, outside of ``translate`` and ``blocktranslate``."""
    for file in sorted((PORTAL / "templates").rglob("*.*")):
        for line, text in bare(file.read_text(encoding="utf-8")):
            yield f"{file.relative_to(PORTAL)}:{line}: {text}"


def bare(source: str) -> Iterator[tuple[int, str]]:
    """Such text of one template, with the number of its line."""
    inside, kept = False, ""
    for part in _TOKEN.split(source):
        if part.startswith(("{%", "{{", "{#")):
            word = part[2:].split()[0] if part.startswith("{%") else ""
            if word in ("blocktranslate", "blocktrans", "comment"):
                inside = True
            elif word in ("endblocktranslate", "endblocktrans", "endcomment"):
                inside = False
            kept += "\n" * part.count("\n")
        else:
            kept += "\n" * part.count("\n") if inside else part
    seen = _NO_WORDS.sub(lambda found: "\n" * found[0].count("\n"), kept)
    for found in _TAG.finditer(seen):
        for text in _READ_ALOUD.findall(found[0]):
            if not found[0].startswith("<meta") and (words := _words(text)):
                yield seen.count("\n", 0, found.start()) + 1, words
    without = _TAG.sub(lambda found: "\n" * found[0].count("\n") + "\x00", seen)
    line = 1
    for piece in re.split(r"(\x00|\n)", without):
        if piece == "\n":
            line += 1
        elif words := _words(piece):
            yield line, words


def _words(text: str) -> str:
    text = re.sub(r"&\w+;|&#\d+;", " ", text)
    text = re.sub(r'^\s*[\w-]+="[^"]*"\s*$', "", text)  # an attribute that a block puts into a tag
    left = [word for word in _WORD.findall(text) if word not in _NAMES]
    return text.strip() if left else ""
