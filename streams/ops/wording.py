"""Small words about figures, and text of strangers made fit to be shown."""

from __future__ import annotations

import re
from datetime import datetime

from schemas.time_zones import time_zone
from schemas.truceday import Micros

#: What a terminal takes for a command, what reorders or hides letters, and halves of characters, which cannot be
#: printed. Marks that Arabic and Persian are written with (joiners, direction marks) are not among them.
_UNSAFE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028\u2029\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


def counted(number: int, noun: str) -> str:
    """Say how many of something there are: ``1 report``, ``1,200 reports``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def local_time(instant: datetime, zone: str) -> str:
    """Say an instant in a time zone, with its offset: ``2016-09-12 19:00+03:00``."""
    offset = f"{instant.astimezone(time_zone(zone)):%z}"
    return f"{clock_time(instant, zone)}{offset[:3]}:{offset[3:]}"


def clock_time(instant: datetime, zone: str) -> str:
    """Say an instant in a time zone that is told beside it: ``2016-09-12 19:00``."""
    return f"{instant.astimezone(time_zone(zone)):%Y-%m-%d %H:%M}"


def span_text(span: Micros) -> str:
    """Say how long something lasts, rounded up to the minute: ``4 h 30 min``."""
    minutes = -(-span // 60_000_000)
    hours, rest = divmod(minutes, 60)
    return " ".join(filter(None, (f"{hours:,} h" if hours else "", f"{rest} min" if rest or not hours else "")))


def visible(text: str) -> str:
    r"""Return text with what steers a terminal escaped, as ``\x1b`` or ``\u202e``. Line breaks stay."""
    return _UNSAFE.sub(_number, text)


def one_line(text: str) -> str:
    """Return ``visible`` text whose line breaks are shown as well, so that a value cannot pose as a line of ours."""
    return visible(text).replace("\n", "\\n")


def escaped_json(text: str) -> str:
    """Return JSON that says the same with every such character escaped; outside of texts there are none."""
    return _UNSAFE.sub(_in_json, text)


def _number(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _in_json(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
