"""What the loop detector costs per piece of text, above an empty function called with the same pieces.

    python benchmarks/loops.py [--json]

CPU time in nanoseconds; both callables take turns in one process, and the median of the differences is shown. No figure
here is a pass or a fail.
"""

import json
import random
import statistics
import sys
import time
from collections.abc import Callable

from streamgauge.analysis.loops import LoopDetector

PIECE, CHARACTERS, ROUNDS = 4, 64_000, 41


def prose(rng: random.Random) -> str:
    words = ["".join(rng.choices("etaoinshrdlucmfw", k=rng.randint(1, 9))) for _ in range(900)]
    return " ".join(rng.choices(words, [1 / (rank + 1) for rank in range(900)], k=CHARACTERS // 4))


def table(rng: random.Random) -> str:
    row = "| service-{} | {} ms | available | available | degraded | available |\n"
    return "".join(row.format(rng.randint(1, 40), rng.randint(1, 900)) for _ in range(CHARACTERS // 60))


def loop(rng: random.Random) -> str:
    return prose(rng)[:1000] + "I will look at the file again and then decide what to do next. " * (CHARACTERS // 60)


def emoji(rng: random.Random) -> str:
    return prose(rng).replace("e", "\N{GRINNING FACE}")


def cost(feed: Callable[[str], object], pieces: list[str]) -> float:
    start = time.process_time_ns()
    for piece in pieces:
        feed(piece)
    return (time.process_time_ns() - start) / len(pieces)


def nothing(piece: str) -> None:
    """Take a piece and do nothing."""


def measure(text: str) -> dict[str, float]:
    pieces = [text[at : at + PIECE] for at in range(0, CHARACTERS, PIECE)]
    rounds = [(cost(nothing, pieces), cost(LoopDetector().feed, pieces)) for _ in range(ROUNDS)]
    empty = statistics.median(first for first, _ in rounds)
    return {"empty_call_ns": round(empty, 1), "added_ns": round(statistics.median(b - a for a, b in rounds), 1)}


def main() -> None:
    rng = random.Random(4)
    results = {text.__name__: measure(text(rng)) for text in (prose, table, loop, emoji)}
    if "--json" in sys.argv:
        print(json.dumps({"piece_characters": PIECE, "per_piece": results}, indent=2))
        return
    for name, figures in results.items():
        print(f"{name:8}", *(f"{key} {value:7.1f}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
