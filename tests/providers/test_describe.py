"""What is told of an exception: the provider's own code, never a message, a wrapper's name or "200"."""

import json
from typing import Any

import pytest

from streamgauge.providers import clean_code, describe


class WrappedError(Exception):
    """An SDK's exception, with the attributes that a test gives it."""

    def __init__(self, **fields: Any) -> None:
        super().__init__("a message that nobody must see")
        vars(self).update(fields)


class APITimeoutError(WrappedError):
    """Told by its name, as SDKs are not imported."""


@pytest.mark.parametrize(
    "fields,code,status",
    [
        ({"code": "rate_limit_exceeded", "status_code": 429}, "rate_limit_exceeded", 429),
        ({"type": "overloaded_error", "status_code": 200}, "overloaded_error", None),
        ({"status_code": 503}, "503", 503),
        ({"code": None, "type": None, "status_code": 500, "body": None}, "500", 500),
        ({"body": {"error": {"type": "api_error"}}}, "api_error", None),
        ({"body": {"error": {"code": 1302, "type": "x"}}}, "1302", None),
        ({"body": "plain text of a proxy"}, "provider_error", None),
        ({"code": "You said: something private", "status_code": 400}, "400", 400),
        ({"code": True, "status_code": 400}, "400", 400),
        ({"code": "x" * 65, "body": {}}, "provider_error", None),
    ],
)
def test_code_of_the_provider_is_found_and_nothing_else_is_taken_for_one(
    fields: dict[str, Any], code: str, status: int | None
) -> None:
    told = describe(WrappedError(**fields))
    assert (told.error_type, told.status, told.provider) == (code, status, True)


def test_kinds_that_all_sdks_share_are_told_by_what_they_derive_from() -> None:
    assert describe(APITimeoutError(code="x")).timeout
    assert describe(TimeoutError()).timeout
    assert describe(ConnectionResetError()).network
    assert describe(json.JSONDecodeError("private", "private", 0)).malformed
    assert describe(ValueError("private")).error_type == "ValueError"


@pytest.mark.parametrize("value", [None, "", "two words", "ümlaut", 3.5, ["a"], {"a": 1}, False])
def test_what_cannot_be_a_code_is_none(value: object) -> None:
    assert clean_code(value) is None
