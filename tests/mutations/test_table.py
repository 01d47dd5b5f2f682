"""The table of mutations does not rot: what it takes away is still there, and so are the tests that it names."""

import re
from pathlib import Path

import pytest
from tests.mutations.table import TABLE, Mutation

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.promise)
def test_what_a_mutation_takes_away_is_there_and_what_is_left_compiles(row: Mutation) -> None:
    texts: dict[str, str] = {}
    for edit in row.edits:
        text = texts.get(edit.path) or (ROOT / edit.path).read_text()
        assert text.count(edit.old) == edit.times, edit
        texts[edit.path] = text.replace(edit.old, edit.new)
    for path, text in texts.items():
        compile(text, path, "exec")
        assert text != (ROOT / path).read_text()


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.promise)
def test_tests_that_a_mutation_names_are_there(row: Mutation) -> None:
    assert row.tests
    for test in row.tests:
        path, _, name = test.partition("::")
        function = name.partition("[")[0]
        assert re.search(rf"^(async )?def {function}\(", (ROOT / path).read_text(), re.MULTILINE), test


def test_promises_are_told_apart() -> None:
    promises = [row.promise for row in TABLE]
    assert len(set(promises)) == len(promises)
