"""Shared with the tests of the capture: how far each surface gets before a silent provider."""

from tests.capture.conftest import silences

__all__ = ["silences"]
