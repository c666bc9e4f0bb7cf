"""A token, and the forms in which an upstream may write it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

TOKEN = b"gho_16C7e42F-292c6912E7710c.838347Ae178B4a"


def _some(token: bytes, form: str, step: int) -> bytes:
    """Write each letter of `step` in `form`: what stands behind it may look like a part of it."""
    return "".join(chr(b) if i % step else form % b for i, b in enumerate(token)).encode()


def _in_json(written: bytes) -> bytes:
    return json.dumps(written.decode()).encode()


def others(token: bytes, form: str) -> bytes:
    """Write what is no letter in `form`, as encoders of JSON do that mean to be safe in HTML."""
    return "".join(chr(b) if chr(b).isalnum() else form % b for b in token).encode()


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "verbatim": lambda t: t,
    "upper": bytes.upper,
    "reversed": lambda t: t[::-1],
    "hex": lambda t: t.hex().encode(),
    "base64": base64.b64encode,
    "base64 +1": lambda t: base64.b64encode(b"k" + t + b"zz"),
    "base64 +2": lambda t: base64.b64encode(b"kk" + t + b"z"),
    "urlsafe": lambda t: base64.urlsafe_b64encode(b"Bearer " + t),
    "base32": lambda t: base64.b32encode(b"ab" + t),
    "percent": lambda t: "".join(f"%{b:02x}" for b in t).encode(),
    "entities": lambda t: "".join(f"&#x{b:x};" for b in t).encode(),
    "decimal entities": lambda t: "".join(f"&#{b};" for b in t).encode(),
    "decimal entities with zeros": lambda t: "".join(f"&#{b:0100};" for b in t).encode(),
    "entities with zeros": lambda t: "".join(f"&#X{b:0100x};" for b in t).encode(),
    "u": lambda t: "".join(f"\\u{b:04X}" for b in t).encode(),
    "u of some": lambda t: _some(t, "\\u%04x", 3),
    "u of what is no letter": lambda t: others(t, "\\u%04X"),
    "u braces": lambda t: "".join(f"\\u{{{b:x}}}" for b in t).encode(),
    "u braces with zeros": lambda t: "".join(f"\\u{{{b:0100x}}}" for b in t).encode(),
    "U": lambda t: "".join(f"\\U{b:08x}" for b in t).encode(),
    "U of some": lambda t: _some(t, "\\U%08x", 2),
    "x": lambda t: "".join(f"\\x{b:02x}" for b in t).encode(),
    "x of some": lambda t: _some(t, "\\x%02x", 2),
    "x braces": lambda t: "".join(f"\\x{{{b:x}}}" for b in t).encode(),
    "spaces": lambda t: b" ".join(bytes([b]) for b in t),
    "lines": lambda t: b"\r\n".join(bytes([b]) for b in t),
    "lines in JSON": lambda t: b"\\n".join(bytes([b]) for b in t),
    "lines in JSON in JSON": lambda t: b"\\\\r\\\\n".join(bytes([b]) for b in t),
    "base64 in lines, in JSON": lambda t: _in_json(base64.encodebytes(b"k" * 30 + t)),
    "codes": lambda t: str(list(t)).encode(),
    "utf-16": lambda t: t.decode().encode("utf-16"),
    "percent of entities": lambda t: "".join(f"%26%23{b}%3B" for b in t).encode(),
    "percent of base64": lambda t: base64.b64encode(t).replace(b"=", b"%3D").replace(b"+", b"%2B"),
    "octal": lambda t: "".join(f"\\{b:03o}" for b in t).encode(),
    "percent twice of what is no letter": lambda t: others(t, "%%25%02X"),
    "percent thrice of what is no letter": lambda t: others(t, "%%2525%02X"),
    "entities twice of what is no letter": lambda t: others(t, "&amp;#%d;"),
    "u of the backslash of u": lambda t: others(t, "\\u005cu%04x"),
    "bytes of Go or C": lambda t: ", ".join(f"0x{b:02X}" for b in t).encode(),
    "octal of some": lambda t: _some(t, "\\%03o", 2),
    "percent of some": lambda t: _some(t, "%%%02x", 2),
    "half escaped": lambda t: t[:20] + "".join(f"%{b:02x}" for b in t[20:]).encode(),
}
