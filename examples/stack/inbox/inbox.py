"""Where alerts arrive in the example stack: takes Alertmanager's webhooks and prints a line for each alert."""

import json
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Inbox(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for alert in message["alerts"]:
            labels, notes = alert["labels"], alert["annotations"]
            where = f"{labels.get('service', '-')}/{labels.get('slo', '-')}"
            what = f"{labels['alertname']} {where}: {notes.get('summary', '')}"
            print(f"{self.path[1:]:8} {alert['status']:8} {what}", flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Requests are not worth a line; alerts are."""


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # the first process of a container ignores it otherwise
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
    with HTTPServer(("127.0.0.1", port), Inbox) as server:
        print(f"waiting for alerts on port {server.server_port}", flush=True)
        server.serve_forever()
