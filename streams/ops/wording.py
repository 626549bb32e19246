"""Small words about figures."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from schemas.truceday import Micros


def counted(number: int, noun: str) -> str:
    """Say how many of something there are: ``1 report``, ``1,200 reports``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def local_time(instant: datetime, zone: str) -> str:
    """Say an instant in a time zone, with its offset: ``2016-09-12 19:00+03:00``."""
    offset = f"{instant.astimezone(ZoneInfo(zone)):%z}"
    return f"{instant.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}{offset[:3]}:{offset[3:]}"


def span_text(span: Micros) -> str:
    """Say how long something lasts, rounded up to the minute: ``4 h 30 min``."""
    minutes = -(-span // 60_000_000)
    hours, rest = divmod(minutes, 60)
    return " ".join(filter(None, (f"{hours:,} h" if hours else "", f"{rest} min" if rest or not hours else "")))
