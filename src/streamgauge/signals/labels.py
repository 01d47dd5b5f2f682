"""Labels of metrics: a closed list of keys, and a cap on the names that users can make up."""

from collections.abc import Callable, Iterable
from typing import Any

from streamgauge import names
from streamgauge.analysis import StreamReport

OTHER = "other"
NONE = "none"


class Cap:
    """Lets the first `limit` different names through, or only the `allowed` ones; the rest become `other`."""

    def __init__(self, limit: int, allowed: Iterable[str], dropped: Callable[[], None]) -> None:
        self._limit, self._allowed, self._dropped = limit, frozenset(allowed), dropped
        self._seen: set[str] = set()

    def __call__(self, name: str | None) -> str:
        """`name`, or `other`, or `none` when there is no name."""
        if name is None:
            return NONE
        if name in self._seen:
            return name
        if (self._allowed and name not in self._allowed) or len(self._seen) >= self._limit:
            self._dropped()
            return OTHER
        self._seen.add(name)
        return name


class Labels:
    """Makes the label sets of a stream's samples."""

    def __init__(self, models: Cap, providers: Cap) -> None:
        self._models, self._providers = models, providers

    def of(self, provider: str, model: str | None, operation: str) -> dict[str, Any]:
        """The labels that every metric of ours has."""
        return {
            names.PROVIDER_NAME: self._providers(provider),
            names.REQUEST_MODEL: self._models(model),
            names.OPERATION_NAME: operation,
        }

    def convention(self, report: StreamReport, stream: dict[str, Any]) -> dict[str, Any]:
        """The labels of the standard GenAI metrics."""
        labels = dict(stream)
        if report.response_model is not None:
            labels[names.RESPONSE_MODEL] = self._models(report.response_model)
        return {**labels, **server(report.server_address, report.server_port)}


def server(address: str | None, port: int | None) -> dict[str, Any]:
    """The labels that say where the provider answers, as far as it is known."""
    if address is None:
        return {}
    return {names.SERVER_ADDRESS: address, **({} if port is None else {names.SERVER_PORT: port})}
