"""What must hold, the code that makes it hold, and the tests that are to fail when that code is taken away.

One row per promise. `old` is replaced by `new` wherever it stands in the file (`times` places); each test that is
named must then fail, and must pass before.
"""

# ruff: noqa: E501 - code that is quoted is as long as it is

from dataclasses import dataclass

SRC = "src/streamgauge/"
CAPTURE, GAUGE, MATRIX = "tests/capture/", "tests/gauge/", "tests/matrix/"
SURFACES = ("chat", "chat.stream", "responses", "responses.stream", "messages", "messages.stream")
PLAIN = ("chat", "responses", "messages")


@dataclass(frozen=True)
class Edit:
    """One replacement in one file."""

    path: str
    old: str
    new: str
    times: int = 1


@dataclass(frozen=True)
class Mutation:
    """A promise, the edits that break it, and the tests that must notice."""

    promise: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]

    @property
    def matrix(self) -> bool:
        """Whether its tests need the matrix's environments."""
        return any(test.startswith(MATRIX) for test in self.tests)


def edit(path: str, old: str, new: str, times: int = 1) -> Edit:
    """An edit of a file of the package."""
    return Edit(SRC + path, old, new, times)


def row(promise: str, *parts: Edit | str | tuple[str, ...]) -> Mutation:
    """A mutation from its edits and its tests, in any order."""
    edits = tuple(part for part in parts if isinstance(part, Edit))
    told = [part for part in parts if not isinstance(part, Edit)]
    return Mutation(
        promise, edits, tuple(test for part in told for test in ((part,) if isinstance(part, str) else part))
    )


def exits(way: str, surfaces: tuple[str, ...] = SURFACES, mode: str = "both") -> tuple[str, ...]:
    """The cells of the exit-path table for one way out."""
    modes = {"both": ("sync", "async"), "sync": ("sync",), "async": ("async",)}.get(mode, ())
    found = [
        f"{CAPTURE}test_exits.py::test_{each}_stream_is_told_truly_and_looks_as_without_us[{way}-{surface}]"
        for each in modes
        for surface in surfaces
    ]
    trio = "test_stream_on_trio_is_told_truly_and_looks_as_without_us"
    return (*found, *(f"{CAPTURE}test_exits.py::{trio}[{way}-{surface}]" for surface in surfaces if mode == "trio"))


HELD = f"{CAPTURE}test_held_streams.py::"
FIDELITY = f"{CAPTURE}test_fidelity.py::"
HOOKS = f"{CAPTURE}test_hooks.py::test_error_in_a_hook_reaches_nobody_and_is_counted"
BOUNDS = f"{CAPTURE}test_bounds.py::"
MANY = f"{CAPTURE}test_many.py::"
PRIVACY = f"{CAPTURE}test_privacy.py::"
LOOPS = "tests/analysis/test_loops.py::"
RECORDER = "tests/recording/test_recorder.py::"
TIMELINE = "tests/recording/test_timeline.py::"
WIRE = "tests/wire/test_wire.py::"

EXIT_PATHS = (
    row(
        "exit paths: exhausted is told",
        edit("tap.py", "        self._left(EndCause.EXHAUSTED, None)\n", "", 2),
        *(exits("exhaust"), exits("with, to the end"), exits("break then read on"), exits("handed over")),
    ),
    row(
        "exit paths: an error of the stream is the caller's, and told",
        edit("tap.py", "        quiet = self.ending and isinstance(error, Exception)", "        quiet = True"),
        *(exits("reset"), exits("error_event", ("chat", "messages")), exits("read_timeout"), exits("garbage", PLAIN)),
        exits("task cancel", mode="async"),
    ),
    row(
        "exit paths: an error of the stream is a failure, not a cancel",
        edit("tap.py", "EndCause.FAILED if isinstance(error, Exception) else", "EndCause.INTERRUPTED or"),
        *(exits("reset"), exits("read_timeout")),
    ),
    row(
        "exit paths: a task's cancel is a cancel, not a failure",
        edit("tap.py", "else EndCause.INTERRUPTED, error)", "else EndCause.FAILED, error)"),
        *(exits("task cancel", mode="async"), exits("scope cancel", mode="trio")),
    ),
    row(
        "exit paths: a dropped stream is noticed",
        edit(
            "gauge/observation.py",
            "        if not self._sealed:\n            self.dropping = True",
            "        if False:\n            self.dropping = True",
        ),
        *(exits("break and drop"), exits("exception in the body"), exits("garbage in a cycle")),
        exits("dropped in another thread", mode="sync"),
        exits("break and drop", mode="trio"),
    ),
    row(
        "exit paths: a stream that was never iterated is noticed by its response",
        edit(
            "gauge/observation.py",
            "    def _dropped(self, _reference: object) -> None:\n        self._defer(EndCause.DROPPED)",
            "    def _dropped(self, _reference: object) -> None:\n        return",
        ),
        *(exits("never iterated", ("chat", "responses", "messages")),),
        f"{GAUGE}test_watch_iterators.py::test_never_read_iterator_is_told",
    ),
    row(
        "exit paths: generators that are finalised one by one are a drop, not a close",
        edit("gauge/observation.py", "if self._tapped and finalising(body):", "if False:"),
        exits("garbage in a cycle", ("chat",), "sync"),
    ),
    row(
        "exit paths: what was dropped is sealed elsewhere, never where the garbage is collected",
        edit(
            "gauge/observation.py",
            "            self.dropping = True\n            self._gauge.later(self, cause, self._gauge.clock.monotonic_ns())",
            "            self.seal(cause)",
        ),
        f"{HELD}test_dropped_stream_is_not_told_while_the_application_holds_the_sinks_own_lock",
    ),
    row(
        "exit paths: a close is noticed",
        edit(
            "gauge/connection.py",
            "    body.__class__ = _telling(type(body), asynchronous)  # type: ignore[arg-type] # types are hashable\n",
            "",
        ),
        *(exits("close"), exits("close unread"), exits("close of the response"), exits("exception in with")),
        *(exits("break in with"), exits("interrupt in with", mode="sync"), exits("close", mode="trio")),
    ),
    row(
        "exit paths: the SDK's own close inside a read is not taken for the caller's",
        edit(
            "gauge/observation.py",
            "if self._sealed or self._tap.finishing or self._tap.running():",
            "if self._sealed or self._tap.finishing:",
        ),
        edit("gauge/observation.py", "if self._tapped and finalising(body):", "if False:"),
        exits("truncated", mode="sync"),
    ),
    row(
        "exit paths: a stream is sealed once",
        edit(
            "gauge/observation.py",
            "            if self._sealed:\n                return\n            self._sealed = True\n        if self._tap.broken:",
            "            self._sealed = True\n        if self._tap.broken:",
        ),
        f"{HELD}test_stream_that_two_threads_end_at_once_is_told_once",
    ),
    row(
        "exit paths: a close after the end marker is completed",
        edit(
            "analysis/outcome.py",
            "    if finished(record):\n        return Ending(_finished(record))\n    if record.cancel is not None:",
            "    if finished(record) and record.cancel is None:\n        return Ending(_finished(record))\n    if record.cancel is not None:",
        ),
        f"{GAUGE}test_cancel.py::test_cancel_after_the_terminal_marker_is_completed",
    ),
    row(
        "exit paths: bytes that end politely without a marker are truncated",
        edit(
            "analysis/outcome.py",
            "    EndCause.EXHAUSTED: Outcome.TRUNCATED,",
            "    EndCause.EXHAUSTED: Outcome.COMPLETED,",
        ),
        *(exits("truncated"), exits("truncated_frame", PLAIN)),
    ),
    row(
        "exit paths: what the provider says in the stream counts first",
        edit("analysis/outcome.py", "    if record.error_code is not None:", "    if False:"),
        *(exits("response_failed", ("responses",)), exits("error_event", ("responses",))),
    ),
    row(
        "exit paths: a call that fails before its stream is told",
        edit("gauge/patching.py", "        observation.refused(error)\n", "", 2),
        *(
            exits("rate_limited"),
            exits("server_error"),
            exits("refused"),
            exits("header_timeout"),
            exits("bad_request"),
        ),
    ),
    row(
        "exit paths: streams that are open when the interpreter ends are told",
        edit("gauge/wiring.py", "            atexit.register(_weakly(self, Gauge.close))\n", ""),
        f"{HELD}test_streams_open_when_the_interpreter_ends_are_told_once_each",
    ),
    row(
        "exit paths: a kept stream is abandoned at the end",
        edit("gauge/wiring.py", "            observation.seal(EndCause.EXIT)", "            pass"),
        exits("break and keep", ("chat", "messages")),
    ),
    row(
        "exit paths: the call's span is the child of the one that is current, which stays so",
        edit(
            "signals/spans.py",
            "attributes=attributes, links=links,",
            "attributes=attributes, links=links, context=Context(),",
        ),
        exits("exhaust", ("chat", "messages")),
    ),
    row(
        "exit paths: a call is over when it has its answer",
        edit("gauge/patching.py", "    finally:\n        _reset(token)\n", "    finally:\n        pass\n", 2),
        edit(
            "gauge/patching.py",
            "return None if observation is None or observation.answered else observation",
            "return observation",
        ),
        f"{HELD}test_second_call_while_a_left_stream_is_held_is_a_stream_of_its_own",
        f"{HELD}test_interleaved_streams_are_told_apart",
    ),
    row(
        "exit paths: an idle stream is given up",
        edit("gauge/wiring.py", "            observation.abandon(now)", "            pass"),
        f"{HELD}test_stream_left_unread_is_abandoned_after_the_idle_limit_and_continued_as_a_linked_one",
        f"{HELD}test_async_stream_left_unread_is_abandoned_and_closed_later_without_a_second_word",
        f"{HELD}test_stream_that_was_never_read_is_abandoned_after_the_idle_limit_and_no_stall",
    ),
    row(
        "exit paths: a stream that is read on within the limit stays one",
        edit("gauge/wiring.py", "now - recorder.now > idle", "now - recorder.now > idle // 2"),
        f"{HELD}test_stream_read_on_within_the_limit_stays_one",
    ),
    row(
        "exit paths: a stream that was given up goes on as another",
        edit("gauge/observation.py", "        self.recorder.divert(self._read_on)\n", ""),
        f"{HELD}test_stream_left_unread_is_abandoned_after_the_idle_limit_and_continued_as_a_linked_one",
    ),
    row(
        "exit paths: what reads on a stream that was given up finds no room in its books",
        edit("recording/intake.py", "        self.pieces.extend(_NO_ROOM)", "        pass"),
        f"{HELD}test_stream_left_unread_is_abandoned_after_the_idle_limit_and_continued_as_a_linked_one",
        f"{HELD}test_end_marker_of_a_stream_that_is_read_on_reaches_the_half_that_goes_on",
    ),
    row(
        "exit paths: what goes on is linked to what was given up",
        edit("gauge/wiring.py", '        self.guard.call("remember", self._remember, observation, report)\n', ""),
        f"{HELD}test_stream_left_unread_is_abandoned_after_the_idle_limit_and_continued_as_a_linked_one",
        f"{GAUGE}test_clients.py::test_resumed_response_is_linked_to_the_stream_that_it_goes_on_with",
    ),
    row(
        "exit paths: a stream whose reader waits is never given up, nor once it was continued",
        edit("gauge/wiring.py", "        observation.catch_up()\n", ""),
        f"{HELD}test_stream_whose_reader_waits_is_never_given_up_before_or_after_it_was_continued",
    ),
    row(
        "exit paths: what goes on after it was given up has no first text of its own",
        edit("analysis/report.py", "None if call.resumed else since(at, origin)", "since(at, origin)"),
        f"{HELD}test_stream_left_unread_is_abandoned_after_the_idle_limit_and_continued_as_a_linked_one",
        f"{GAUGE}test_clients.py::test_resumed_response_is_linked_to_the_stream_that_it_goes_on_with",
    ),
    row(
        "exit paths: a body that is read by hand is dropped, not abandoned",
        edit(
            "gauge/observation.py",
            '        if not self._tapped and self._read_by_hand():\n            self.discard("raw_body")\n            return',
            "        if False:\n            return",
        ),
        f"{HELD}test_body_that_is_read_by_hand_is_dropped_and_not_abandoned_after_the_idle_limit",
    ),
    row(
        "exit paths: the begin event is out before a process dies",
        edit("signals/__init__.py", "        self._logs.begun(call, spans.context_of(span))\n", ""),
        f"{HELD}test_begin_event_is_out_before_a_process_that_dies",
    ),
    row(
        "exit paths: a retry is one more attempt of the same stream",
        edit("gauge/patching.py", "            observation.attempt()\n", "            pass\n"),
        f"{HELD}test_retry_before_the_headers_is_one_stream_of_two_attempts",
    ),
    row(
        "exit paths: one span per call, of Anthropic's too",
        edit("gauge/patching.py", "if provider.own_span is not None:", "if False:"),
        f"{GAUGE}test_auto.py::test_anthropics_own_span_gives_way_to_ours",
        f"{GAUGE}test_auto.py::test_anthropics_own_span_of_an_async_call_gives_way_to_ours",
    ),
)

FAULTS = f"{CAPTURE}test_faults.py::"
HELPERS = (
    row(
        "helpers: one that fell over the stream is told from a close of the application's",
        edit(
            "gauge/observation.py",
            "self._tapped and not self.recorder.cancel_requested and helper_fell()",
            "False",
        ),
        f"{FAULTS}test_tool_arguments_that_the_helper_falls_over_are_the_providers_failure",
        f"{FAULTS}test_tool_arguments_that_the_async_helper_falls_over_are_the_providers_failure",
    ),
    row(
        "helpers: an application's own wrapper that breaks is the application's",
        edit("gauge/falls.py", 'if getattr(reading, "__name__", None) != _READS:', "if reading is None:"),
        f"{FAULTS}test_error_of_the_application_while_it_reads_stays_its_cancel",
    ),
    row(
        "helpers: arguments that went wrong before they were cut are malformed",
        edit(
            "analysis/arguments.py",
            "(self._whole() if complete else None if self._may_go_on() else False)",
            "(self._whole() if complete else None)",
        ),
        f"{FAULTS}test_tool_arguments_that_went_wrong_are_found_in_a_stream_that_was_left",
        "tests/analysis/test_arguments.py::test_cut_arguments_that_went_wrong_are_malformed",
    ),
)

BARE_AND_OURS = (
    row(
        "fidelity: the stream's iterator has its own name",
        edit(
            "gauge/observation.py",
            '        wrapping.__qualname__ = getattr(source, "__qualname__", wrapping.__qualname__)\n',
            "",
        ),
        *(f"{FIDELITY}test_sync_stream_has_the_same_outside[{surface}]" for surface in SURFACES),
        f"{FIDELITY}test_async_stream_has_the_same_outside_and_behaves_the_same",
    ),
    row(
        "fidelity: the body of the response is of the class that it was",
        edit("gauge/connection.py", "(kind,), {**face, **(", "(kind,), {**("),
        f"{FIDELITY}test_sync_stream_has_the_same_outside",
    ),
    row(
        "fidelity: methods keep signature, name and coroutine-ness",
        edit(
            "gauge/patching.py",
            "setattr(place, method, wrapt.FunctionWrapper(original, wrapper))",
            "setattr(place, method, lambda this, *args, **kwargs: wrapper(original.__get__(this), this, args, kwargs))",
        ),
        f"{FIDELITY}test_hooked_methods_look_the_same_and_come_back_as_they_were",
    ),
    row(
        "fidelity: methods come back as they were",
        edit("gauge/patching.py", "            self._undo.pop()()", "            self._undo.pop()"),
        f"{FIDELITY}test_hooked_methods_look_the_same_and_come_back_as_they_were",
        f"{GAUGE}test_switching.py::test_uninstrumenting_twice_is_harmless_and_leaves_nothing_observed",
    ),
    row(
        "fidelity: what is handed over is the SDK's own, no proxy",
        edit(
            "gauge/patching.py",
            "    observation.bind(response_of(result))\n    return result",
            "    observation.bind(response_of(result))\n    return wrapt.ObjectProxy(result)",
            2,
        ),
        *(f"{FIDELITY}test_sync_stream_behaves_the_same[{surface}]" for surface in PLAIN),
        f"{FIDELITY}test_async_stream_has_the_same_outside_and_behaves_the_same",
    ),
    row(
        "fidelity: a dropped stream is freed at once",
        edit(
            "gauge/observation.py",
            "        self._iterator: weakref.ref[Any] | None = None\n",
            "        self._iterator: weakref.ref[Any] | None = None\n        self.body: Any = None\n",
        ),
        edit(
            "gauge/observation.py",
            "        self._gauge.bind(response, self)\n        status",
            "        self._gauge.bind(response, self)\n        self.body = response\n        status",
        ),
        *(f"{FIDELITY}test_sync_stream_behaves_the_same[{surface}]" for surface in SURFACES),
    ),
    row(
        "fidelity: the source is closed with the stream",
        edit("tap.py", "                _close(source)\n", "                pass\n"),
        f"{GAUGE}test_watch_iterators.py::test_source_is_closed_when_the_watched_one_is",
    ),
    row(
        "fidelity: calls that ask for no stream pass through unobserved",
        edit(
            "gauge/patching.py", 'if not kwargs.get("stream") or _in_call() is not None:', "if _in_call() is not None:"
        ),
        f"{FIDELITY}test_calls_that_are_not_streamed_pass_through_untouched_and_uncounted",
    ),
    row(
        "fidelity: an overridden method that calls the hooked one is one call",
        edit(
            "gauge/patching.py",
            'if not kwargs.get("stream") or _in_call() is not None:',
            'if not kwargs.get("stream"):',
        ),
        edit(
            "gauge/patching.py", '            if hasattr(shadow, "__wrapped__"):', "            if shadow is not None:"
        ),
        f"{FIDELITY}test_subclass_that_overrides_the_hooked_method_is_called_once_and_observed_once",
    ),
)

OURS_ALONE = (
    row(
        "errors: what is guarded reaches nobody",
        edit(
            "gauge/guard.py",
            "            self.report(hook, error)\n            return None\n\n\ndef",
            "            raise\n\n\ndef",
        ),
        *(
            f"{HOOKS}[{hook}-chat]"
            for hook in ("the call is made", "the span begins", "labels are made", "metrics leave")
        ),
        *(f"{HOOKS}[{hook}-chat]" for hook in ("the stream is tapped", "logs leave", "the span is filled")),
        f"{HOOKS}[the stream is remembered-chat]",
        f"{CAPTURE}test_hooks.py::test_error_in_a_sink_keeps_neither_the_caller_nor_the_other_sinks",
        f"{CAPTURE}test_hooks.py::test_error_in_on_finding_reaches_nobody",
        f"{CAPTURE}test_hooks.py::test_error_in_the_watchdog_reaches_nobody_and_stops_nothing",
    ),
    row(
        "errors: what a handle's method raises reaches nobody",
        edit(
            "gauge/guard.py",
            "                self.guard.report(hook, error)\n                return None\n",
            "                raise\n",
        ),
        *(f"{HOOKS}[{hook}-messages]" for hook in ("a request goes out", "the answer opens", "the close is hooked")),
        *(
            f"{HOOKS}[{hook}-responses]"
            for hook in ("the books are closed", "the record is judged", "loops are summed up")
        ),
        f"{CAPTURE}test_hooks.py::test_error_in_the_close_reaches_nobody_and_the_connection_is_closed",
    ),
    row(
        "errors: what the feed raises reaches nobody",
        edit(
            "tap.py",
            "                except Exception as error:\n                    self._broken(error)\n",
            "                except ZeroDivisionError as error:\n                    self._broken(error)\n",
            2,
        ),
        *(f"{HOOKS}[a chunk is fed-{surface}]" for surface in PLAIN),
        f"{CAPTURE}test_hooks.py::test_error_in_a_hook_of_an_async_stream_reaches_nobody_and_is_counted[a chunk is fed-chat]",
    ),
    row(
        "errors: a chunk that cannot be read is counted, and the rest is read",
        edit(
            "recording/recorder.py",
            "        self.read_errors += 1\n        self.unrecognised_chunks += 1\n",
            "        self.unrecognised_chunks += 1\n",
        ),
        f"{HOOKS}[text is read-chat]",
    ),
    row(
        "errors: a detector that fails reaches nobody",
        edit(
            "recording/recorder.py",
            "                self._on_text(text)\n            except Exception:",
            "                self._on_text(text)\n            except ZeroDivisionError:",
        ),
        f"{HOOKS}[text is looked at for loops-chat]",
        f"{HOOKS}[text is looked at for loops-messages]",
    ),
    row(
        "errors: they are counted",
        edit("gauge/guard.py", "                    self._tell(hook)\n", "                    pass\n"),
        *(f"{HOOKS}[{hook}-chat]" for hook in ("a chunk is fed", "metrics leave", "the books are closed")),
    ),
    row(
        "errors: the first of a place is logged, by its type alone",
        edit("gauge/guard.py", "type(error).__name__)", "error)"),
        *(f"{HOOKS}[{hook}-chat]" for hook in ("a chunk is fed", "metrics leave")),
    ),
    row(
        "errors: they are logged once",
        edit("gauge/guard.py", "        if not self.errors[hook]:\n", "        if True:\n"),
        f"{CAPTURE}test_hooks.py::test_log_line_of_an_error_of_ours_is_said_once_per_place",
    ),
    row(
        "errors: one sink's do not keep the others from the report",
        edit("signals/__init__.py", '            attempt("sink", sink, report)', "            sink(report)"),
        f"{CAPTURE}test_hooks.py::test_error_in_a_sink_keeps_neither_the_caller_nor_the_other_sinks",
    ),
    row(
        "privacy: a code is a code, never a sentence",
        edit(
            "providers/__init__.py",
            "if isinstance(value, str) and _CODE.fullmatch(value) else None",
            "if isinstance(value, str) else None",
        ),
        *(f"{PRIVACY}test_no_exception_message_leaves[{surface}]" for surface in PLAIN),
    ),
    row(
        "privacy: tool arguments leave as hash and length",
        edit("analysis/arguments.py", "return self._hash.hexdigest()", "return rest or self._hash.hexdigest()"),
        f"{PRIVACY}test_no_content_leaves_with_any_stream",
    ),
    row(
        "privacy: an exception leaves no message on the span",
        edit(
            "gauge/observation.py",
            "        if recorder.read_errors:\n",
            "        if error is not None:\n            self.span.record_exception(error)\n        if recorder.read_errors:\n",
        ),
        *(f"{PRIVACY}test_no_exception_message_leaves[{surface}]" for surface in PLAIN),
        f"{PRIVACY}test_iterator_of_text_leaves_no_text",
    ),
    row(
        "privacy: no trace header goes to the provider unless asked for",
        edit(
            "signals/__init__.py",
            "spans.during_request(span) if self._propagate else nullcontext()",
            "spans.during_request(span)",
        ),
        f"{GAUGE}test_propagate.py::test_the_request_sees_the_streams_span_only_when_asked_for[False]",
    ),
    row(
        "quiet: nothing is logged on any way out",
        edit(
            "signals/spans.py",
            "    return {name: value for name, value in values.items() if value is not None}",
            "    return values",
        ),
        *(exits("exhaust", ("chat",)), exits("close", ("messages",)), exits("refused", ("responses",))),
    ),
    row(
        "quiet: the span that was current is current again",
        edit(
            "gauge/patching.py",
            "        with observation.during_request():\n            result = wrapped(*args, **kwargs)",
            "        if observation.during_request().__enter__() is not observation:\n            result = wrapped(*args, **kwargs)",
        ),
        edit(
            "gauge/patching.py",
            "        with observation.during_request():\n            result = await wrapped(*args, **kwargs)",
            "        if observation.during_request().__enter__() is not observation:\n            result = await wrapped(*args, **kwargs)",
        ),
        f"{GAUGE}test_propagate.py::test_the_request_sees_the_streams_span_only_when_asked_for[True]",
    ),
)

LIMITS = (
    row(
        "bounds: tool arguments are read and forgotten",
        edit("analysis/arguments.py", "        if len(self._held) >= HELD:\n            self._take()\n", ""),
        f"{BOUNDS}test_open_stream_holds_as_much_after_100000_chunks_as_after_1000_and_at_most_32_kib[tool arguments]",
        "tests/analysis/test_arguments.py::test_a_million_characters_leave_no_more_behind_than_a_few",
    ),
    row(
        "bounds: text is read and forgotten",
        edit(
            "recording/intake.py",
            "        self._read_on(pieces, text)\n",
            '        self._read_on(pieces, text)\n        self._kept = (pieces, getattr(self, "_kept", None))\n',
        ),
        edit("recording/intake.py", '        "_heir",\n', '        "_heir",\n        "_kept",\n'),
        f"{BOUNDS}test_open_stream_holds_as_much_after_100000_chunks_as_after_1000_and_at_most_32_kib",
    ),
    row(
        "bounds: the longer the pieces, the fewer are held",
        edit("recording/intake.py", "min(BATCH, HELD * count // (characters or 1)) or 1", "BATCH"),
        f"{BOUNDS}test_open_stream_holds_at_most_32_kib_however_long_its_pieces_are",
    ),
    row(
        "bounds: a stream that was given up is let go of when it is cancelled after all",
        edit(
            "gauge/observation.py",
            "        if not self._sealed:\n            self._note_cancel(initiator)\n",
            "        if self._sealed:\n            return None\n        self._note_cancel(initiator)\n",
        ),
        f"{HELD}test_stream_that_was_given_up_is_let_go_of_when_it_is_cancelled_after_all",
    ),
    row(
        "bounds: a sealed stream leaves nothing to the garbage collector",
        edit("gauge/observation.py", "            self._tap.retire()\n", ""),
        f"{BOUNDS}test_a_sealed_stream_is_freed_without_the_garbage_collector",
    ),
    row(
        "bounds: neighbouring chunks share an event above the budget",
        edit("recording/timeline.py", "if self._rows >= self._budget:", "if False:"),
        f"{BOUNDS}test_open_stream_holds_as_much_after_100000_chunks_as_after_1000_and_at_most_32_kib",
        f"{BOUNDS}test_open_stream_holds_as_much_after_100000_chunks_as_after_1000_and_at_most_32_kib[tool arguments]",
    ),
    row(
        "bounds: a span has no more events than the budget",
        edit("recording/timeline.py", "        if limit is not None:\n            self.shrink(limit)\n", ""),
        f"{BOUNDS}test_stalls_and_a_cancel_take_their_events_from_the_same_budget",
    ),
    row(
        "bounds: the counts of the events add up to the chunks",
        edit(
            "recording/timeline.py",
            "ROW.pack(count + following[0], ",
            "ROW.pack(max(count, following[0]), ",
        ),
        f"{BOUNDS}test_events_keep_the_budget_and_their_counts_add_up",
        f"{TIMELINE}test_rows_keep_the_budget_and_account_for_every_chunk",
    ),
    row(
        "bounds: model names beyond the limit are one label",
        edit("signals/metrics.py", "Cap(model_limit, models, lambda", "Cap(model_limit + 9, models, lambda"),
        f"{BOUNDS}test_model_names_beyond_the_limit_are_one_label",
    ),
    row(
        "bounds: what a full span drops is said",
        edit(
            "signals/__init__.py",
            '        attempt("span", self._say_dropped, getattr(span, "dropped_events", 0))\n',
            "",
        ),
        f"{BOUNDS}test_mode_every_says_once_what_the_span_limit_drops",
    ),
    row(
        "fork: a child starts with nothing open, locks of its own and a watchdog of its own",
        edit("gauge/wiring.py", "        os.register_at_fork(after_in_child=_weakly(self, Gauge._forked))\n", ""),
        f"{MANY}test_gauge_set_up_before_a_fork_works_in_parent_and_child",
    ),
    row(
        "fork: a child that reads on tells nothing of a stream that it did not begin",
        edit("gauge/wiring.py", "            observation.disown()\n", "            pass\n"),
        f"{MANY}test_stream_that_a_forked_child_reads_on_is_told_once_by_the_process_that_began_it",
    ),
    row(
        "fork: nor of one that was given up before",
        edit(
            "gauge/observation.py", "self.successor is None and self._process == os.getpid()", "self.successor is None"
        ),
        f"{MANY}test_stream_that_a_forked_child_reads_on_is_told_once_by_the_process_that_began_it",
    ),
    row(
        "fork: a child that cancels its parent's stream is told that it ends nothing",
        edit("gauge/observation.py", "            self._say_whose()\n", ""),
        f"{MANY}test_forked_child_that_cancels_ends_nothing_and_says_whose_the_stream_is",
    ),
    row(
        "fork: nor does it end anything",
        edit("gauge/wiring.py", "            observation.disown()\n", "            pass\n"),
        f"{MANY}test_forked_child_that_cancels_ends_nothing_and_says_whose_the_stream_is",
    ),
    row(
        "fork: a lock that was held during the fork is not waited for",
        edit(
            "gauge/wiring.py",
            "        self._lock = threading.Lock()\n        self._watchdog.reset()",
            "        self._watchdog.reset()",
        ),
        f"{MANY}test_gauge_set_up_before_a_fork_works_in_parent_and_child",
    ),
    row(
        "fork: the child has a watchdog",
        edit("gauge/wiring.py", "        self._watchdog.reset()\n", ""),
        f"{MANY}test_gauge_set_up_before_a_fork_works_in_parent_and_child",
    ),
    row(
        "many: each of 200 streams is called by its own task or thread",
        edit(
            "gauge/patching.py",
            '_calling: ContextVar[Observation | None] = ContextVar("streamgauge_calling", default=None)',
            "class _One:\n    value: Any = None\n\n    def get(self) -> Any:\n        return self.value\n\n    def set(self, value: Any) -> Any:\n        self.value = value\n\n    def reset(self, _token: Any) -> None:\n        self.value = None\n\n\n_calling: Any = _One()",
        ),
        f"{MANY}test_200_streams_in_threads_are_not_mixed_up",
        f"{MANY}test_200_streams_in_one_event_loop_are_not_mixed_up",
    ),
    row(
        "many: nothing stays open",
        edit("gauge/wiring.py", "        self._open.pop(observation.id, None)", "        pass"),
        f"{MANY}test_200_streams_in_threads_are_not_mixed_up",
        f"{MANY}test_200_streams_in_one_event_loop_are_not_mixed_up",
        f"{MANY}test_active_gauge_counts_open_streams_by_phase_and_returns_to_zero",
    ),
    row(
        "many: a task that was born in a call is in it no more when the call has its answer",
        edit(
            "gauge/patching.py",
            "return None if observation is None or observation.answered else observation",
            "return observation",
        ),
        f"{MANY}test_task_that_was_born_inside_a_call_makes_calls_of_its_own",
    ),
)

SWITCHING = f"{GAUGE}test_switching.py::"
ONE_GAUGE = (
    row(
        "one gauge: a watched client follows instrument()",
        edit(
            "gauge/__init__.py",
            "_wiring.pools[client._client] = gauge",
            "_wiring.pools[client._client] = gauge or default_gauge()",
        ),
        f"{SWITCHING}test_watched_client_and_all_others_are_told_by_one_gauge[True]",
    ),
    row(
        "one gauge: a client that is watched alone is observed alone",
        edit(
            "gauge/__init__.py",
            "            return default_gauge()\n        return own",
            "            return None\n        return own",
        ),
        f"{SWITCHING}test_watched_client_and_all_others_are_told_by_one_gauge",
    ),
    row(
        "one gauge: open streams of all gauges on the same meters are counted",
        edit("gauge/wiring.py", "        for gauge in list(_alive):\n", "        for gauge in (self,):\n"),
        f"{SWITCHING}test_streams_of_two_gauges_on_the_same_meters_are_all_counted_as_open",
    ),
    row(
        "one gauge: an unwatched client is observed no more",
        edit("gauge/__init__.py", "    gauge = _wiring.pools.pop(pool)\n", "    gauge = _wiring.pools[pool]\n"),
        f"{SWITCHING}test_unwatched_client_is_as_it_was_and_twice_is_harmless",
    ),
)

PROPERTIES = (
    row(
        "properties: an application's limits on spans hold",
        edit(
            "signals/spans.py", "    if isinstance(kept, BoundedAttributes) and _has_room(", "    if (lambda *_: True)("
        ),
        "tests/signals/test_signals.py::test_span_is_filled_as_the_sdk_itself_would_fill_it",
    ),
    row(
        "properties: every pair of the state table",
        edit("recording/state.py", "    (State.STREAMING, Step.INTERRUPT): State.INTERRUPTED,\n", ""),
        "tests/recording/test_state.py::test_every_pair_leads_where_the_design_says_or_nowhere",
    ),
    row(
        "properties: text that is settled in batches is text",
        edit(
            "recording/intake.py",
            "        self._text += len(text)\n",
            "        self._text += min(len(text), 20)\n",
        ),
        f"{RECORDER}test_batched_text_is_told_as_if_each_chunk_had_been_settled_alone",
    ),
    row(
        "properties: what is no text among text is told from it",
        edit(
            "recording/intake.py",
            "        except TypeError:  # gateways",
            "        except ZeroDivisionError:  # gateways",
        ),
        f"{RECORDER}test_text_that_is_no_text_is_unrecognised_and_stops_nothing",
    ),
    row(
        "properties: who waits at another recorder's tap still waits when text is settled",
        edit("recording/intake.py", "max(asked[-1], self._asked), last, last", "asked[-1], last, last"),
        f"{HELD}test_stream_whose_reader_waits_is_never_given_up_before_or_after_it_was_continued",
    ),
    row(
        "properties: a stall inside a batch is one",
        edit(
            "recording/intake.py", "for at, gap in enumerate(gaps) if gap > self._allowed]", "for at, gap in () if gap]"
        ),
        f"{RECORDER}test_batched_text_is_told_as_if_each_chunk_had_been_settled_alone",
    ),
    row(
        "properties: rows of a batch are those of its chunks",
        edit("recording/timeline.py", "times[stride - 1 :: stride]", "times[::stride]"),
        f"{TIMELINE}test_batches_are_told_as_if_each_chunk_had_been_told_alone",
    ),
    row(
        "properties: who hears of a text counts each of its chunks once",
        edit(
            "recording/intake.py",
            "        self._read_on(pieces, text)\n",
            "        self.pieces[:0] = pieces\n        self._read_on(pieces, text)\n        del self.pieces[: len(pieces)]\n",
        ),
        f"{RECORDER}test_who_is_told_of_the_text_and_cancels_counts_each_chunk_once",
    ),
    row(
        "properties: text in a batch comes before what came after it",
        edit(
            "recording/recorder.py",
            "        if self.pieces:\n            self.settle()\n        self._told += size\n",
            "        self._told += size\n",
        ),
        f"{RECORDER}test_what_a_batch_holds_was_there_before_what_ends_it",
    ),
    row(
        "properties: any order of events gives figures that agree",
        edit(
            "recording/recorder.py",
            "        self.unrecognised_chunks += 1\n        return None\n",
            "        return None\n",
        ),
        f"{RECORDER}test_any_chunks_give_a_record_whose_figures_agree",
    ),
    row(
        "properties: no chunk is lost when rows are merged, whatever their number",
        edit("recording/timeline.py", "map(_merged, rows, rows)) + last", "map(_merged, rows, rows))"),
        f"{TIMELINE}test_rows_keep_the_budget_and_account_for_every_chunk",
    ),
    row(
        "properties: OpenAI's wire gives the events of its golden",
        edit("providers/openai.py", '    "response.refusal.delta": _output_refusal,\n', ""),
        f"{WIRE}test_recording_gives_the_events_of_its_golden[openai-responses-refusal]",
    ),
    row(
        "properties: Anthropic's wire gives the events of its golden, however it is cut",
        edit("providers/anthropic.py", '    "content_block_stop": _block_stop,\n', ""),
        f"{WIRE}test_recording_gives_the_events_of_its_golden[anthropic-messages-reasoning_and_tools]",
        f"{WIRE}test_events_do_not_depend_on_how_the_bytes_are_cut",
    ),
    row(
        "properties: fields that are null stop nothing",
        edit(
            "providers/openai.py",
            "        if chunk.usage is not None:\n            _chat_usage(chunk.usage, sink)",
            "        _chat_usage(chunk.usage, sink)",
        ),
        f"{WIRE}test_recording_gives_the_events_of_its_golden[openai-chat_completions-null_fields]",
        f"{WIRE}test_events_are_the_same_byte_by_byte[openai.chat_completions.null_fields]",
    ),
)

NEWEST = "openai-3.54.0-anthropic-2.12.0"
VERSIONS = f"{MATRIX}test_versions.py::test_every_way_out_is_told_truly_and_looks_as_without_us"
OTHER_SOFTWARE = (
    row(
        "versions: one out of range is left alone, and that is said",
        edit(
            "gauge/patching.py",
            "    if SpecifierSet(provider.versions).contains(installed, prereleases=True):",
            "    if installed:",
        ),
        f"{MATRIX}test_versions.py::test_version_out_of_range_is_left_alone_and_that_is_said_once",
        "tests/providers/test_one_file.py::test_sdk_of_an_unknown_version_is_left_alone_with_one_line",
    ),
    row(
        "versions: it is said once",
        edit("gauge/patching.py", "    if provider.name not in _left_alone:", "    if True:"),
        "tests/providers/test_one_file.py::test_sdk_of_an_unknown_version_is_left_alone_with_one_line",
    ),
    row(
        "versions: the end marker that the SDK keeps to itself is read off its frame",
        edit("tap.py", "        _hear(last_words)\n        self._left(", "        self._left(", 2),
        f"{CAPTURE}test_faults.py::test_report_says_what_happened[missing_finish_reason-chat]",
    ),
    row(
        "versions: an end marker that is kept back is told of the half that goes on",
        edit("gauge/observation.py", "self.latest.recorder", "self.recorder"),
        f"{HELD}test_end_marker_of_a_stream_that_is_read_on_reaches_the_half_that_goes_on[missing_finish_reason]",
    ),
    row(
        "versions: an error frame that openai 1.66 drops is read off the wire",
        edit("providers/openai.py", "        last_frame=_swallowed_error,\n", ""),
        f"{VERSIONS}[openai-1.66.0-anthropic-0.75.0]",
    ),
    row(
        "versions: the end of a read is told, on the oldest",
        edit("tap.py", "        self._left(EndCause.EXHAUSTED, None)\n", "", 2),
        f"{VERSIONS}[openai-1.26.0-anthropic-0.51.0]",
    ),
    row(
        "versions: the hooks are taken out again",
        edit("gauge/patching.py", "            self._undo.pop()()", "            self._undo.pop()"),
        f"{MATRIX}test_versions.py::test_nothing_is_left_behind[{NEWEST}]",
    ),
    row(
        "beside: a wrapper that came first in a subclass is hooked itself",
        edit("gauge/patching.py", "            self._wrap_shadows(_class(path), provider.request)\n", ""),
        f"{MATRIX}test_beside.py::test_outcome_and_metrics_are_right_and_tokens_are_counted_once[openinference first]",
    ),
    row(
        "beside: Anthropic's own tracing makes no span for our streams",
        edit("gauge/patching.py", "if provider.own_span is not None:", "if False:"),
        f"{MATRIX}test_beside.py::test_sdk_makes_no_span_of_its_own_for_a_stream_that_we_observe[first]",
        f"{MATRIX}test_beside.py::test_sdk_makes_no_span_of_its_own_for_a_stream_that_we_observe[last]",
    ),
    row(
        "beside: the doctor tells what is active from what is installed",
        edit("gauge/doctor.py", 'state = "active" if patches else', 'state = "active" if not patches else'),
        f"{MATRIX}test_doctor.py::test_what_is_active_is_told_from_what_is_installed",
    ),
    row(
        "beside: the doctor says what to switch off",
        edit("gauge/doctor.py", "for other in others if other.doubles)", "for other in others if False)"),
        f"{MATRIX}test_doctor.py::test_advice_names_what_doubles_the_spans_and_how_it_is_switched_off",
        f"{MATRIX}test_doctor.py::test_exit_status_says_whether_there_is_something_to_do",
    ),
    row(
        "frameworks: a request is one span, through whatever calls it",
        edit("gauge/observation.py", "        if self._tapped or self._sealed:\n            return source\n", ""),
        edit(
            "gauge/patching.py",
            'if not kwargs.get("stream") or _in_call() is not None:',
            'if not kwargs.get("stream"):',
        ),
        edit(
            "gauge/patching.py",
            "        observation = self._begin(client, args, kwargs)\n",
            "        observation = self._begin(client, args, kwargs) and self._begin(client, args, kwargs)\n",
        ),
        f"{MATRIX}test_frameworks.py::test_every_request_has_one_span[newest]",
    ),
    row(
        "frameworks: what can be read both ways still can",
        edit(
            "gauge/__init__.py",
            "    return BothWays(target, observation.wrap)",
            "    return observation.wrap(iter(target))",
        ),
        f"{MATRIX}test_frameworks.py::test_framework_hands_over_what_it_does_without_us[older]",
    ),
)

REPETITION = (
    row(
        "loops: every exact one is found",
        edit("analysis/periods.py", "LONGEST_PERIOD = 2048", "LONGEST_PERIOD = 64"),
        f"{LOOPS}test_every_exact_loop_is_found_with_its_period_start_and_length_while_the_stream_is_open",
        f"{LOOPS}test_the_figures_of_the_corpus",
    ),
    row(
        "loops: while the stream is open",
        edit(
            "analysis/loops.py",
            "            self._told = True\n            self._tell()",
            "            self._told = True",
        ),
        f"{LOOPS}test_every_exact_loop_is_found_with_its_period_start_and_length_while_the_stream_is_open",
    ),
    row(
        "loops: and at its end",
        edit("analysis/loops.py", "            if rest:\n                self._step(rest)\n", ""),
        f"{LOOPS}test_a_loop_at_the_end_shorter_than_a_step_is_found_by_finish",
    ),
    row(
        "loops: no honest text is flagged",
        edit(
            "analysis/loops.py",
            "            self._need = needed(self._context, self._lag)",
            "            self._need = LEAST.copies * self._lag",
        ),
        f"{LOOPS}test_no_honest_text_is_flagged_at_any_moment",
        f"{LOOPS}test_the_figures_of_the_corpus",
    ),
    row(
        "loops: memory is bounded",
        edit("analysis/loops.py", "        self._tail = text[-TAIL:]", "        self._tail = text"),
        f"{LOOPS}test_a_million_characters_leave_no_more_behind_than_the_tail",
        f"{BOUNDS}test_open_stream_holds_as_much_after_100000_chunks_as_after_1000_and_at_most_32_kib",
    ),
    row(
        "loops: the search does not depend on how the text is cut",
        edit(
            "analysis/loops.py",
            "        while (end := begin + self.step) <= len(text):",
            "        while begin < (end := len(text)):",
        ),
        f"{LOOPS}test_nothing_that_is_reported_depends_on_how_the_text_is_cut",
    ),
    row(
        "loops: a full tail is searched half as often",
        edit("analysis/loops.py", "            self.step = LONG_STEP\n", "            self.step = STEP\n"),
        f"{LOOPS}test_a_search_is_made_every_step_and_every_long_step_once_the_tail_is_full",
    ),
    row(
        "loops: drifting repetition is suspect, never a finding",
        edit(
            "analysis/report.py",
            "if context.loop is not None and not context.loop.suspect:",
            "if context.loop is not None:",
        ),
        f"{CAPTURE}test_loops.py::test_drifting_repetition_is_suspect_and_no_finding",
    ),
    row(
        "loops: the application is told while the stream is open",
        edit("gauge/wiring.py", "            self._tell(observation, loop_report(loop))", "            pass"),
        f"{CAPTURE}test_loops.py::test_loop_is_told_while_the_stream_is_open_and_nothing_is_stopped",
    ),
)

DECLARED = (
    row(
        "ledger: a confidence that is none is named",
        edit("ledger/policy.py", "not 0 <= value <= 1)", "value < 0 or value > 1)"),
        "tests/ledger/test_effects.py::test_wrong_input_is_named_before_anything_is_dispatched",
        "tests/ledger/test_approvals.py::test_a_policy_that_cannot_work_is_refused_when_it_is_made",
    ),
)

WRITING = "tests/ledger/test_writing.py::"
WRITTEN_WITHOUT_LOOKING = (
    row(
        "ledger: SQLite tells of an entry that is not what it was taken for",
        edit(
            "ledger/writing.py",
            "    if driver.executemany(sql, rows).rowcount != len(rows):",
            "    if not driver.executemany(sql, rows):",
        ),
        f"{WRITING}test_nothing_is_written_of_an_entry_that_is_not_what_it_was_taken_for",
        f"{WRITING}test_whose_changes_are_wrong_is_told_so_and_those_who_shared_the_commit_are_not",
    ),
    row(
        "ledger: PostgreSQL tells of an entry that is not what it was taken for",
        edit(
            "ledger/posting.py",
            "if post_on_postgresql(cursor, each):",
            "if post_on_postgresql(cursor, each) is None:",
        ),
        f"{WRITING}test_nothing_is_written_of_an_entry_that_is_not_what_it_was_taken_for",
    ),
    row(
        "ledger: PostgreSQL tells of several of which one is not there",
        edit("ledger/posting.py", "== _DIVISION_BY_ZERO:", '== "":'),
        f"{WRITING}test_nothing_is_written_of_several_of_which_one_is_not_what_it_was_taken_for",
    ),
    row(
        "ledger: lines of the history about several are written on PostgreSQL",
        edit("ledger/posting.py", "if changes.noted and len(each) != 1:", "if False:"),
        f"{WRITING}test_several_that_move_differently_and_lines_about_none_are_written_in_one_transaction",
    ),
    row(
        "ledger: nobody writes the outcome of somebody else's execution on SQLite",
        edit("ledger/writing.py", " AND token = ?", " AND ? <> ''"),
        f"{WRITING}test_nothing_is_written_of_an_entry_that_is_not_what_it_was_taken_for",
    ),
    row(
        "ledger: only what changes is written",
        edit("ledger/writing.py", " if value is not before[name]}", " if value is not before}"),
        f"{WRITING}test_only_what_changes_is_written",
    ),
    row(
        "ledger: a stream that was changed is looked at again",
        edit("ledger/journal.py", "        self._locked.pop(ref, None)\n", ""),
        "tests/ledger/test_verdict.py::test_the_record_is_written_when_all_is_settled_and_again_when_something_changes",
        "tests/ledger/test_fence.py::test_a_fence_that_only_warns_lets_it_start_and_says_so",
    ),
)

POSTING = "tests/ledger/test_posting.py::"
SO = f"{POSTING}test_a_start_is_written_only_where_all_is_so"
OF_STREAMS = (
    row(
        "ledger: effects of streams share a commit on PostgreSQL",
        edit("ledger/store.py", " or self._supposes else", " else"),
        f"{POSTING}test_an_effect_of_a_stream_is_two_statements_each_a_transaction_of_its_own",
        f"{POSTING}test_the_first_effect_of_a_stream_begins_it_in_the_same_statement",
    ),
    row(
        "ledger: a start on PostgreSQL looks whether the stream was stopped",
        edit("ledger/posting.py", "(known.stopped_ns IS NULL OR NOT starts)", "TRUE"),
        f"{POSTING}test_one_of_many_is_refused_by_the_fence_and_the_others_start",
        f"{POSTING}test_what_is_called_in_other_processes_after_a_cancel_has_returned_does_not_start",
        f"{SO}[it was stopped-0]",
        f"{SO}[it was stopped-3]",
    ),
    row(
        "ledger: a start on PostgreSQL locks the stream's row",
        edit("ledger/posting.py", "            FOR UPDATE SKIP LOCKED\n", ""),
        f"{POSTING}test_a_stop_that_is_being_written_is_waited_for_by_its_own_effects_and_by_no_others",
    ),
    row(
        "ledger: nobody waits for the stream of somebody else",
        edit("ledger/posting.py", " SKIP LOCKED", ""),
        f"{POSTING}test_a_stop_that_is_being_written_is_waited_for_by_its_own_effects_and_by_no_others",
    ),
    row(
        "ledger: what is the last of a stream that has ended is not settled without its record",
        edit("ledger/posting.py", " OR NOT undecided)", " OR TRUE)"),
        f"{POSTING}test_an_outcome_after_the_end_of_the_stream_writes_its_record",
        f"{POSTING}test_what_is_denied_after_the_end_of_the_stream_is_in_its_record",
        f"{SO}[it has ended-0]",
    ),
    row(
        "ledger: a stream that has its record is opened again",
        edit("ledger/posting.py", 'parts["reopened"] = _REOPENED', "pass"),
        f"{POSTING}test_a_stream_that_has_its_record_is_opened_again_by_another_effect",
    ),
    row(
        "ledger: a tool call that was made for another stream of the answer is looked for",
        edit("ledger/posting.py", "s.response_id = mine.response_id AND s.ref <> mine.ref", "FALSE"),
        f"{SO}[another carries its answer-0]",
        f"{SO}[another carries its answer-3]",
    ),
    row(
        "ledger: a tool call that was made before the answer was known is looked for",
        edit("ledger/posting.py", "WHERE key = mine.other_key", "WHERE FALSE"),
        f"{SO}[it was done under the other key-0]",
        f"{SO}[it was done under the other key-3]",
    ),
    row(
        "ledger: an answer that is another than was supposed is looked at",
        edit("ledger/posting.py", "ELSE known.response_id = supposed.response_id AND (", "ELSE ("),
        f"{SO}[it has another answer-0]",
    ),
    row(
        "ledger: a key without an answer is no key where the answer is known",
        edit("ledger/posting.py", "known.response_id IS NULL OR NOT by_call", "TRUE"),
        f"{SO}[it has an answer-0]",
    ),
    row(
        "ledger: of two that begin a stream with different answers one looks again",
        edit("ledger/posting.py", "begun.response_id IS NOT DISTINCT FROM supposed.response_id", "TRUE"),
        f"{POSTING}test_what_is_begun_at_once_by_two_that_know_different_answers_is_begun_by_one",
    ),
    row(
        "ledger: lines about what was refused are not written",
        edit("ledger/posting.py", " WHERE ({_WHO}) IN (SELECT {_WHO} FROM done)", ""),
        edit("ledger/posting.py", " WHERE EXISTS (SELECT FROM done)", ""),
        f"{SO}[it was stopped-0]",
        f"{SO}[it was stopped-3]",
        f"{WRITING}test_whose_changes_are_wrong_is_told_so_and_those_who_shared_the_commit_are_not",
    ),
    row(
        "ledger: nobody settles an effect of PostgreSQL that is not there, alone or in company",
        edit("ledger/posting.py", " WHERE 1 / (xmax <> 0)::int = 1", ""),
        f"{WRITING}test_whose_changes_are_wrong_is_told_so_and_those_who_shared_the_commit_are_not",
    ),
    row(
        "ledger: nobody settles somebody else's execution on PostgreSQL, alone or in company",
        edit("ledger/posting.py", "    WHERE known.state = %(of_state)s AND known.token = excluded.token\n", ""),
        edit("ledger/posting.py", " AND state = %(of_state)s AND token = %(of_token)s", ""),
        f"{WRITING}test_nothing_is_written_of_an_entry_that_is_not_what_it_was_taken_for",
        f"{WRITING}test_whose_changes_are_wrong_is_told_so_and_those_who_shared_the_commit_are_not",
    ),
    row(
        "ledger: those of one stream go by one door",
        edit("ledger/database.py", "if changes.supposed is None:", "if True:"),
        f"{POSTING}test_those_of_one_stream_go_by_one_door",
    ),
    row(
        "ledger: kept plans scan no table",
        edit("ledger/database.py", 'cursor.execute("SET enable_seqscan = off")', "pass"),
        f"{POSTING}test_no_plan_that_was_made_while_a_table_was_small_scans_it_when_it_is_not",
    ),
)

TABLE = (
    *EXIT_PATHS,
    *HELPERS,
    *BARE_AND_OURS,
    *OURS_ALONE,
    *LIMITS,
    *ONE_GAUGE,
    *PROPERTIES,
    *OTHER_SOFTWARE,
    *REPETITION,
    *DECLARED,
    *WRITTEN_WITHOUT_LOOKING,
    *OF_STREAMS,
)
