"""TOML and JSON from anybody become values or one short sentence."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from tests.fixtures.messages import assert_short

from striate._internal.safe_parsing import (
    MAX_DEPTH,
    parse_json,
    parse_json_object,
    parse_model,
    parse_toml,
    read_limited,
)
from striate.errors import LONGEST, InputError, quoted, shortened


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = " + "[" * 1000 + "]" * 1000, "nested more than 64 levels"),
        ("a" + ".a" * 5000 + " = 1", "nested more than 64 levels"),
        (f"a = {'9' * 4301}", "more than 4,300 digits"),
        (b"a = '\xff'", r"not text in UTF-8 \(byte 5\)"),
        ('a = "\\uD800"', "not valid TOML"),
        ("a = ", "not valid TOML"),
        ("a = " + "x" * 100_000, "not valid TOML"),
    ],
)
def test_toml_that_is_refused(text: str | bytes, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        parse_toml(text, "recipe.toml")
    assert str(caught.value).startswith("recipe.toml is not valid TOML: ")
    assert_short(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 100_000, "nested more than 64 levels"),
        ('{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1), "nested more than 64 levels"),
        ("9" * 4301, "more than 4,300 digits"),
        (b"\xff", r"not text in UTF-8 \(byte 0\)"),
        ('{"a": ["\\ud800"]}', r"the surrogate U\+D800"),
        ('{"\\udfff": 1}', r"the surrogate U\+DFFF"),
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
    ],
)
def test_json_that_is_refused(text: str | bytes, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        parse_json(text, "run.json")
    assert str(caught.value).startswith("run.json is not valid JSON: ")
    assert_short(caught.value)


def test_what_is_sound_is_read() -> None:
    nested = "[" * (MAX_DEPTH - 1) + "1" + "]" * (MAX_DEPTH - 1)
    assert str(parse_json(nested)) == nested
    assert parse_toml('a.b = "Ä"') == {"a": {"b": "Ä"}}
    assert parse_json_object(b'{"a": "\\u00c4"}') == {"a": "Ä"}
    with pytest.raises(InputError, match="expected an object, got list"):
        parse_json_object("[]")


def test_a_model_says_where_a_document_fails() -> None:
    class Counts(BaseModel):
        counts: dict[str, int]

    assert parse_model(Counts, '{"counts": {"a": 3}}', "x", "copy it again").counts == {"a": 3}
    for text in ('{"counts": {"a": Infinity}}', '{"counts": {"%s": "x"}}' % ("n" * 5000), "[" * 10_000, "9" * 5000):
        with pytest.raises(InputError, match=r"^x is damaged \(.*\); copy it again\.$") as caught:
            parse_model(Counts, text, "x", "copy it again")
        assert_short(caught.value)


def test_a_file_that_is_too_large_is_not_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "large.toml"
    with file.open("wb") as opened:
        opened.truncate(2**40)  # sparse: it takes no room
    with pytest.raises(InputError, match=r"larger than any such file may be \(1,000 bytes\)"):
        read_limited(file, 1000)
    with pytest.raises(InputError, match="larger than any such file may be"):
        read_limited("/dev/zero", 1000)


@given(st.text(), st.integers(3, 400))
def test_a_shortened_text_keeps_beginning_and_end(text: str, most: int) -> None:
    short = shortened(text, most)
    assert len(short) <= most
    assert short == text or (short[: most // 2] == text[: most // 2] and text.endswith(short.partition("…")[2][-1:]))


@given(st.text(min_size=1))
def test_a_message_that_is_shown_is_cut_in_its_middle(name: str) -> None:
    message = str(InputError(f"/a/file: {name * 400} is no column: name another."))
    assert len(message) <= LONGEST
    assert message.startswith("/a/file: ")
    assert message.endswith(" is no column: name another.")


@given(st.text(), st.integers(10, 400))
def test_a_quoted_text_is_short_and_printable(text: str, most: int) -> None:
    assert len(quoted(text, most)) <= most
    assert quoted(text, most).isprintable()


def test_a_message_is_on_one_line_and_does_not_steer_the_terminal() -> None:
    assert str(InputError("a\nb\x1b[31mc\u202ed\ud800 ä")) == "a b\\x1b[31mc\\u202ed\\ud800 ä"


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    """Editors of Windows put it before files in UTF-8."""
    for text in ('\ufeff{"a": 1}', '\ufeff{"a": 1}'.encode()):
        assert parse_json(text) == {"a": 1}
    for text in ("\ufeffa = 1\r\nb = 2\r\n", "\ufeffa = 1\r\nb = 2\r\n".encode()):
        assert parse_toml(text) == {"a": 1, "b": 2}
