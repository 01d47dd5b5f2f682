"""The way to and from OpenSLO v1, with a word on everything that does not fit.

Objectives come in and documents go out, or the other way round with notes. OpenSLO knows one window per alert
condition, no outcome, no guard for low traffic; what has no field of its own travels in annotations under
`streamgauge.dev/`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

import yaml

from streamgauge.errors import ConfigError
from streamgauge.names import SLO, SLO_EVENTS, VERDICT, Verdict
from streamgauge.slo import promql
from streamgauge.slo.file import Objectives
from streamgauge.slo.objective import Objective
from streamgauge.slo.windows import Clause, clauses

VERSION = "openslo/v1"
_OURS = "streamgauge.dev/"
_PATTERNS = ("provider", "model", "operation")
_BASE = frozenset(field.name for field in fields(Objective))


@dataclass(frozen=True, slots=True)
class Imported:
    """An SLO file as plain values, and what of the OpenSLO documents did not fit into it."""

    content: dict[str, Any]
    notes: tuple[str, ...]


def export(objectives: Objectives) -> str:
    """OpenSLO documents: the service, one SLO per objective, one alert policy with its condition per clause."""
    documents = [_document("Service", objectives.service, {"description": f"Streams of {objectives.service}"})]
    documents.append(_document("DataSource", "prometheus", {"type": "Prometheus", "connectionDetails": {}}))
    for objective in objectives:
        if objective.counted:
            documents += _exported(objective, objectives)
    return yaml.safe_dump_all(documents, sort_keys=False, width=10_000)


def read(text: str, source: str = "<openslo>") -> Imported:
    """The SLOs of a text with OpenSLO v1 documents; ConfigError when there are none."""
    try:
        documents = [document for document in yaml.safe_load_all(text) if isinstance(document, dict)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        raise ConfigError("YAML", error.problem or "unreadable", "well-formed YAML documents", place) from error
    slos = [document for document in documents if document.get("kind") == "SLO"]
    if not slos:
        raise ConfigError("documents", len(documents), "at least one of kind SLO", source)
    notes: list[str] = []
    rows = [row for document in slos for row in _imported(document, notes)]
    notes += _policies(documents)
    service = slos[0].get("spec", {}).get("service") or "chat"
    if len({document.get("spec", {}).get("service") for document in slos}) > 1:
        notes.append(f"several services: a file holds one; all objectives were put under {service!r}")
    return Imported({"version": 1, "service": service, "objectives": rows}, tuple(notes))


def _exported(objective: Objective, objectives: Objectives) -> list[dict[str, Any]]:
    made = clauses(objective.period, objective.budget, objectives.pairs)
    names = [f"{objective.name}-{clause.severity}-{promql.duration(clause.long)}" for clause in made]
    conditions = [_condition(name, clause) for name, clause in zip(names, made, strict=True)]
    policy = f"{objective.name}-burn"
    spec: dict[str, Any] = {
        "description": objective.description or f"{objective.kind} of {objectives.service}",
        "service": objectives.service,
        "indicator": {
            "metadata": {"name": f"{objective.name}-sli"},
            "spec": {"ratioMetric": _ratio(objective, objectives)},
        },
        "timeWindow": [{"duration": promql.duration(objective.period), "isRolling": True}],
        "budgetingMethod": "Occurrences",
        "objectives": [{"displayName": objective.name, "target": float(objective.objective)}],
    }
    own = {f"{_OURS}kind": objective.kind, f"{_OURS}owner": objective.owner}
    own |= {f"{_OURS}{name}": value for name, value in {**_fields(objective), **_structured(objective)}.items()}
    slo = _document("SLO", objective.name, spec, own)
    if not objective.alerting.any:
        return [slo]
    spec["alertPolicies"] = [policy]
    references = [{"conditionRef": name} for name in names]
    policies = [
        _document("AlertPolicy", f"{policy}-{number}", {"alertWhenBreaching": True, "conditions": [reference]})
        for number, reference in enumerate(references, 1)
    ]
    spec["alertPolicies"] = [each["metadata"]["name"] for each in policies]
    return [slo, *policies, *conditions]


def _ratio(objective: Objective, objectives: Objectives) -> dict[str, Any]:
    def query(*verdicts: str) -> dict[str, Any]:
        matchers = (
            promql.matcher(promql.label(SLO), (objective.name,)),
            promql.matcher(promql.label(VERDICT), verdicts),
        )
        selector = tuple(promql.matcher(name, (value,)) for name, value in objectives.selector)
        series = promql.selector(SLO_EVENTS.prometheus, *matchers, *selector)
        return {"metricSource": {"metricSourceRef": "prometheus", "spec": {"query": f"sum({series})"}}}

    return {"counter": True, "good": query(Verdict.GOOD), "total": query(Verdict.GOOD, Verdict.BAD)}


def _condition(name: str, clause: Clause) -> dict[str, Any]:
    """One window per condition is all that OpenSLO has; the short window travels as an annotation."""
    condition = {
        "kind": "burnrate",
        "op": "gt",
        "threshold": float(clause.factor),
        "lookbackWindow": promql.duration(clause.long),
        "alertAfter": "2m" if clause.severity == "page" else "15m",
    }
    spec = {"severity": clause.severity, "condition": condition}
    return _document("AlertCondition", name, spec, {f"{_OURS}short-window": promql.duration(clause.short)})


def _document(
    kind: str, name: str, spec: dict[str, Any], annotations: Mapping[str, str] | None = None
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def _fields(objective: Objective) -> dict[str, str]:
    """The fields that a kind adds, as the SLO file writes them."""
    own = {field.name: getattr(objective, field.name) for field in fields(objective) if field.name not in _BASE}
    return {name: _written(name, value) for name, value in own.items() if value is not None}


def _structured(objective: Objective) -> dict[str, str]:
    """Filter and aborts, as flow YAML."""
    chosen: dict[str, object] = {name: list(value) for name in _PATTERNS if (value := getattr(objective.filter, name))}
    sizes = objective.filter.prompt_tokens
    if sizes is not None:
        chosen["prompt_tokens"] = f"{sizes[0]}-{'' if sizes[1] is None else sizes[1]}"
    found = {"filter": yaml.safe_dump(chosen, default_flow_style=True).strip()} if chosen else {}
    return found | {"aborts": "counted" if objective.count_aborts else "excluded"}


def _written(name: str, value: object) -> str:
    if isinstance(value, Decimal):
        return promql.number(value) if name == "fluidity" else promql.duration(value)
    return str(value)


def _imported(document: Mapping[str, Any], notes: list[str]) -> Iterable[dict[str, Any]]:
    name, spec = document.get("metadata", {}).get("name", "unnamed"), document.get("spec", {})
    ours = _annotations(document)
    if document.get("apiVersion") != VERSION:
        notes.append(f"{name}: apiVersion {document.get('apiVersion')!r} is read as {VERSION}")
    if spec.get("budgetingMethod", "Occurrences") != "Occurrences":
        notes.append(
            f"{name}: budgetingMethod {spec['budgetingMethod']} does not fit; every stream counts (Occurrences)"
        )
    if "kind" not in ours:
        notes.append(
            f"{name}: its indicator is a query, which judges no stream; kind availability is a guess, choose one"
        )
    wanted = spec.get("objectives") or [{}]
    for number, objective in enumerate(wanted, 1):
        row = {"name": name if len(wanted) == 1 else f"{name}-{number}", "kind": ours.get("kind", "availability")}
        row |= {"target": _target(name, objective), "period": _period(name, spec, notes)}
        row |= {
            key: yaml.safe_load(value) if key == "filter" else value for key, value in ours.items() if key != "kind"
        }
        if spec.get("description"):
            row["description"] = spec["description"]
        unknown = sorted({"op", "value", "timeSliceTarget", "timeSliceWindow", "compositeWeight"} & objective.keys())
        if unknown:
            notes.append(f"{name}: {', '.join(unknown)} of an objective have no counterpart and were left out")
        yield row


def _target(name: str, objective: Mapping[str, Any]) -> str:
    if "targetPercent" in objective:
        return promql.number(objective["targetPercent"])
    if "target" in objective:
        return promql.number(Decimal(str(objective["target"])) * 100)
    raise ConfigError("objectives", name, "an objective with target or targetPercent")


def _period(name: str, spec: Mapping[str, Any], notes: list[str]) -> str:
    windows = spec.get("timeWindow") or [{}]
    if not windows[0].get("isRolling", True):
        notes.append(f"{name}: a calendar window does not fit; the period rolls")
    text = str(windows[0].get("duration", "30d"))
    try:
        seconds = promql.parse_duration(text)
    except ValueError:
        notes.append(f"{name}: the window {text!r} is no number of days; 30d was taken")
        return "30d"
    return promql.duration(seconds)


def _policies(documents: Iterable[Mapping[str, Any]]) -> list[str]:
    conditions = [each for each in documents if each.get("kind") == "AlertCondition" and not _annotations(each)]
    return [
        f"{condition['metadata']['name']}: an AlertCondition has one window, multi-window pairs do not fit; "
        "the pairs of the SLO file's `windows` are used instead"
        for condition in conditions
    ]


def _annotations(document: Mapping[str, Any]) -> dict[str, str]:
    found = document.get("metadata", {}).get("annotations") or {}
    return {name.removeprefix(_OURS): str(value) for name, value in found.items() if name.startswith(_OURS)}
