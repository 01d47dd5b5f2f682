"""`streamgauge demo` as a user runs it: in a pipe, in a terminal, for a dashboard; and that it does not lie for us."""

import contextlib
import json
import math
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

import streamgauge
from streamgauge import names
from streamgauge.cli import main
from streamgauge.demo import Provider, overhead, story
from streamgauge.demo.faults import Expected
from streamgauge.demo.story import STORIES
from streamgauge.names import Outcome

COMMAND = [sys.executable, "-u", "-c", "from streamgauge.cli import main; main()", "demo"]


def demo(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=100, check=False)


@contextmanager
def started(*options: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, text=True) as process:
        yield process


@pytest.fixture(autouse=True)
def quick_overhead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs in this process measure their overhead on short answers."""
    monkeypatch.setattr(overhead, "PIECES", 20)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """One run of every story on every API."""
    jsonl = tmp_path_factory.mktemp("demo") / "reports.jsonl"
    said = demo("--json", "--streams", "170", "--jsonl", str(jsonl))
    assert said.returncode == 0, said.stdout[-3000:] + said.stderr[-3000:]
    return json.loads(said.stdout), jsonl


def test_every_row_agrees_on_every_api(whole: tuple[dict[str, Any], Path]) -> None:
    summary, _ = whole
    assert summary["agree"] is True
    assert {(row["name"], row["api"]) for row in summary["rows"]} == {
        (told.name, api) for told in STORIES.values() for api in told.apis
    }
    for row in summary["rows"]:
        (recorded,) = row["recorded"]
        assert recorded.pop("streams") == row["streams"]
        assert recorded == row["expected"]


def test_shares_are_those_of_the_default_verdicts(whole: tuple[dict[str, Any], Path]) -> None:
    summary, _ = whole
    assert summary["judged"] + summary["excluded"] == summary["streams"] == 170
    assert summary["good"] + summary["bad"] == summary["judged"]
    assert summary["users_ok_share"] == pytest.approx(summary["good"] / summary["judged"])
    assert summary["users_ok_share"] < summary["http_ok_share"] < 1


def test_times_stand_in_their_order(whole: tuple[dict[str, Any], Path]) -> None:
    summary, _ = whole
    assert [times["api"] for times in summary["times"]] == [*story.APIS, "all"]
    for times in summary["times"]:
        for share in ("p50", "p95"):
            assert times[f"first_event_{share}_s"] < times[f"ttft_{share}_s"] < times[f"ttlt_{share}_s"]


def test_overhead_is_measured_on_each_api(whole: tuple[dict[str, Any], Path]) -> None:
    summary, _ = whole
    assert [cost["api"] for cost in summary["overhead"]] == list(story.APIS)
    for cost in summary["overhead"]:
        assert cost["ratio"] == pytest.approx(cost["observed_us"] / cost["bare_us"])


def test_jsonl_has_one_report_per_stream(whole: tuple[dict[str, Any], Path]) -> None:
    _, jsonl = whole
    reports = [json.loads(line) for line in jsonl.read_text().splitlines()]
    assert len({report["stream_id"] for report in reports}) == len(reports) == 170


def test_a_pipe_gets_plain_aligned_lines() -> None:
    said = CliRunner().invoke(main, ["demo", "--faults", "healthy,reset,user-stop", "--streams", "9"])
    assert said.exit_code == 0, said.output
    assert "\x1b" not in said.stdout
    lines = said.stdout.splitlines()
    head = next(line for line in lines if line.startswith("story"))
    reset = next(line for line in lines if line.startswith("reset"))
    assert reset[head.index("recorded") :].startswith("failed: network_mid_stream")
    assert reset.endswith("yes")
    assert re.search(r"HTTP says 100.0 % ok, users got \d+\.\d %", said.stdout)
    assert "All 9 rows (story x API) agree." in said.stdout


def test_a_terminal_gets_drawn_tables_and_progress() -> None:
    leader, follower = pty.openpty()
    command = [*COMMAND, "--faults", "healthy,truncated", "--streams", "6"]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
    with subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=environment) as process:
        os.close(follower)
        drawn = b"".join(_read(leader)).decode()
        assert process.wait(60) == 0
    os.close(leader)
    assert "\x1b[" in drawn
    assert re.search(r"open \d+  ended \d+ of 6", drawn)
    assert "─" in drawn
    assert "All 6 rows (story x API) agree." in drawn


def _read(leader: int) -> Iterator[bytes]:
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # Linux says so when the other side is gone
            return
        if not piece:
            return
        yield piece


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--faults", "stall,nope"], "content_filter_mid"),
        (["--streams", "0"], "1 or more"),
        (["--serve", "--bad-share", "1.5"], "from 0 to 1"),
        (["--jsonl", "/no/such/place/file"], "can be written"),
    ],
)
def test_wrong_options_say_what_would_be_right_before_anything_starts(options: list[str], says: str) -> None:
    said = CliRunner().invoke(main, ["demo", *options])
    assert said.exit_code == 2
    assert says in said.stderr
    assert not said.stdout


def test_list_names_and_describes_every_story() -> None:
    said = CliRunner().invoke(main, ["demo", "--list"])
    assert said.exit_code == 0
    assert [line.split()[0] for line in said.output.splitlines()] == list(STORIES)
    assert all(told.description in said.output for told in STORIES.values())


def test_a_row_that_does_not_agree_fails_the_run_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(STORIES["healthy"], apis=("chat", "messages"), ends=Expected(Outcome.TRUNCATED))
    monkeypatch.setitem(STORIES, "healthy", wrong)
    said = CliRunner().invoke(main, ["demo", "--faults", "healthy,reset", "--streams", "5"])
    assert said.exit_code == 1
    assert "2 of 5 rows do not agree:" in said.stdout
    assert re.search(r"healthy, chat, .*: outcome completed, expected truncated", said.stdout)
    assert re.search(r"healthy +chat, messages .* NO", said.stdout)
    assert re.search(r"reset .* yes", said.stdout)


def test_what_the_provider_sent_is_held_against_what_was_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    from streamgauge.demo.log import RequestLog

    def forgetful(self: RequestLog, frame: Any) -> None:
        self.terminal = True

    monkeypatch.setattr(RequestLog, "sent", forgetful)
    said = CliRunner().invoke(main, ["demo", "--faults", "healthy", "--streams", "3"])
    assert said.exit_code == 1
    assert re.search(r"healthy, messages, .*: \d+ characters recorded, 0 sent", said.stdout)


EMITTED = [
    metric
    for metric in names.METRICS
    if metric.name.startswith("streamgauge.")
    and not re.match(r"streamgauge\.(effects|reconciliation|slo)", metric.name)
] + [
    metric
    for field in ("duration", "first_chunk", "token_usage")
    for metric in getattr(names.VOCABULARIES[streamgauge.Settings().vocabulary], field)
]
"""What the capture emits with the demo's settings; samples per chunk only when they are switched on."""


def test_a_scrape_shows_every_metric_none_absent_none_nan() -> None:
    stories = "healthy,stall,user_stop,background_left,reasoning_and_tools,garbage"
    scrapes = []
    with started("--faults", stories, "--streams", "36", "--prometheus-port", "0") as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+/metrics", process.stdout.readline())
        assert found is not None
        scrapes = _scraped_to_the_end(process, found[0])
        assert process.returncode in (0, 1)  # whether all rows agree is another test's matter
    wanted = {metric.prometheus.removesuffix("_total") for metric in EMITTED}
    assert len(wanted) == len(EMITTED) >= 20
    families = min(scrapes, key=lambda scrape: len(wanted - set(scrape)))
    assert wanted - set(families) == set()
    assert all(families[name] for name in wanted)
    assert not [sample for samples in families.values() for sample in samples if math.isnan(sample.value)]
    for metric in (names.STREAMS_ACTIVE, names.OLDEST_AGE):
        assert max(_total(scrape, metric) for scrape in scrapes) > 0


def _scraped_to_the_end(process: subprocess.Popen[str], url: str) -> list[dict[str, list[Any]]]:
    """What is scraped while the process says something and until it has ended."""
    said = threading.Thread(target=process.communicate)
    said.start()
    scrapes = []
    while said.is_alive():
        with contextlib.suppress(OSError):  # it ends, and serves no more
            scrapes.append(_scrape(url))
        said.join(0.5)
    return scrapes


def _scrape(url: str) -> dict[str, list[Any]]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return {family.name: family.samples for family in text_string_to_metric_families(answer.read().decode())}


def _total(families: dict[str, list[Any]], metric: names.Metric) -> float:
    """The sum over a metric's series; 0 where a scrape came before the first stream."""
    return float(sum(sample.value for sample in families.get(metric.prometheus, ())))


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_serve_goes_on_until_it_is_interrupted(told: signal.Signals) -> None:
    with started("--serve", "--faults", "truncated", "--bad-share", "0.5") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "truncated" in line and "completed" in line:
                break
        process.send_signal(told)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert re.search(r"HTTP says 100.0 % ok, users got [1-9]\d?\.\d %", rest)


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_judges_the_streams_that_it_made(told: signal.Signals) -> None:
    with started("--streams", "420") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(told)
        rest, _ = process.communicate(timeout=60)
    agree = re.search(
        r"^All \d+ rows \(story x API\) agree", rest, re.MULTILINE
    )  # not all, if there was no time for them
    assert process.returncode == (0 if agree else 1), rest
    found = re.search(r"^(\d+) streams in", rest, re.MULTILINE)
    assert found is not None
    assert 0 < int(found[1]) < 420


def test_measuring_the_overhead_leaves_the_sdks_as_they_were() -> None:
    untouched = vars(openai.Stream)["__stream__"]
    with Provider() as provider:
        costs = overhead.measure(provider)
    assert vars(openai.Stream)["__stream__"] is untouched
    assert all(cost.bare_us > 0 and cost.observed_us > 0 for cost in costs)
