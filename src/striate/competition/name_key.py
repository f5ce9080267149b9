"""Keys that tell whether two names would be taken for each other.

Names whose keys are equal differ at most in case, in the way accents are encoded, or in characters that look alike, such as
Latin and Cyrillic ``a``. Every rule that says that a name is taken compares keys.
"""

import contextlib
import re
import unicodedata
from functools import cache
from typing import Final

_SAME: Final = {"i": "l", "1": "l", "|": "l", "0": "o"}  # alike in many fonts, I and l above all
_WORD: Final = re.compile(r"\w+")

# Rows and roles that are no team's or person's. They are compared as keys, without spaces and punctuation.
_RESERVED: Final = (
    *("noise ceiling", "ceiling", "upper bound", "oracle", "oracle predictor", "baseline", "baselines", "chance"),
    *("organiser", "organisers", "organizer", "organizers", "organisation team", "organization team", "jury", "judge"),
    *("admin", "admins", "administrator", "administrators", "moderator", "staff", "support", "help desk", "official"),
    *("root", "superuser", "system", "portal", "striate", "command line", "anonymous", "anonymous user", "unknown"),
    *("postmaster", "webmaster", "hostmaster", "security", "winner", "winners", "nobody", "everybody"),
)
_OF_DELETED: Final = re.compile(r"deleted[lo2-9]+")  # keys of the names that deleted accounts get


def name_key(name: str) -> str:
    """Return what is equal for names that would be taken for each other.

    Case, encoding (NFC, NFD, full width), invisible characters and the amount of white space do not count. A letter that looks
    like a Latin letter or a digit (Unicode's *confusables*) counts as that, and so do I, l and 1; O and 0; rn and m. Two Greek
    letters look like one Latin letter in lower case and like another in upper case (ν, υ): beside Latin letters each counts
    as what it looks like, in a Greek word as its lower case.

    Examples
    --------
    >>> name_key("MÜLLER LAB") == name_key("Mu\N{COMBINING DIAERESIS}ller  lab")
    True
    >>> name_key("Lab") == name_key("L\N{CYRILLIC SMALL LETTER A}b")
    True
    >>> name_key("Müller Lab") == name_key("Muller Lab")
    False
    """
    text = unicodedata.normalize("NFKC", name)
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Cc", "Cs") or c.isspace())
    text = unicodedata.normalize("NFD", " ".join(text.split()))
    key = _WORD.sub(lambda word: _key_of_word(word[0]), text)
    # A dot above is part of i and j already.
    key = key.replace("l\N{COMBINING DOT ABOVE}", "l").replace("j\N{COMBINING DOT ABOVE}", "j").replace("rn", "m")
    return unicodedata.normalize("NFC", key)


def address_key(address: str) -> str:
    """Return what is equal for e-mail addresses of one mailbox: case and encoding do not count, look-alikes do.

    An internationalised domain is the same in Unicode and in ASCII.

    Examples
    --------
    >>> address_key("Bo@B\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example") == address_key("bo@xn--bcher-kva.example")
    True
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", address.strip()).casefold())
    mailbox, at, domain = text.rpartition("@")
    with contextlib.suppress(UnicodeError):  # no domain that can be written so
        domain = domain.encode("idna").decode("ascii")
    return f"{mailbox}{at}{domain}"


def is_reserved(name: str) -> bool:
    """Whether a name would be taken for a row or a role of the organisers, or for a deleted account."""
    key = re.sub(r"[\W_]+", "", name_key(name))
    article = re.sub(r"[\W_]+", "", name_key("the "))
    return key in _reserved() or key.removeprefix(article) in _reserved() or bool(_OF_DELETED.fullmatch(key))


@cache
def _reserved() -> frozenset[str]:
    return frozenset(re.sub(r"[\W_]+", "", name_key(each)) for each in _RESERVED)


def _key_of_word(word: str) -> str:
    beside_latin = any(c.isascii() and c.isalpha() for c in word)
    letters, upper = _lookalikes()
    folded = "".join(
        upper[c] if beside_latin and c in upper else letters.get(c) or letters.get(c.lower()) or c.casefold()
        for c in word
    )
    return "".join(_SAME.get(c, c) for c in folded)


@cache
def _lookalikes() -> tuple[dict[str, str], dict[str, str]]:
    """Read Unicode's confusables.

    Returns
    -------
    dict
        By character: the lower-case Latin letter or digit that it, or its other case, looks like.
    dict
        The same for capitals that look like another letter than their lower case does.
    """
    from confusable_homoglyphs.confusables import confusables_data

    looks: dict[str, str] = {}
    for letter in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789":
        for each in confusables_data.get(letter, ()):
            other = each["c"].strip("\u200e\u200f")
            if len(other) == 1 and not other.isascii():
                looks[other] = letter.lower()
    letters, upper = dict(looks), {}
    for other, letter in looks.items():
        lower, capital = other.lower(), other.upper()
        if len(lower) != 1 or len(capital) != 1 or lower == capital or lower.isascii() or capital.isascii():
            continue  # such as the long s, whose capital is S
        if other == lower:
            letters[capital] = letter
        elif lower not in looks:
            letters[lower] = letter
        elif looks[lower] != letter:
            upper[other] = letter
    for other in list(letters):  # what NFKC and NFD leave of a character is looked up, and not the character
        if unicodedata.normalize("NFD", unicodedata.normalize("NFKC", other)) != other:
            del letters[other]
    return letters, upper
