"""From the text of an LDAP filter (RFC 4515) to what stands in a search (RFC 4511)."""

from __future__ import annotations

import re

from monitor.language.refusals import RefusalError

DEPTH_LIMIT = 20
_TEXT_LIMIT = 4096

# The choices of a filter in RFC 4511, by their tags.
_AND, _OR, _NOT, _EQUAL, _SUBSTRINGS = 0xA0, 0xA1, 0xA2, 0xA3, 0xA4
_AT_LEAST, _AT_MOST, _PRESENT, _LIKE, _RULED = 0xA5, 0xA6, 0x87, 0xA8, 0xA9
_SETS = {"&": _AND, "|": _OR}
_COMPARED = {">=": _AT_LEAST, "<=": _AT_MOST, "~=": _LIKE, "=": _EQUAL}
_OCTETS, _SEQUENCE = 0x04, 0x30
_INITIAL, _ANY, _FINAL = 0x80, 0x81, 0x82
_RULE, _TYPE, _VALUE, _WITH_DN = 0x81, 0x82, 0x83, 0x84

_NAME = r"(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*)"
_ATTRIBUTE = rf"{_NAME}(?:;[A-Za-z0-9-]+)*"
_ITEM = re.compile(rf"({_ATTRIBUTE})(>=|<=|~=|=)(.*)", re.DOTALL)
_RULED_ITEM = re.compile(rf"({_ATTRIBUTE})?(:dn)?(?::({_NAME}))?:=(.*)", re.DOTALL | re.IGNORECASE)
_ESCAPE = re.compile(r"\\([0-9A-Fa-f]{2})?")
# An item ends where a bracket stands; one that belongs to the value is written \28 or \29.
_END = re.compile(r"[()]")


def compile_filter(text: str) -> bytes:
    """Return the filter as it stands in a search; what is none raises RefusalError that says where.

    The brackets around the whole may be left out. Filters nest at most `DEPTH_LIMIT` deep.
    """
    if len(text) > _TEXT_LIMIT:
        raise RefusalError("options.filter.long", limit=_TEXT_LIMIT)
    written = text if text.startswith("(") else f"({text})"
    compiled, end = _filter(written, 0, DEPTH_LIMIT)
    if end != len(written):
        raise RefusalError("options.filter.rest", found=written[end:])
    return compiled


def tlv(tag: int, *parts: bytes) -> bytes:
    """Return an element of BER: its tag, its length, and what it holds."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _filter(text: str, start: int, depth: int) -> tuple[bytes, int]:
    """Return the filter that begins at `start`, and where it ends."""
    if depth == 0:
        raise RefusalError("options.filter.deep", limit=DEPTH_LIMIT)
    if text[start : start + 1] != "(":
        raise RefusalError("options.filter.start", found=text[start:])
    sign, inner = text[start + 1 : start + 2], start + 2
    if sign in _SETS:
        parts, end = _filters(text, inner, depth)
        compiled = tlv(_SETS[sign], *parts)
    elif sign == "!":
        negated, end = _filter(text, inner, depth - 1)
        compiled = tlv(_NOT, negated)
    else:
        found = _END.search(text, start + 1)
        end = found.start() if found else len(text)
        compiled = _item(text[start + 1 : end])
    if text[end : end + 1] != ")":
        raise RefusalError("options.filter.end", found=text[start:])
    return compiled, end + 1


def _filters(text: str, start: int, depth: int) -> tuple[list[bytes], int]:
    """Return the filters that stand one after the other from `start` on, at least one, and where the last ends."""
    first, end = _filter(text, start, depth - 1)
    parts = [first]
    while text[end : end + 1] == "(":
        part, end = _filter(text, end, depth - 1)
        parts.append(part)
    return parts, end


def _item(text: str) -> bytes:
    ruled = _RULED_ITEM.fullmatch(text)
    if ruled is not None:
        return _ruled(text, ruled)
    item = _ITEM.fullmatch(text)
    if item is None:
        raise RefusalError("options.filter.item", found=text)
    attribute, sign, value = item[1], item[2], item[3]
    if sign == "=" and value and not value.strip("*"):
        return tlv(_PRESENT, attribute.encode())
    if sign == "=" and "*" in value:
        return tlv(_SUBSTRINGS, tlv(_OCTETS, attribute.encode()), tlv(_SEQUENCE, *_pieces(value)))
    return tlv(_COMPARED[sign], tlv(_OCTETS, attribute.encode()), tlv(_OCTETS, _value(value)))


def _ruled(text: str, item: re.Match[str]) -> bytes:
    attribute, with_dn, rule, value = item.groups()
    if attribute is None and rule is None:
        raise RefusalError("options.filter.rule", found=text)
    named = tlv(_RULE, rule.encode()) if rule else b""
    typed = tlv(_TYPE, attribute.encode()) if attribute else b""
    return tlv(_RULED, named, typed, tlv(_VALUE, _value(value)), tlv(_WITH_DN, b"\xff") if with_dn else b"")


def _pieces(value: str) -> list[bytes]:
    """Return what stands before, between and after the stars."""
    *before, last = value.split("*")
    tags = [_INITIAL, *[_ANY] * (len(before) - 1), _FINAL]
    return [tlv(tag, _value(piece)) for tag, piece in zip(tags, [*before, last], strict=True) if piece]


def _value(text: str) -> bytes:
    r"""Return a value with its escapes (`\2a` for a star) as the bytes that they stand for."""
    pieces: list[bytes] = []
    end = 0
    for escape in _ESCAPE.finditer(text):
        if escape[1] is None:
            raise RefusalError("options.filter.escape", found=text)
        pieces += [text[end : escape.start()].encode(), bytes.fromhex(escape[1])]
        end = escape.end()
    return b"".join(pieces) + text[end:].encode()
