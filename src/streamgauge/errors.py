"""The errors of this package, drawn as a tree; each says whose mistake it is and carries fields, not only text.

    StreamgaugeError
    ├── ConfigError            a setting, an argument or a file that the caller gave is wrong
    ├── SchemaError            a registry or a signal does not keep the trace schema
    └── LedgerError            the ledger refuses or cannot keep its promise (see `streamgauge.ledger`)

Telemetry itself never raises into the caller: errors inside the capture are counted, not raised.
"""


class StreamgaugeError(Exception):
    """Root of everything that this package raises on purpose."""


class ConfigError(StreamgaugeError, ValueError):
    """A setting is wrong: `name` is the thing, `value` what was given, `allowed` what would be right, `where` its
    place.
    """

    def __init__(self, name: str, value: object, allowed: str, where: str = "") -> None:
        self.name, self.value, self.allowed, self.where = name, value, allowed, where
        place = f" ({where})" if where else ""
        super().__init__(f"{name}={value!r}{place} is not valid: expected {allowed}")


class SchemaError(StreamgaugeError, ValueError):
    """A registry file or a signal does not keep the schema."""


class LedgerError(StreamgaugeError):
    """The ledger refused, or could not keep its promise."""
