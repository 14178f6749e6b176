"""A process that holds one artifact and times it on command; :mod:`constrictor.evaluation.workers` talks to it.

It imports only what its artifact's runtime needs, so that its memory and its start are those of a service. Protocol:
one JSON object a line. In: ``{"texts": [...]}`` once, then ``{"batch": 1, "length": 32, "seconds": 0.2}`` any number of
times; the length `task` means the inputs at their own lengths. Out: ``{"ready": true}`` after the first prediction,
``{"ms": [...], "waiting": 0.01, "peak_bytes": ...}`` after each timing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

from constrictor.data.batching import Batch, Text, full_batch, pad
from constrictor.data.tokenization import Tokenizer
from constrictor.evaluation.wait_clock import WaitClock
from constrictor.machine import peak_memory_bytes
from constrictor.runtimes.load import Variant, load
from constrictor.runtimes.timing import LONG_CALL_MS, Call, milliseconds


def inputs_of(tokenizer: Tokenizer, texts: Sequence[Text], batch: int, length: int | str) -> list[Batch]:
    """What a shape is timed on: one full batch, or for `task` the texts in their own lengths, a batch after another.

    Every batch holds as many texts as it should: fewer texts than that are read again, and a remainder is left out.
    """
    if isinstance(length, int):
        return [full_batch(tokenizer.encode(texts), batch, length)]
    encoded = tokenizer.encode(texts)
    encoded *= -(-batch // len(encoded))
    starts = range(0, len(encoded) - batch + 1, batch)
    return [pad(encoded[start : start + batch], tokenizer.pad_id) for start in starts]


def main() -> None:
    """Load, predict once, then time what is requested until standard input ends."""
    folder, threads, variant = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    runtime = load(folder, threads=threads, variant=cast(Variant, variant))
    texts = json.loads(sys.stdin.readline())["texts"]
    runtime.outputs_of(runtime.kind.encode(runtime.tokenizer, texts[:1]))
    print(json.dumps({"ready": True}), flush=True)
    calls: dict[tuple[int, int | str], list[Call]] = {}
    quick: dict[tuple[int, int | str], bool] = {}
    for line in sys.stdin:
        command = json.loads(line)
        shape = command["batch"], command["length"]
        if shape not in calls:
            calls[shape] = [partial(runtime.predict, batch) for batch in inputs_of(runtime.tokenizer, texts, *shape)]
        if quick.get(shape, True):
            calls[shape][0]()  # untimed
        clock = WaitClock(threads)
        times = milliseconds(calls[shape], command["seconds"])
        waiting = clock.share()
        quick[shape] = min(times) < LONG_CALL_MS
        print(json.dumps({"ms": times, "waiting": waiting, "peak_bytes": peak_memory_bytes()}), flush=True)


if __name__ == "__main__":
    main()
