"""The line of every key of a TOML text."""

from __future__ import annotations

import tomllib

import pytest

from schemas.toml_file import Fault, TomlSyntaxError, line_map, parse_toml

TEXT = '''\
# a comment
a = 1
"quoted key".b = "x # no comment"
list = [ # first
  1,
  [2,
   3], "]",
]
text = """
many "quoted" [
lines \\""" """
raw = \'\'\'one ] \'\'\'
inline = { x = 1, y = { z = [1,
2] } }
day = 2016-09-12 19:00:00 # with a comment
'single'  =  'it'
[table.inner]
key = true
[[array]]
value = 1
[[array]]
value = 2
[array.sub]
more = 3
[[array.deep]]
last = 4'''


def test_the_text_is_toml() -> None:
    tomllib.loads(TEXT)


@pytest.mark.parametrize(
    ("loc", "line"),
    [
        (("a",), 2),
        (("quoted key", "b"), 3),
        (("list",), 4),
        (("list", 0), 5),
        (("list", 1, 1), 7),
        (("list", 2), 7),
        (("text",), 9),
        (("raw",), 12),
        (("inline", "y", "z", 0), 13),
        (("inline", "y", "z", 1), 14),
        (("day",), 15),
        (("single",), 16),
        (("table", "inner"), 17),
        (("table", "inner", "key"), 18),
        (("array",), 19),
        (("array", 0, "value"), 20),
        (("array", 1), 21),
        (("array", 1, "value"), 22),
        (("array", 1, "sub", "more"), 24),
        (("array", 1, "deep", 0, "last"), 26),
    ],
)
def test_each_key_has_its_line(loc: tuple[str | int, ...], line: int) -> None:
    assert line_map(TEXT)[loc] == line


def test_windows_line_ends_and_a_byte_order_mark_change_nothing() -> None:
    windows = parse_toml(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert windows.lines == line_map(TEXT)


def test_a_fault_takes_the_line_of_the_nearest_thing_around_it() -> None:
    toml = parse_toml(TEXT.encode())
    assert str(toml.fault(("array", 1, "gone", "too"), "missing")) == "line 21: array[1].gone.too: missing"
    assert str(toml.fault(("gone",), "missing")) == "gone: missing"
    assert str(Fault(3, (), "broken")) == "line 3: broken"


def test_a_number_beyond_64_bits_is_refused_with_its_line() -> None:
    with pytest.raises(TomlSyntaxError, match=r"line 2: b\[1\]: a whole number has at most 64 bits"):
        parse_toml(b"a = 9223372036854775807\nb = [1, 9223372036854775808]")


@pytest.mark.parametrize("value", ["9" * 5_000, "[" * 5_000], ids=["digits", "lists"])
def test_a_value_the_reader_of_toml_gives_up_on_is_a_fault_of_the_text(value: str) -> None:
    with pytest.raises(TomlSyntaxError, match="thousands of digits, or lists and tables hundreds deep"):
        parse_toml(f"a = {value}".encode())


def test_a_text_that_is_not_toml_has_no_lines() -> None:
    with pytest.raises(ValueError, match="line 1: not valid TOML"):
        line_map("= 1")
