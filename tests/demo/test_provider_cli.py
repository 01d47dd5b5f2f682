"""`streamgauge provider` on the command line."""

import re
import signal
import subprocess
import sys

import httpx2
import pytest
from click.testing import CliRunner

from streamgauge.cli import main
from streamgauge.demo import FAULTS


def test_list_names_and_describes_every_fault() -> None:
    said = CliRunner().invoke(main, ["provider", "--list"])
    assert said.exit_code == 0
    assert [line.split()[0] for line in said.output.splitlines()] == list(FAULTS)
    assert all(fault.description in said.output for fault in FAULTS.values())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--fault", "nope"], "stall_forever"),
        (["--mix", "healthy=1,nope=2"], "stall_forever"),
        (["--mix", "healthy"], "NAME=NUMBER"),
        (["--gap-ms", "-1"], "milliseconds"),
    ],
)
def test_wrong_options_say_what_would_be_right(options: list[str], says: str) -> None:
    said = CliRunner().invoke(main, ["provider", *options])
    assert said.exit_code == 2
    assert says in said.stderr


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_provider_serves_what_it_prints_until_interrupted(told: signal.Signals) -> None:
    code = "from streamgauge.cli import main; main()"
    command = [sys.executable, "-u", "-c", code, "provider", "--mix", "empty=1", "--first-ms", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        said = ""
        while "unauthorized" not in said:
            said += running.stdout.readline()
        found = re.search(r'OpenAI\(base_url="([^"]+)"', said)
        assert found is not None
        answer = httpx2.post(f"{found[1]}/chat/completions", json={"model": "m", "stream": True, "messages": []})
        running.send_signal(told)
        assert running.wait(30) == 0
    assert answer.headers["x-streamgauge-fault"] == "empty"
    assert answer.text.endswith("data: [DONE]\n\n")
