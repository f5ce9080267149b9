"""Print to terminals and files whose encoding lacks characters, such as ASCII or Latin-1: nothing is lost, and nothing fails."""

import codecs
import os
import sys

HANDLER = "striate.escape"

# Typographic characters of tables and sentences that ASCII can express; what users wrote themselves is escaped.
_PLAIN = {
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
_PLAIN |= {"‘": "'", "’": "'", "·": "*", "•": "*"}


def escape(error: UnicodeError) -> tuple[str, int]:
    r"""Replace what an encoding lacks: an error handler as `codecs.register_error` takes it.

    In JSON every character becomes ``\uXXXX``, which any reader of JSON turns back into the same character; elsewhere
    the typographic ones become plain.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    plain = {} if error.object.lstrip()[:1] in ("{", "[") else _PLAIN
    missing = error.object[error.start : error.end]
    return "".join(plain.get(character) or _escaped(character) for character in missing), error.end


def _escaped(character: str) -> str:
    code = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{code[at : at + 4]}" for at in range(0, len(code), 4))


def open_closed_streams() -> None:
    """Connect standard streams that are closed, as ``2>&-`` and some services leave them, to the null device.

    Otherwise the next file that is opened gets the number of the stream, and messages would be written into it.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            os.set_inheritable(number, True)  # programs that are started get it, too
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - open to the end


def make_printable() -> None:
    """Let standard output and standard error print any text."""
    codecs.register_error(HANDLER, escape)
    for stream in (sys.stdout, sys.stderr):
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(errors=HANDLER)
