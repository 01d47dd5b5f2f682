import asyncio
import dataclasses
import datetime
import decimal
import logging
from types import SimpleNamespace
from typing import Any

import pytest

import streamgauge
from streamgauge import ledger as room
from streamgauge.ledger import (
    ArgumentConflict,
    DuplicateEffect,
    EffectInputError,
    EffectState,
    NoEffect,
    UnknownTool,
    came_from,
    current_effect,
    lookups,
)
from streamgauge.ledger.ledger import Ledger


def running() -> Any:
    return current_effect()


def states(ledger: Any) -> Any:
    return [entry.state for entry in ledger.entries()]


def test_intent_and_start_are_on_disk_before_the_function_runs(ledger, url):
    seen = []

    @ledger.effect(kind="external_message")
    def send(invoice_id):
        with Ledger(url) as other:
            seen.extend(other.entries())
        return invoice_id

    assert send(7) == 7
    assert [(entry.tool, entry.kind, entry.state) for entry in seen] == [("send", "external_message", "started")]
    assert [line["what"] for line in ledger.history()] == ["intended", "started", "committed"]


def test_a_block_commits_with_what_it_is_told_and_hands_the_result_through(ledger):
    with ledger.effect("charge_card", key="k", record_result=True) as effect:
        assert effect.committed({"charge": "ch_1"}) == {"charge": "ch_1"}
    (entry,) = ledger.entries()
    assert (entry.state, entry.result) == ("committed", {"charge": "ch_1"})


def test_a_block_that_ends_without_a_word_has_committed(ledger):
    with ledger.effect("charge_card"):
        pass
    assert states(ledger) == ["committed"]


def test_what_is_told_stands_even_if_the_block_fails_afterwards(ledger):
    with pytest.raises(ValueError, match="later"), ledger.effect("charge_card") as effect:
        effect.committed()
        raise ValueError("later")
    assert states(ledger) == ["committed"]


def test_telling_the_outcome_twice_is_an_error(ledger):
    with pytest.raises(room.IllegalTransition), ledger.effect("charge_card") as effect:
        effect.committed()
        effect.failed_no_effect()
    assert states(ledger) == ["committed"]


@pytest.mark.parametrize(
    ("error", "declared", "state", "reason"),
    [
        (ValueError("secret"), {}, "unknown", "exception after dispatch: ValueError"),
        (TimeoutError("secret"), {}, "unknown", "timed out in flight: TimeoutError"),
        (KeyboardInterrupt(), {}, "unknown", "cancelled in flight: KeyboardInterrupt"),
        (NoEffect("secret"), {}, "failed_no_effect", "exception after dispatch: NoEffect"),
        (ValueError("x"), {"no_effect": ValueError}, "failed_no_effect", "exception after dispatch: ValueError"),
        (
            ValueError("x"),
            {"no_effect": lambda e: "x" in str(e)},
            "failed_no_effect",
            "exception after dispatch: ValueError",
        ),
        (ValueError("x"), {"no_effect": (KeyError,)}, "unknown", "exception after dispatch: ValueError"),
        (ValueError("x"), {"kind": "read_only"}, "failed_no_effect", "exception after dispatch: ValueError"),
    ],
)
def test_an_exception_is_unknown_unless_it_proves_that_nothing_happened(ledger, error, declared, state, reason):
    @ledger.effect("tool", **declared)
    def tool():
        raise error

    with pytest.raises(type(error)) as raised:
        tool()
    (entry,) = ledger.entries()
    assert raised.value is error
    assert (entry.state, entry.reason) == (state, reason)
    assert "secret" not in str(ledger.history())


def test_the_same_key_again_is_a_duplicate_that_carries_the_earlier_entry(ledger):
    runs = []

    @ledger.effect(tool_call_arg="call")
    def send(invoice_id, call):
        runs.append(invoice_id)

    send(1, call="resp_1#call_1")
    with pytest.raises(DuplicateEffect) as duplicate:
        send(1, call="resp_1#call_1")
    assert runs == [1]
    assert duplicate.value.entry is not None
    assert (duplicate.value.entry.key, duplicate.value.entry.state) == ("resp_1#call_1:send", "committed")


def test_a_duplicate_returns_the_recorded_result_if_asked_for(ledger):
    runs = []

    @ledger.effect(key_arg="order", record_result=True, on_duplicate="result")
    def charge(order):
        runs.append(order)
        return {"charge": order}

    assert charge("o-1") == charge("o-1") == {"charge": "o-1"}
    assert runs == ["o-1"]


def test_a_pending_duplicate_has_no_result_to_return(ledger):
    @ledger.effect(key_arg="order", record_result=True, on_duplicate="result")
    def charge(order, again):
        return charge(order, False) if again else None

    with pytest.raises(ArgumentConflict):
        charge("o-1", True)

    @ledger.effect("nested", key="n", on_duplicate="result")
    def nested():
        return nested()

    with pytest.raises(DuplicateEffect) as pending:
        nested()
    assert pending.value.entry is not None
    assert pending.value.entry.state == "started"


def test_the_same_key_with_other_arguments_or_another_tool_is_a_conflict(ledger):
    with ledger.effect("charge", key="k", args={"amount": 1}):
        pass
    for tool, args in (("charge", {"amount": 2}), ("refund", {"amount": 1})):
        with pytest.raises(ArgumentConflict), ledger.effect(tool, key="k", args=args):
            pytest.fail("must not run")
    assert [line["detail"] for line in ledger.history(key="k") if line["what"] == "refused"] == ["conflict", "conflict"]


def test_a_key_whose_effect_is_proven_absent_may_be_used_again(ledger):
    with pytest.raises(NoEffect), ledger.effect("charge", key="k"):
        raise NoEffect
    with ledger.effect("charge", key="k"):
        pass
    assert [(e.attempt, e.state) for e in ledger.entries()] == [(1, "failed_no_effect"), (2, "committed")]


def test_an_unknown_effect_is_not_run_again(ledger):
    with pytest.raises(ValueError, match="x"), ledger.effect("charge", key="k"):
        raise ValueError("x")
    with pytest.raises(DuplicateEffect), ledger.effect("charge", key="k"):
        pytest.fail("must not run")


def test_the_key_is_offered_to_the_tool(ledger):
    @ledger.effect(tool_call_arg="call", offer_key_as="idempotency_key")
    def charge(amount, call, idempotency_key):
        assert running().idempotency_key == idempotency_key
        return idempotency_key

    assert charge(3, "resp_9#call_2") == "resp_9#call_2:charge"
    assert current_effect() is None


OPENAI_DICT = {"id": "call_1", "type": "function", "function": {"name": "charge", "arguments": '{"amount": 3}'}}
OPENAI_OBJECT = SimpleNamespace(id="call_1", function=SimpleNamespace(name="charge", arguments='{"amount": 3}'))
RESPONSES_ITEM = SimpleNamespace(id="fc_1", call_id="call_1", name="charge", arguments='{"amount": 3}')
ANTHROPIC_BLOCK = SimpleNamespace(type="tool_use", id="call_1", name="charge", input={"amount": 3})


@pytest.mark.parametrize("call", [OPENAI_DICT, OPENAI_OBJECT, RESPONSES_ITEM, ANTHROPIC_BLOCK])
def test_a_tool_call_of_any_sdk_gives_key_stream_and_arguments(ledger, call):
    with ledger.effect("charge", tool_call=call, stream="resp_1", show=("amount",)) as effect:
        assert effect.reference == "resp_1#call_1"
    (entry,) = ledger.entries()
    assert (entry.key, entry.stream_ref, entry.tool_call_id) == ("resp_1#call_1:charge", "resp_1", "call_1")
    assert entry.args_view == {"amount": 3}


def test_the_real_sdk_objects_are_read(ledger):
    from anthropic.types import ToolUseBlock
    from openai.types.chat import ChatCompletionMessageFunctionToolCall
    from openai.types.responses import ResponseFunctionToolCall

    calls = [
        ToolUseBlock(id="a", name="t", input={"x": 1}, type="tool_use"),
        ChatCompletionMessageFunctionToolCall.model_validate(
            {"id": "b", "type": "function", "function": {"name": "t", "arguments": '{"x":1}'}}
        ),
        ResponseFunctionToolCall(arguments='{"x":1}', call_id="c", name="t", type="function_call", id="fc"),
    ]
    for call in calls:
        with ledger.effect("t", tool_call=call, stream="r"):
            pass
    assert [entry.tool_call_id for entry in ledger.entries()] == ["a", "b", "c"]
    assert len({entry.args_hash for entry in ledger.entries()}) == 1


def test_the_context_gives_stream_and_tool_call(ledger):
    @ledger.effect
    def send(n):
        return running().reference

    with came_from("resp_1#call_1"):
        assert send(1) == "resp_1#call_1"
    with came_from(stream="resp_2"):
        assert send(1) == "resp_2"
    assert send(1) is None


def test_the_capture_may_tell_stream_tool_call_and_text_shown(ledger, monkeypatch):
    shown = iter([10, 35])
    monkeypatch.setattr(lookups, "current_stream", lambda tool: "resp_7" if tool == "send" else None)
    monkeypatch.setattr(lookups, "lives_here", lambda ref: ref == "resp_7")
    monkeypatch.setattr(lookups, "tool_call", lambda call: "resp_7#call_3" if call == "call_3" else None)
    monkeypatch.setattr(lookups, "shown_chars", lambda ref: next(shown) if ref == "resp_7" else None)
    with ledger.effect("send", tool_call="call_3") as effect:
        assert effect.reference == "resp_7#call_3"
    (entry,) = ledger.entries()
    assert (entry.shown_at_start, entry.shown_at_settle) == (10, 35)
    assert ledger.streams(ref="resp_7")[0].owner is not None


def test_a_reference_and_another_stream_contradict_each_other(ledger):
    with pytest.raises(EffectInputError, match="resp_1"), ledger.effect("t", tool_call="resp_1#c", stream="resp_2"):
        pytest.fail("must not run")


def test_only_allow_listed_arguments_are_kept(ledger):
    @ledger.effect(show=("invoice_id",))
    def send(invoice_id, address):
        return None

    send(5, "somebody@example.com")
    assert ledger.entries()[0].args_view == {"invoice_id": 5}
    assert "somebody" not in "".join(ledger.export())


def test_self_and_ignored_arguments_are_no_part_of_the_wish(ledger):
    class Mailer:
        @ledger.effect(ignore_args=("session",), key_arg="key")
        def send(self, to, session, key):  # noqa: ARG002 - what is ignored is the point
            return to

    assert Mailer().send("a", object(), "k1") == "a"
    with pytest.raises(DuplicateEffect):
        Mailer().send("a", object(), "k1")


@dataclasses.dataclass
class Money:
    amount: decimal.Decimal
    at: datetime.date


def test_equal_arguments_hash_equally_however_they_are_written(ledger):
    hashes = set()
    for n, args in enumerate(
        (
            {"b": 1, "a": [Money(decimal.Decimal("1.50"), datetime.date(2026, 1, 2))]},
            {"a": [{"amount": "1.50", "at": "2026-01-02"}], "b": 1},
        )
    ):
        with ledger.effect("t", key=f"k{n}", args=args):
            pass
    hashes = {entry.args_hash for entry in ledger.entries()}
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("bad", "names"),
    [
        ({"tool": "t", "args": {"session": object()}}, "args.session is a object"),
        ({"tool": "t", "args": {"x": float("nan")}}, "arguments of t"),
        ({"tool": "t", "args": {1: 2}}, "a key of args"),
        ({"tool": ""}, "tool"),
        ({"tool": "a b"}, "tool"),
        ({"tool": None}, "tool"),
        ({"tool": "t", "key": ""}, "key"),
        ({"tool": "t", "key": "x" * 256}, "key"),
        ({"tool": "t", "tool_call": "#c"}, "reference"),
        ({"tool": "t", "tool_call": {"name": "no id"}}, "tool_call"),
        ({"tool": "t", "kind": "two words"}, "kind"),
        ({"tool": "t", "on_duplicate": "maybe"}, "on_duplicate"),
        ({"tool": "t", "compensate": "refund"}, "compensate"),
        ({"tool": "t", "policy": "deny"}, "policy"),
        ({"tool": "t", "confidence": float("nan")}, "confidence"),
        ({"tool": "t", "confidence": 80}, "confidence"),
        ({"tool": "t", "confidence": "high"}, "confidence"),
        ({"tool": "t", "lease": 0}, "lease"),
        ({"tool": "t", "lease": float("inf")}, "lease"),
    ],
)
def test_wrong_input_is_named_before_anything_is_dispatched(ledger, bad, names):
    tool = bad.pop("tool")
    with pytest.raises(EffectInputError, match=names), ledger.effect(tool, **bad):
        pytest.fail("must not run")
    assert ledger.entries() == []


def test_names_of_arguments_that_do_not_exist_are_refused_where_they_are_written(ledger):
    with pytest.raises(EffectInputError, match="invoice"):

        @ledger.effect(show=("invoice",))
        def send(invoice_id):
            return None


def test_a_call_that_does_not_fit_the_function_leaves_no_entry(ledger):
    @ledger.effect
    def send(invoice_id):
        return None

    with pytest.raises(TypeError):
        send()
    assert ledger.entries() == []


def test_generators_are_refused(ledger):
    with pytest.raises(EffectInputError, match="generator"):

        @ledger.effect
        def send():
            yield 1


def test_one_declaration_serves_one_block(ledger):
    declared = ledger.effect("t")
    with declared:
        pass
    with pytest.raises(EffectInputError, match="new effect"), declared:
        pytest.fail("must not run")


def test_a_ledger_may_know_its_tools(url):
    with Ledger(url, tools=("send",)) as ledger:
        with ledger.effect("send"):
            pass
        with pytest.raises(UnknownTool, match=r"sned.*known: send"), ledger.effect("sned"):
            pytest.fail("must not run")


@pytest.mark.parametrize(
    ("hints", "trusted", "kind", "idempotent"),
    [
        (None, False, "destructive", False),
        ({"readOnlyHint": True, "idempotentHint": True}, False, "destructive", False),
        ({"readOnlyHint": True}, True, "read_only", False),
        ({"destructiveHint": False, "idempotentHint": True}, True, "additive", True),
        (SimpleNamespace(readOnlyHint=None, destructiveHint=True, idempotentHint=None), True, "destructive", False),
    ],
)
def test_hints_of_mcp_count_only_if_trusted(ledger, hints, trusted, kind, idempotent):
    with ledger.effect("t", hints=hints, trust_hints=trusted):
        pass
    (entry,) = ledger.entries()
    assert (entry.kind, entry.idempotent, entry.reversible) == (kind, idempotent, False)


def test_listeners_hear_every_step_and_their_failures_go_no_further(ledger, caplog):
    heard: list[Any] = []

    def broken(fact):
        raise RuntimeError("listener")

    ledger.on_change(broken)
    ledger.on_change(heard.append)
    with caplog.at_level(logging.CRITICAL, "streamgauge.ledger"), ledger.effect("t"):
        pass
    assert [(fact.previous, fact.entry.state) for fact in heard] == [
        (None, "intended"),
        ("intended", "started"),
        ("started", "committed"),
    ]


def test_a_refusal_is_a_fact_with_a_closed_reason(ledger):
    heard: list[Any] = []
    with ledger.effect("t", key="k"):
        pass
    ledger.on_change(heard.append)
    with pytest.raises(DuplicateEffect), ledger.effect("t", key="k"):
        pytest.fail("must not run")
    assert [(fact.tool, fact.because) for fact in heard] == [("t", "duplicate")]


async def test_async_functions_and_blocks_behave_alike(ledger):
    @ledger.effect(record_result=True)
    async def send(n):
        await asyncio.sleep(0)
        return {"n": n, "key": running().idempotency_key}

    result = await send(1)
    async with ledger.effect("block", key="b") as effect:
        effect.committed()
    with pytest.raises(ValueError, match="x"):
        async with ledger.effect("failing"):
            raise ValueError("x")
    assert states(ledger) == [EffectState.COMMITTED, EffectState.COMMITTED, EffectState.UNKNOWN]
    assert ledger.entries()[0].result == result


async def test_concurrent_tasks_each_see_their_own_effect(ledger):
    @ledger.effect
    async def send(n):
        before = running().idempotency_key
        await asyncio.sleep(0)
        return before == running().idempotency_key, before

    results = await asyncio.gather(*(send(n) for n in range(20)))
    assert all(same for same, _ in results)
    assert len({key for _, key in results}) == 20


def test_the_module_s_own_effect_uses_the_ledger_of_the_process(tmp_path, monkeypatch):
    monkeypatch.setenv("STREAMGAUGE_LEDGER_URL", f"sqlite:///{tmp_path}/own.db")

    @room.effect(kind="external_message", reversible=False)
    def send(invoice_id: int) -> int:
        return invoice_id

    try:
        assert room.current_ledger(open_default=False) is None
        assert send(3) == 3
        assert [entry.tool for entry in room.open_ledger().entries()] == ["send"]
        replaced = streamgauge.ledger(f"sqlite:///{tmp_path}/other.db")
        assert room.current_ledger() is replaced
    finally:
        room.close_ledger()
    assert (tmp_path / "own.db").exists()


def test_the_default_ledger_is_a_file_beside_the_application(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STREAMGAUGE_LEDGER_URL", raising=False)
    with room.open_ledger() as opened:
        assert opened.url == "sqlite:///streamgauge-effects.db"
    assert (tmp_path / "streamgauge-effects.db").exists()
