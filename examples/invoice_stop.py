"""What the stop button did not stop: the same tool, the same answer, Stop pressed before, during and after.

    python examples/invoice_stop.py

A real mail server on 127.0.0.1 (aiosmtpd) takes the invoices; the ledger knows afterwards what it took. Needs
`pip install 'streamgauge[ledger]' aiosmtpd`. No provider and no key: the stream is told to the ledger by reference.
"""

import asyncio
import contextlib
import smtplib
import socket
import tempfile
import threading
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from streamgauge.ledger import Entry, Ledger, StreamStopped, came_from, use_ledger
from streamgauge.ledger import effect as declare


class Inbox:
    """Keeps what arrives; can lose the connection after it took a message, as networks do."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.taken = threading.Event()
        self.stop_pressed = threading.Event()
        self.slow = False

    async def handle_DATA(self, server: Any, _: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        text = envelope.content.decode()
        self.keys.append(next(line[7:] for line in text.splitlines() if line.startswith("X-Key: ")))
        if self.slow:
            self.taken.set()
            await asyncio.to_thread(self.stop_pressed.wait, 5)
            server.transport.abort()
        return "250 OK"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


inbox = Inbox()
controller = Controller(inbox, hostname="127.0.0.1", port=free_port())


@declare("send_invoice_email", kind="external_message", reversible=False, show=("invoice_id",), offer_key_as="key")
def send_invoice_email(invoice_id: int, key: str = "") -> None:
    """Send one invoice; the key travels along, so that the inbox can be asked for it."""
    message = EmailMessage()
    message["From"], message["To"], message["X-Key"] = "billing@example.com", "customer@example.com", key
    message.set_content(f"Invoice {invoice_id}")
    with smtplib.SMTP(controller.hostname, controller.port) as smtp:
        smtp.send_message(message)


def did_it_arrive(entry: Entry) -> bool:
    """The probe: ask the inbox for the key."""
    return entry.key in inbox.keys


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        ledger = use_ledger(f"sqlite:///{Path(directory) / 'effects.db'}", settle_deadline=0.000_001)
        controller.start()
        try:
            for number, moment in enumerate(("before", "during", "after")):
                ledger.begin_stream(f"resp_{moment}")
                story(ledger, moment, number)
                ledger.end_stream(f"resp_{moment}", "cancelled", "user_stop", "text", shown_chars=120)
            ledger.reconcile()  # nobody has asked the mail server yet: what is unknown is recorded as unknown
            before_probe = {record["stream"]: record["verdict"] for record in ledger.reconciliations()}
            ledger.probe("send_invoice_email", did_it_arrive)
            ledger.reconcile()
            table(ledger.reconciliations(), before_probe)
        finally:
            controller.stop()
            ledger.close()


def story(ledger: Ledger, moment: str, number: int) -> None:
    """One answer with one tool call, and Stop at this moment."""
    inbox.slow = moment == "during"
    user = threading.Thread(target=press_stop_once_it_is_taken, args=(ledger,))
    if moment == "before":
        ledger.cancel("resp_before", "user_stop")
    if moment == "during":
        user.start()
    with came_from(f"resp_{moment}#call_1"), contextlib.suppress(StreamStopped, smtplib.SMTPException):
        send_invoice_email(number)
    if moment == "during":
        user.join()
    if moment == "after":
        ledger.cancel("resp_after", "user_stop")


def press_stop_once_it_is_taken(ledger: Ledger) -> None:
    inbox.taken.wait(5)
    ledger.cancel("resp_during", "user_stop")
    inbox.stop_pressed.set()


def table(records: list[dict[str, Any]], before_probe: dict[str, str]) -> None:
    print(f"{'stop':8}{'position':17}{'effect':22}{'verdict at stop':18}{'after reconcile':18}mail")
    for record in sorted(records, key=lambda r: r["begun_ns"]):
        (effect,) = record["effects"]
        moment = record["stream"].removeprefix("resp_")
        arrived = "arrived" if effect["key"] in inbox.keys else "-"
        at_stop = before_probe[record["stream"]]
        print(f"{moment:8}{effect['position']:17}{effect['state']:22}{at_stop:18}{record['verdict']:18}{arrived}")


if __name__ == "__main__":
    main()
