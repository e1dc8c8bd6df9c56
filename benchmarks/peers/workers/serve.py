"""The protocol of every worker: one JSON object per line, and one line as the reply.

    {"do": "load", "model": FILE, "threads": 1}  -> {"engine": "…"}
    {"do": "texts", "file": FILE}                -> {"texts": 500}     token ids, one list per text
    {"do": "time", "rows": [3, 1, …]}            -> {"ns": [512345, …]}
    {"do": "logits", "file": FILE}               -> {"texts": 500}     [texts, classes] in FP32, as .npy
    {"do": "stop"}

One text per call, without padding. A worker has a function `load(model, threads)`. It returns the engine's name and a
function from inputs to logits.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Run = Callable[[Any], Any]
Feeds = dict[str, Any]
NAMES = ("input_ids", "attention_mask", "token_type_ids")


def serve(load: Callable[[Path, int], tuple[str, Run]], prepare: Callable[[Feeds], Any] = dict) -> None:
    """Answers requests until a stop request. The toolkit's output goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    run: Run = len
    texts: list[Any] = []
    for line in sys.stdin:
        request = json.loads(line)
        answer: dict[str, Any] = {}
        match request["do"]:
            case "load":
                answer["engine"], run = load(Path(request["model"]), request["threads"])
            case "texts":
                ids = json.loads(Path(request["file"]).read_text(encoding="utf-8"))
                texts = [prepare(_feeds(each)) for each in ids]
                answer["texts"] = len(texts)
            case "time":
                answer["ns"] = _time(run, [texts[row] for row in request["rows"]])
            case "logits":
                rows = [np.array(run(each), dtype=np.float32).reshape(-1) for each in texts]
                np.save(request["file"], np.stack(rows))
                answer["texts"] = len(rows)
            case "stop":
                return
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _feeds(ids: list[int]) -> Feeds:
    row = np.asarray([ids], dtype=np.int64)
    return dict(zip(NAMES, (row, np.ones_like(row), np.zeros_like(row)), strict=True))


def _time(run: Run, texts: list[Any]) -> list[int]:
    taken = []
    gc.disable()
    for text in texts:
        begin = time.perf_counter_ns()
        run(text)
        taken.append(time.perf_counter_ns() - begin)
    gc.enable()
    return taken
