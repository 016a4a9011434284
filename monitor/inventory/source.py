"""The file itself: read whole, bounded, and decoded, with every obstacle told in a sentence."""

from __future__ import annotations

import codecs
import re
from pathlib import Path as FilePath

from monitor.inventory.faults import ConfigurationError, Fault, Place
from monitor.language.phrases import Phrase, phrase

LARGEST_FILE = 16 * 1024 * 1024
_WHOLE_FILE = Place(0, 0)
# YAML allows none of these; found here, they get a place and a name.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufffe\uffff]")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_bytes(path: FilePath) -> bytes:
    """Return the bytes of a file; one that is missing, no file, unreadable or too large raises ConfigurationError."""
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise _refused(path, phrase("file.missing")) from None
    except IsADirectoryError:
        raise _refused(path, phrase("file.directory")) from None
    except PermissionError:
        raise _refused(path, phrase("file.forbidden")) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _refused(path, phrase("file.unreadable", reason=reason)) from error
    if len(data) > LARGEST_FILE:
        raise _refused(path, phrase("file.too_large", limit=LARGEST_FILE // 1024 // 1024))
    return data


def decode(path: FilePath, data: bytes) -> str:
    """Return the text of the file; what is not UTF-8, or holds control characters, is refused with its place."""
    if data.startswith(_UTF_16):
        raise _refused(path, phrase("file.utf_16"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The codec counts from behind a byte order mark, which it has skipped.
        start = error.start + len(data) - len(error.object)
        place = _place(data[:start].decode("utf-8-sig"))
        said = phrase("file.not_utf_8", byte=f"0x{data[start]:02x}", position=start)
        raise _refused(path, said, place) from error
    control = _CONTROL.search(text)
    if control:
        said = phrase("file.control_character", code=f"U+{ord(control[0]):04X}")
        raise _refused(path, said, _place(text[: control.start()]))
    return text


def _place(before: str) -> Place:
    """Return the place that follows a piece of text."""
    return Place(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


def _refused(path: FilePath, said: Phrase, place: Place = _WHOLE_FILE) -> ConfigurationError:
    fault = Fault(file=str(path), line=place.line, column=place.column, key="", said=said)
    return ConfigurationError([fault])
