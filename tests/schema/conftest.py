"""What the tests of this room share: where weaver's JSON Schemas lie."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def weaver_schemas() -> Path:
    """JSON Schemas of the registry format, which lie beside the checkout and are not copied into it."""
    folder = ROOT.parent / "shared" / "data" / "weaver"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here: the JSON Schemas of the registry format lie beside the checkout")
    return folder


@pytest.fixture(autouse=True)
def schema_checked() -> None:
    """Tests of this room break the schema on purpose; elsewhere nothing may."""
