# ruff: noqa: E501, RUF001 - texts are as wide as they are, and in the script that they are in
"""Writes the frozen corpus: looping texts, drifting texts and honest look-alikes, with the truth about each.

    python tests/analysis/corpus/make.py

The truth (period, start, length) comes from how a text was put together, never from the detector. All texts were written for
this corpus or are built by rule; the verses are in the public domain.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent

PROSE = """\
The survey boat left the harbour a little before six, when the tide had turned and the fog was still lying on the water like
wool. Two of us kept the log while the others lowered the first of the probes. Nobody said much. The numbers that came back
were lower than last year's, though not by enough to mean anything on their own, and the skipper only shrugged when he saw them.

What matters, he told me later, is never a single reading. It is whether the readings agree with what the gulls are doing, and
with the colour of the weed on the northern piles, and with the complaints of the men who mend nets behind the fish hall. If all of
them say the same thing for a month, you may begin to believe the probe. Until then it is a stick with a wire in it.

I wrote that down, because it seemed to me to be the best short course in measurement that I had ever been given. In the evening
we compared our notes with the harbour office. Their clerk had kept a table of temperatures since 1987, in pencil, in a ledger with
a green spine; three winters were missing, and she apologised for them as if she had lost somebody's child.

There are several ways to fill such a gap. One can draw a line across it, which is honest as long as the line is dotted. One can
borrow the shape of a neighbouring winter and slide it into place. Or one can leave the page white, and let whoever comes
after decide what a white page is worth. We left it white.
"""

ANSWER = """\
Sure! Here is a short overview of how the cache works, what can go wrong with it and what I would change first.

## How it works

Every request is hashed by tenant, route and body. If an entry exists and is younger than the configured age, it is returned as it
is; otherwise the upstream is asked and the answer is stored on the way back.

"""


class Looping(NamedTuple):
    context: str
    before: str
    unit: str
    copies: int
    after: str = ""


def drawn(seed: int, size: int) -> str:
    """A passage of exactly `size` characters with ordinary words in no order, and lines of ordinary length."""
    rng = random.Random(seed)
    words = sorted(set(PROSE.split()))
    line, text = 0, ""
    while len(text) < size:
        word = rng.choice(words)
        line += len(word) + 1
        text += word + ("\n" if line > 70 else " ")
        line = 0 if line > 70 else line
    return text[: size - 2] + ".\n"


ROWS = "".join(
    f"| {name:<9} | {kind:<8} | not measured yet | pending review |\n"
    for name, kind in [("boiler", "steam"), ("chiller", "water"), ("pump", "water"), ("valve", "steam"), ("fan", "air")]
)
SIMILAR = "".join(
    f"- {name}: no change since the last review, and no action is needed from the team at this time\n"
    for name in ["Billing", "Search", "Login", "Export", "Import", "Alerts", "Quotas", "Mail", "Themes", "Backups"]
)
FUNCTION = """\
def load_settings(path):
    with open(path) as handle:
        settings = json.load(handle)
    if "timeout" not in settings:
        settings["timeout"] = 30
    return settings

"""

LOOPING: dict[str, Looping] = {
    # prose, short to long
    "sentence-from-the-first-character": Looping("prose", "", "I will now check the file and report what I find. ", 20),
    "sentence-after-prose": Looping("prose", PROSE[:1403], "I think we should look at the numbers once more. ", 12),
    "starts-inside-a-sentence": Looping("prose", PROSE[:777], "and then it goes back to the place it came from, ", 15),
    "word-for-ever": Looping("prose", PROSE[:612], "the ", 300),
    "two-words-in-turn": Looping("prose", PROSE[:333], "yes no ", 150),
    "sixteen-characters": Looping("prose", PROSE[:90], "go on, go home. ", 40),
    "fifteen-characters": Looping("prose", PROSE[:91], "stay here now. ", 50),
    "two-sentences-in-turn": Looping("prose", ANSWER, "It is cached. No, wait, it is not cached after all. ", 14),
    "reasoning-that-doubts-itself": Looping(
        "prose",
        "The user wants a plan. ",
        "Wait, let me reconsider.\nActually, the first approach is better. Hmm.\n",
        18,
    ),
    "apology": Looping(
        "prose", ANSWER, "I apologise for the confusion. Let me correct that. Here is the corrected version:\n\n", 9
    ),
    "block-of-300": Looping("prose", PROSE[:1000], drawn(1, 300), 7),
    "block-of-640": Looping("prose", PROSE[:555], drawn(2, 640), 6),
    "block-of-900": Looping("prose", PROSE[:1234], drawn(3, 900), 5),
    "block-of-900-four-copies-and-a-half": Looping("prose", PROSE[:1234], drawn(4, 900), 4, drawn(4, 900)[:450]),
    "block-of-1500": Looping("prose", PROSE[:321], drawn(5, 1500), 5),
    "block-of-2000": Looping("prose", PROSE[:42], drawn(6, 2000), 5),
    "stanza-for-ever": Looping(
        "prose",
        "Here is your poem.\n\n",
        "The lamp is low, the hour is late,\nThe key still turns inside the gate,\nAnd nobody is there.\n\n",
        10,
    ),
    "recovers-and-goes-on": Looping(
        "prose", PROSE[:500], "The value is not set, so the default value is used. ", 20, PROSE[500:]
    ),
    "repeats-parts-of-itself": Looping(
        "prose",
        PROSE[:640],
        "ha ha ha ha ha ha ha ha ha ha ha, she said, and then he said ha ha ha ha ha ha ha and left. ",
        12,
    ),
    "sections-with-headings": Looping(
        "prose",
        ANSWER,
        "## Summary\n\nThe cache is keyed by tenant and route.\n\n## Next steps\n\n"
        "Measure the hit rate before changing the age.\n\n",
        8,
    ),
    "quotation": Looping(
        "prose", ANSWER, "> We hold these truths to be evident to everyone who reads them slowly.\n", 12
    ),
    "blank-lines-for-ever": Looping("blank", '{"answer": "done"}', "\n", 1600),
    "spaces-and-lines-for-ever": Looping("blank", '{"answer": ', " \n\t", 700),
    # other scripts
    "chinese": Looping(
        "prose", "好的，我来解释一下这个问题。", "我们需要重新检查这个文件，然后再决定下一步怎么做。", 30
    ),
    "japanese": Looping("prose", "では、順番に説明します。", "もう一度確認してから、次の手順に進みます。", 30),
    "russian": Looping(
        "prose", "Хорошо, начнём с самого начала. ", "Теперь нужно ещё раз проверить файл и записать итог. ", 14
    ),
    "arabic": Looping("prose", "حسنا، لنبدأ من البداية. ", "يجب أن نتحقق من الملف مرة أخرى ثم نقرر ما يجب فعله. ", 14),
    "emoji": Looping("prose", "Congratulations on the launch! ", "🎉 well done 🚀👩🏽‍🚀 we are so proud of you ", 30),
    "combining-marks": Looping(
        "prose", "", "cafe\u0301 ole\u0301, the\u0301 gla\u0301ce\u0301, et puis un autre cafe\u0301 ; ", 20
    ),
    # Markdown
    "list-item-for-ever": Looping("list", ANSWER, "- Check that the service is running and restart it\n", 40),
    "list-of-similar-items-as-a-block": Looping("list", ANSWER, SIMILAR, 8),
    "checklist-for-ever": Looping("list", ANSWER, "- [ ] Review the open pull request with the owner\n", 40),
    "table-row-for-ever": Looping(
        "table",
        ANSWER + "| name | state | owner |\n| --- | --- | --- |\n",
        "| unknown | not measured yet | nobody |\n",
        90,
    ),
    "table-rows-as-a-block": Looping(
        "table", ANSWER + "| name | medium | value | state |\n|---|---|---|---|\n", ROWS, 14
    ),
    "cell-for-ever": Looping("table", ANSWER + "| a | b |\n|---|---|\n| ", "n/a | ", 1200),
    "table-with-long-rules-as-a-block": Looping(
        "table",
        ANSWER,
        f"| {'name':<58} | {'state':<58} |\n|{'-' * 60}|{'-' * 60}|\n| pump {' ' * 53} | open {' ' * 53} |\n\n",
        14,
    ),
    # code, JSON, tool arguments, data
    "line-in-a-fence": Looping(
        "code", ANSWER + "```python\nimport os\n", "    result.append(compute(value, index))\n", 80
    ),
    "function-in-a-fence": Looping("code", ANSWER + "```python\nimport json\n\n", FUNCTION, 16),
    "prose-in-an-open-fence": Looping(
        "code", ANSWER + "```text\n", "The log says nothing about it, so nothing can be said here.\n", 60
    ),
    "code-without-a-fence": Looping("code", "", "if (queue[i] == null) { queue[i] = new Node(i); }\n", 70),
    "html-items": Looping("code", "<ul>\n", '<li class="entry"><a href="#">Read more</a></li>\n', 70),
    "sql": Looping("code", "BEGIN;\n", "UPDATE t SET (a, b) = (x[0], y[0]) WHERE (id = f(a));\n", 70),
    "json-objects": Looping("json", '{"items": [', '{"name": "", "value": null, "tags": []}, ', 90),
    "prose-in-a-json-string": Looping(
        "prose",
        '{"path": "notes/plan.md", "content": "# Plan\\n\\nFirst we measure. ',
        "Then we write down what we have seen. ",
        20,
    ),
    "lines-in-a-json-string": Looping(
        "prose", '{"file": "a.txt", "text": "', "This is the line that the user asked to have in the file.\\n", 20
    ),
    "code-in-a-json-string": Looping(
        "code", '{"command": "python", "source": "', 'print(\\"step\\", value[i])\\nvalue[i] = value[i - 1]\\n', 70
    ),
    "zeros-for-ever": Looping("data", '{"vector": [0.13, ', "0, ", 3200),
    "zero-rows-for-ever": Looping("data", "[\n", "[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],\n", 130),
    "token-without-spaces-for-ever": Looping("data", PROSE[:200], "strawberry", 1000),
    "base64-for-ever": Looping("data", "data:image/png;base64,iVBORw0KGgo", "A", 9500),
    "exclamation-marks-for-ever": Looping("rule", PROSE[:402], "!", 5000),
    "csv-row-for-ever": Looping("table", "date,site,state,unit\n", "unknown,north pier,ok,celsius\n", 90),
}

POEM = """\
Once upon a midnight dreary, while I pondered, weak and weary,
Over many a quaint and curious volume of forgotten lore,
While I nodded, nearly napping, suddenly there came a tapping,
As of some one gently rapping, rapping at my chamber door.
"'Tis some visitor," I muttered, "tapping at my chamber door -
Only this, and nothing more."
"""

CHORUS = """\
Row, row, row your boat,
Gently down the stream,
Merrily, merrily, merrily, merrily,
Life is but a dream.

"""


def bottles() -> str:
    return "".join(
        f"{n} bottles of beer on the wall, {n} bottles of beer.\nTake one down and pass it around, {n - 1} bottles of beer.\n\n"
        for n in range(99, 60, -1)
    )


def cumulative_song() -> str:
    gifts = ["a partridge in a pear tree", "two turtle doves", "three French hens", "four calling birds", "five gold rings",
             "six geese a-laying", "seven swans a-swimming", "eight maids a-milking"]  # fmt: skip
    days = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"]
    return "".join(
        f"On the {day} day of Christmas my true love sent to me\n" + ",\n".join(reversed(gifts[: n + 1])) + ".\n\n"
        for n, day in enumerate(days)
    )


def fenced(text: str, language: str = "") -> str:
    return f"{ANSWER}```{language}\n{text}```\n\nThat is all there is to see.\n"


def table(head: str, rows: str) -> str:
    rule = "|" + " --- |" * (head.count("|") - 1)
    return f"{ANSWER}{head}\n{rule}\n{rows}\nAs the table shows, nothing has been decided yet.\n"


def hexdump(rng: random.Random) -> str:
    rows = [bytes(16) if n % 7 else rng.randbytes(16) for n in range(60)]
    return "".join(f"{n * 16:08x}  {row.hex(' ')}  |................|\n" for n, row in enumerate(rows))


def log(rng: random.Random) -> str:
    return "".join(
        f"2026-03-01T12:{n // 60:02}:{n % 60:02}Z worker-{rng.randint(1, 3)} WARN connection refused, retrying in 5 s\n"
        for n in range(60)
    )


def maze(rng: random.Random) -> str:
    return "".join(
        "+---" * 12 + "+\n" + "".join("|" + rng.choice(["   ", "   ", " x "]) for _ in range(12)) + "|\n"
        for _ in range(14)
    )


def house() -> str:
    wall = "|" + " " * 58 + "|\n"
    return (
        "+"
        + "-" * 58
        + "+\n"
        + wall * 12
        + "|"
        + " " * 20
        + "the empty room"
        + " " * 24
        + "|\n"
        + wall * 12
        + "+"
        + "-" * 58
        + "+\n"
    )


def honest() -> Iterator[tuple[str, str]]:
    rng = random.Random(7)
    yield "prose", PROSE
    yield "answer-with-sections", ANSWER * 1 + PROSE + ANSWER.replace("cache", "queue") + PROSE[::-1]
    yield "words-in-no-order", drawn(11, 9000)
    # tables
    yield (
        "table-with-identical-rows",
        table("| task | owner | due |", "| to be decided | to be decided | open |\n" * 20),
    )
    yield (
        "table-with-empty-cells",
        table("| day | morning | noon | evening |", "|     |         |      |         |\n" * 31),
    )
    yield "table-with-yes-and-no", table("| a | b | c |", "| yes | no | yes |\n| no | yes | no |\n" * 16)
    yield (
        "table-with-not-available",
        table("| host | cpu | ram |", "".join(f"| host-{n} | n/a | n/a |\n" for n in range(40))),
    )
    yield "table-with-one-wide-separator", ANSWER + "| a | b |\n|" + "-" * 180 + "|" + "-" * 180 + "|\n| 1 | 2 |\n"
    yield "table-with-many-columns", ANSWER + "| " + "x | " * 60 + "\n|" + "---|" * 60 + "\n| " + "0 | " * 60 + "\n"
    yield (
        "truth-table",
        table(
            "| a | b | c | d | out |",
            "".join(f"| {n >> 3 & 1} | {n >> 2 & 1} | {n >> 1 & 1} | {n & 1} | 0 |\n" for n in range(16)) * 2,
        ),
    )
    yield (
        "grid-table",
        "".join("+----------+----------+----------+\n|          |          |          |\n" for _ in range(20)),
    )
    yield "tab-separated", "name\tvalue\tunit\n" + "none\t0\tmm\n" * 45
    yield "csv-with-identical-rows", "date,site,state,unit\n" + "unknown,north pier,ok,celsius\n" * 40
    yield (
        "csv-with-dates",
        "".join(f"2026-01-{n % 28 + 1:02},pier,{rng.randint(0, 9)}.{rng.randint(0, 9)},celsius\n" for n in range(120)),
    )
    # lists
    yield (
        "list-with-shared-prefix",
        ANSWER
        + "".join(
            f"- The {word} of the harbour office is responsible for the {word}\n"
            for word in sorted(set(PROSE.split()))[40:70]
        ),
    )
    yield "list-of-placeholders", ANSWER + "- To be decided with the owner\n" * 20
    yield "checklist-to-fill-in", ANSWER + "- [ ] \n" * 30
    yield "numbered-placeholders", ANSWER + "".join(f"{n}. To be written\n" for n in range(1, 31))
    yield (
        "questionnaire",
        "".join(
            f"{n}. How satisfied are you with the {w}?\n   ( ) very   ( ) somewhat   ( ) not at all\n\n"
            for n, w in enumerate(["food", "room", "staff", "bath", "pool", "view", "wifi", "bed"], 1)
        ),
    )
    yield (
        "signature-blocks",
        PROSE[:400] + "\nName: ____________________\nTitle: ____________________\nDate: ____________________\n" * 6,
    )
    yield (
        "table-of-contents",
        "".join(
            f"{n}.{m} {word} {'.' * (60 - len(word))} {n * 10 + m}\n"
            for n in range(1, 6)
            for m, word in enumerate(["Overview", "Purpose", "Method", "Results"], 1)
        ),
    )
    yield (
        "dialogue-with-short-answers",
        "".join(
            f'"{a}?" he asked.\n"No," she said.\n'
            for a in [
                "Is it the salt",
                "Is it the tide",
                "Was it cold",
                "The wind, then",
                "Would you tell me",
                "Have you been there",
                "And the boat",
                "Was it old",
                "Did it float",
            ]
        ),
    )
    # rules, drawings
    yield "dashes", ANSWER + "-" * 400 + "\n" + PROSE[:300] + "\n" + "=" * 400 + "\n"
    yield "dots-and-pipes", "." * 300 + "\n" + "|" * 300 + "\n" + "·" * 300 + "\n" + "~" * 200 + PROSE[:200]
    yield "ruled-sections", ("-" * 78 + "\n").join(drawn(n, 90) for n in range(20, 32))
    yield "box-comments", "/" + "*" * 76 + "/\n" + ("/*" + " " * 74 + "*/\n") * 14 + "/" + "*" * 76 + "/\n"
    yield "room-in-ascii", house()
    yield "maze-in-ascii", maze(rng)
    yield "chessboard", ("# . # . # . # .\n. # . # . # . #\n" * 4 + "\n") * 3
    yield "bar-chart", "".join(f"{n:>4} {'#' * rng.randint(20, 70)}\n" for n in range(1990, 2026))
    yield "progress-bars", "".join(f"[{'#' * n}{'.' * (40 - n)}] {n * 100 // 40:>3} %\n" for n in range(41))
    yield "blank-lines", PROSE[:500] + "\n" * 120 + PROSE[500:900] + " " * 200 + PROSE[900:]
    # verse, song, laughter
    yield "raven", POEM + POEM.replace("rapping", "knocking")
    yield "song-with-chorus", "".join(drawn(n, 180) + "\n" + CHORUS for n in range(40, 46))
    yield "round-sung-three-times", CHORUS * 3
    yield "counting-song", bottles()
    yield "cumulative-song", cumulative_song()
    yield "laughter", PROSE[:300] + "ha " * 60 + PROSE[300:600] + "ha" * 90 + " " + PROSE[600:]
    yield (
        "la-la-la",
        "And then everybody sang: "
        + "la la la, " * 18
        + "until the lights went out.\n"
        + "na na na na, hey hey, goodbye.\n" * 3,
    )
    yield "refusing", "She said: " + "no, " * 40 + "never.\n" + PROSE
    yield "buffalo", "Buffalo buffalo Buffalo buffalo buffalo buffalo Buffalo buffalo. " * 3 + PROSE
    yield "very-very", "It was a " + "very, " * 30 + "long way home.\n" + PROSE
    yield (
        "litany",
        "".join(
            f"Saint {name}, pray for us.\n"
            for name in [
                "Michael",
                "Gabriel",
                "Raphael",
                "Joseph",
                "Peter",
                "Paul",
                "Andrew",
                "James",
                "John",
                "Thomas",
                "Philip",
                "Matthew",
                "Simon",
                "Luke",
                "Mark",
            ]
        ),
    )
    yield (
        "mantra-three-times",
        "May all beings be safe. May all beings be well. May all beings be at peace.\n" * 3 + PROSE[:800],
    )
    yield "tongue-twister", "How much wood would a woodchuck chuck if a woodchuck could chuck wood? " * 3 + PROSE[:300]
    yield "lines-written-three-times", "I must not talk in class.\n" * 3 + PROSE[:200]
    yield (
        "legal-boilerplate",
        "".join(
            f"{n}. Provided however that nothing in this section {n} shall limit, restrict or otherwise affect the rights of the Lender under section {n + 1} or under any other section of this Agreement.\n\n"
            for n in range(1, 16)
        ),
    )
    # code
    yield "log-lines-in-a-fence", fenced("connection refused, retrying in 5 seconds\n" * 30)
    yield "log-lines-with-times", fenced(log(rng))
    yield "no-operations", fenced("    nop\n" * 80, "asm")
    yield "closing-braces", fenced("".join("  " * n + "}\n" for n in range(14, -1, -1)) + "</div>\n" * 14)
    yield "empty-fields", fenced('    <field name="" value=""/>\n' * 30, "xml")
    yield "unrolled-loop", fenced("    acc += *p++;\n" * 64, "c")
    yield "asserts", fenced("".join(f"    assert parse({n}) == {n}\n" for n in range(80)), "python")
    yield (
        "getters",
        fenced(
            "".join(
                f"    public String get{w}() {{\n        return this.{w};\n    }}\n\n"
                for w in ["A", "B", "Name", "City", "Zip", "Street", "Phone", "Mail", "Birthday", "Country"]
            ),
            "java",
        ),
    )
    yield "javascript-object-keys", fenced("".join(f"  key{n}: undefined,\n" for n in range(60)), "js")
    yield "nested-lists-in-html", "<ul><li></li></ul>\n" * 25
    yield (
        "latex-matrix",
        "\\begin{pmatrix}\n" + r"0 & 0 & 0 & 0 & 0 & 0 & 0 & 0 \\" * 8 + "\n" + r"\end{pmatrix}" + "\n" + PROSE[:200],
    )
    yield "diff", fenced("-    old_value = compute()\n+    new_value = compute()\n" * 18, "diff")
    yield "makefile-dots", fenced("." * 72 + " [ 10%]\n" + "." * 72 + " [ 20%]\n" + "." * 72 + " [ 30%]\n")
    # JSON, numbers, sequences
    yield "zeros", '{"embedding": [' + "0, " * 767 + "0]}"
    yield "decimal-zeros", '{"embedding": [' + "0.0, " * 383 + "0.0]}"
    yield "zero-matrix", "[\n" + ("  [" + "0, " * 19 + "0],\n") * 20 + "]\n"
    yield (
        "identity-matrix",
        "[\n"
        + "".join("  [" + ", ".join("1" if i == j else "0" for j in range(16)) + "],\n" for i in range(16))
        + "]\n",
    )
    yield "nulls", '{"values": [' + "null, " * 200 + "null]}"
    yield "booleans", '{"mask": [' + "true, false, " * 90 + "true]}"
    yield "empty-strings", '{"cells": [' + '"", ' * 150 + '""]}'
    yield "identical-objects", '{"items": [' + '{"id": null, "name": "", "qty": 0}, ' * 30 + "{}]}"
    yield (
        "identical-objects-in-lines",
        "[\n" + '  {\n    "name": "",\n    "value": null,\n    "enabled": false\n  },\n' * 25 + "]\n",
    )
    yield "game-board", '{"board": [' + '["", "", "", "", "", "", "", ""], ' * 8 + "[]]}"
    yield (
        "pi-and-random-digits",
        "3.14159265358979323846264338327950288419716939937510 " + "".join(rng.choices("0123456789", k=3000)),
    )
    yield "one-third", "1/3 = 0." + "3" * 600 + "...\n1/7 = 0." + "142857" * 120 + "...\n"
    yield "powers-of-ten", "".join(f"10^{n} = 1{'0' * n}\n" for n in range(60))
    yield "hex-dump", fenced(hexdump(rng))
    yield "hex-bytes", "const unsigned char pad[] = { " + "0x00, " * 256 + "0xff };\n" + "ff " * 128
    yield (
        "base64",
        "data:image/png;base64,"
        + "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", k=4000))
        + "A" * 900
        + "==",
    )
    yield (
        "dna",
        ">sample one\n"
        + "\n".join("".join(rng.choices("acgt", k=70)) for _ in range(40))
        + "\n"
        + "cag" * 120
        + "\n"
        + "a" * 200
        + "\n",
    )
    yield "uuid-list", "".join(f"{rng.getrandbits(128):032x}\n" for _ in range(90))
    yield "midi-ticks", "tick " * 70 + "stop\n"
    yield "coordinates", "".join(f"[{n / 10:.1f}, 0.0, 0.0], " for n in range(200))
    # other scripts
    yield (
        "chinese-prose",
        "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。床前明月光，疑是地上霜。举头望明月，低头思故乡。" * 3,
    )
    yield "laughter-in-chinese", "哈" * 150 + "，" + "哈哈，" * 40 + "太好笑了。"
    yield "emoji-rows", "🎉" * 120 + "\n" + "👏🏽" * 60 + "\n" + "❤️ " * 50 + "\n" + PROSE[:500]
    yield "emoji-board", "⬛🟨⬛🟩⬛\n⬛⬛🟩🟩⬛\n🟩🟩🟩🟩🟩\n" * 4


def drifting() -> Iterator[tuple[str, str]]:
    rng = random.Random(9)
    phrases = [
        "it is clear that",
        "the model is",
        "very important to",
        "as we have seen",
        "in the end",
        "the model must be",
        "and so on",
    ]
    yield (
        "steps-that-count",
        ANSWER
        + "".join(f"Step {n}: Check the configuration and restart the service if needed. " for n in range(7, 60)),
    )
    yield (
        "pages-that-count",
        PROSE[:900]
        + "".join(f"Please turn to page {n} for the continuation of this story.\n" for n in range(100, 150)),
    )
    yield (
        "numbered-list-without-end",
        ANSWER + "".join(f"{n}. Make sure that the service is running\n" for n in range(10, 99)),
    )
    yield "phrases-in-no-order", PROSE[:700] + " ".join(rng.choices(phrases, k=250))
    yield "few-words-in-no-order", " ".join(rng.choices(["never", "again", "the", "sea", "calls"], k=700))


def truth(name: str, loop: Looping) -> dict[str, object]:
    text = loop.before + loop.unit * loop.copies
    period = (loop.unit * 2).find(loop.unit, 1)
    start, end = len(loop.before), len(text)
    text += loop.after
    while start and text[start - 1] == text[start - 1 + period]:
        start -= 1
    while end < len(text) and text[end] == text[end - period]:
        end += 1
    return {"name": name, "period": period, "start": start, "length": end - start, "context": loop.context}


def write(folder: str, name: str, text: str) -> None:
    (HERE / folder).mkdir(exist_ok=True)
    (HERE / folder / f"{name}.txt").write_bytes(text.encode())


def main() -> None:
    for name, loop in LOOPING.items():
        write("looping", name, loop.before + loop.unit * loop.copies + loop.after)
    for folder, texts in (("honest", honest()), ("drifting", drifting())):
        for name, text in texts:
            write(folder, name, text)
    manifest = {
        "looping": [truth(name, loop) for name, loop in LOOPING.items()],
        "honest": [name for name, _ in honest()],
        "drifting": [name for name, _ in drifting()],
    }
    (HERE / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main()
