"""Bodies that came packed although nobody asked for it: unpacked as far as that is safe. Pure."""

from __future__ import annotations

import zlib

import brotli  # type: ignore[import-untyped]

from monitor.checks.contract import BODY_LIMIT

# A text that shrank to less than a hundredth is no page but an attack on whoever unpacks it.
_RATIO_LIMIT = 100
_CHUNK = 1024
_GZIP_OR_ZLIB = 47
_RAW = -15


def unpacked(body: bytes, packed: str) -> bytes | None:
    """Return at most `BODY_LIMIT` bytes of what a Content-Encoding holds; a body that was cut is read as far as it goes.

    None when it is broken, a bomb, packed twice, or packed in a way that we do not read (zstd, compress).
    """
    match packed.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return _inflated(body, _GZIP_OR_ZLIB)
        case "deflate":
            # The standard wants zlib's frame; servers that leave it away are as old as the web.
            text = _inflated(body, _GZIP_OR_ZLIB)
            return _inflated(body, _RAW) if text is None else text
        case "br":
            return _unbrotlied(body)
        case _:
            return None


def _inflated(body: bytes, wbits: int) -> bytes | None:
    inflater = zlib.decompressobj(wbits=wbits)
    try:
        text = inflater.decompress(body, BODY_LIMIT)
    except zlib.error:
        return None
    left = len(inflater.unconsumed_tail)
    return None if left and _is_bomb(len(body) - left, len(text)) else text


def _unbrotlied(body: bytes) -> bytes | None:
    inflater = brotli.Decompressor()
    text = bytearray()
    for start in range(0, len(body), _CHUNK):
        try:
            text += inflater.process(body[start : start + _CHUNK], output_buffer_limit=BODY_LIMIT)
        except brotli.error:
            return None
        if len(text) >= BODY_LIMIT:
            return None if _is_bomb(start + _CHUNK, len(text)) else bytes(text[:BODY_LIMIT])
        if inflater.is_finished():
            break
    return bytes(text)


def _is_bomb(taken: int, given: int) -> bool:
    return given > _RATIO_LIMIT * taken
