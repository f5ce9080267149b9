"""Standard streams: replacement of closed streams, and output in encodings such as ASCII that lack some characters."""

import codecs
import os
import sys

HANDLER = "striate.escape"

# ASCII replacements of typographic characters in tables and messages. All other characters are escaped.
_ASCII = {
    "–": "-",
    "—": "-",
    "−": "-",
    "…": "...",
    "×": "x",
    "±": "+/-",
    "≥": ">=",
    "≤": "<=",
    "→": "->",
    "“": '"',
    "”": '"',
}
_ASCII |= {"‘": "'", "’": "'", "·": "*", "•": "*"}


def escape(error: UnicodeError) -> tuple[str, int]:
    r"""Replace characters that an encoding lacks; an error handler for `codecs.register_error`.

    In JSON, each such character becomes ``\uXXXX``, which a JSON parser decodes to the same character. In other text,
    typographic characters are replaced by ASCII.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    replacements = {} if error.object.lstrip()[:1] in ("{", "[") else _ASCII
    missing = error.object[error.start : error.end]
    return "".join(replacements.get(character) or _unicode_escape(character) for character in missing), error.end


def _unicode_escape(character: str) -> str:
    code = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{code[at : at + 4]}" for at in range(0, len(code), 4))


def open_closed_streams() -> None:
    """Connect closed standard streams, as after ``2>&-`` or in some services, to the null device.

    Otherwise the next opened file would get the file descriptor of the stream, and messages would be written into it.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            os.set_inheritable(number, True)  # child processes inherit it
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - open to the end


def make_printable() -> None:
    """Make standard output and standard error accept any text."""
    codecs.register_error(HANDLER, escape)
    for stream in (sys.stdout, sys.stderr):
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(errors=HANDLER)
