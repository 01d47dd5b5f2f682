"""The provisioning files hold what Grafana reads, and nothing that it would pass over in silence.

Grafana ignores keys that it does not know, so the known ones are written down here with the types of their values, from
its documentation (Administration, Provision Grafana) and the structs that it reads the files into.
"""

from typing import Any

import pytest
import yaml
from tests.dashboards import reading

PROVISIONING = reading.OUTPUT / "provisioning"
SOURCE: dict[str, type] = {
    "orgId": int, "orgName": str, "version": int, "name": str, "type": str, "access": str, "url": str, "user": str,
    "database": str, "basicAuth": bool, "basicAuthUser": str, "withCredentials": bool, "isDefault": bool,
    "correlations": list, "jsonData": dict, "secureJsonData": dict, "editable": bool, "uid": str,
}  # fmt: skip
SETTINGS: dict[str, dict[str, type]] = {
    "prometheus": {
        "httpMethod": str, "timeInterval": str, "queryTimeout": str, "manageAlerts": bool, "prometheusType": str,
        "exemplarTraceIdDestinations": list,
    },
    "tempo": {
        "tracesToLogsV2": dict, "tracesToMetrics": dict, "serviceMap": dict, "nodeGraph": dict, "search": dict,
        "traceQuery": dict, "spanBar": dict, "streamingEnabled": dict,
    },
}  # fmt: skip
PROVIDER: dict[str, type] = {
    "name": str, "orgId": int, "folder": str, "folderUid": str, "type": str, "disableDeletion": bool,
    "updateIntervalSeconds": int, "allowUiUpdates": bool, "options": dict,
}  # fmt: skip


def read(name: str) -> Any:
    return yaml.safe_load((PROVISIONING / name / "streamgauge.yaml").read_text("utf-8"))


def unread(given: dict[str, Any], known: dict[str, type]) -> list[str]:
    """Keys that Grafana does not know, and values of another type than it takes."""
    return [f"{key}: {value!r}" for key, value in given.items() if type(value) is not known.get(key)]


def test_grafana_knows_every_key_of_the_data_sources():
    document = read("datasources")
    assert document.keys() == {"apiVersion", "datasources"} and document["apiVersion"] == 1
    for source in document["datasources"]:
        assert unread(source, SOURCE) == []
        assert unread(source["jsonData"], SETTINGS[source["type"]]) == []
        assert source["access"] == "proxy"
    uids = {source["uid"]: source["type"] for source in document["datasources"]}
    assert sorted(uids.values()) == ["prometheus", "tempo"]
    assert [source["isDefault"] for source in document["datasources"] if "isDefault" in source] == [True]


def test_data_sources_name_each_other_by_uids_that_exist():
    sources = {source["type"]: source for source in read("datasources")["datasources"]}
    (exemplars,) = sources["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert exemplars.keys() == {"name", "datasourceUid"}
    assert exemplars["datasourceUid"] == sources["tempo"]["uid"]
    assert sources["tempo"]["jsonData"]["tracesToMetrics"] == {"datasourceUid": sources["prometheus"]["uid"]}


def test_grafana_knows_every_key_of_the_dashboards_provider():
    document = read("dashboards")
    assert document.keys() == {"apiVersion", "providers"} and document["apiVersion"] == 1
    (provider,) = document["providers"]
    assert unread(provider, PROVIDER) == []
    assert provider["type"] == "file" and provider["options"].keys() == {"path"}


@pytest.mark.parametrize(("key", "value"), [("uuid", "prometheus"), ("isDefault", "yes")])
def test_a_key_that_nobody_reads_and_a_value_of_another_type_are_seen(key, value):
    assert unread({**read("datasources")["datasources"][0], key: value}, SOURCE) == [f"{key}: {value!r}"]
