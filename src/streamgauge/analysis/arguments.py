"""Judges complete tool-call arguments: do they parse, and what is their hash. The text is read and forgotten."""

import hashlib
import json


def judge(arguments: str) -> tuple[bool, str]:
    """Whether `arguments` is a JSON value (nothing at all is an empty object), and its SHA-256 in hexadecimal."""
    digest = hashlib.sha256(arguments.encode("utf-8", "surrogatepass")).hexdigest()
    if not arguments:
        return True, digest
    try:
        json.loads(arguments)
    except ValueError:
        return False, digest
    return True, digest
