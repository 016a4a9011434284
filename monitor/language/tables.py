"""How languages write dates, units and lists, by the tables of the Unicode project; apart, because they are large."""

from __future__ import annotations

from babel.dates import format_date, format_skeleton, get_timezone_name
from babel.lists import format_list
from babel.units import format_unit

__all__ = ["format_date", "format_list", "format_skeleton", "format_unit", "get_timezone_name"]
