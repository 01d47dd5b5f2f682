"""What the tests of this room share: how far each surface gets before a silent provider."""

from typing import Any

import pytest
from tests.capture.surfaces import SURFACES
from tests.capture.trial import Trial, exhaust


@pytest.fixture(scope="session")
def silences(clients: dict[str, Any]) -> dict[str, int]:
    """How many chunks each surface gives before a provider falls silent: as many as before one that ends there."""
    counts = {}
    for surface in SURFACES:
        cut = Trial(surface, clients[surface.sdk], "truncated")
        exhaust(cut)
        counts[surface.name] = len(cut.seen)
    return counts
