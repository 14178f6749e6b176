"""Export a classifier with those exact rewrites that are faster on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from constrictor.compression.export.context import ExportContext
from constrictor.compression.export.lean import LeanClassifier
from constrictor.compression.export.onnx import PlainModel, export_onnx, reads_types
from constrictor.compression.export.parity import agrees, refuse_difference
from constrictor.compression.quantization.onnx_int8 import to_int8
from constrictor.data.batching import Encoded, full_batch
from constrictor.errors import ConstrictorError
from constrictor.models.onnx_file import load_onnx, save_onnx
from constrictor.runtimes.onnx import open_session, run_session
from constrictor.runtimes.timing import milliseconds_in_turn, speed_ratio
from constrictor.study.steps.export import Export

SHAPES = ((1, 32), (32, 128))
ROUNDS = 7
# A rewrite must gain this much over what is kept without it; less is noise.
MARGIN = 1.02

Parity = Callable[[Path], dict[str, Any]]


def export_fastest(model: PreTrainedModel, context: ExportContext, parity: Parity) -> dict[str, Any]:
    """Write the fastest of: the model as it is, the rewrites for the first token, those with merged matrices too.

    Args:
        model: a float32 model.
        context: what is exported; `optimize_for` of its settings names the precision in which the variants are timed.
        parity: compares an ONNX file with the torch model.

    Returns:
        Details for the manifest: `parity` of what was kept, and `rewrites`: what was tried and what came of it.

    Raises:
        ConstrictorError: if the export without any rewrite does not compute what the torch model computes.
    """
    settings, folder, head = context.settings, context.staging, context.kind.head
    max_length, texts = context.kind.record.max_length, context.features.encoded
    typed = reads_types(model, texts)
    variants: dict[str, PlainModel | LeanClassifier] = {"none": PlainModel(model, head)}
    rewrites: dict[str, Any] = {}
    try:
        if not context.kind.reads_first_token:
            raise ConstrictorError(f"the rewrites are for heads that read the first token only, not for a {head.title}")
        variants["first token"] = LeanClassifier(model, head, max_length, typed=typed)
        variants["first token, merged projections"] = LeanClassifier(model, head, max_length, typed=typed, merged=True)
    except ConstrictorError as reason:
        rewrites["reason"] = str(reason)
    with TemporaryDirectory(dir=folder, prefix=".variants") as scratch:
        found, files = {}, {}
        for number, (name, variant) in enumerate(variants.items()):
            file = Path(scratch, str(number), "model.onnx")
            file.parent.mkdir()
            export_onnx(variant, file, settings.opset, max_length, settings.shape, typed=typed)
            found[name] = parity(file)
            if name == "none":
                refuse_difference(found[name], settings.tolerance, file)
            if agrees(found[name], settings.tolerance):
                files[name] = file
        ratios = _speed_ratios(files, settings, max_length, texts)
        kept = choose(ratios)
        for file in files[kept].parent.glob("model.onnx*"):
            os.replace(file, folder / file.name)
    tried = {
        name: {"max_difference": found[name]["max_difference"], "speedup": ratios.get(name)}
        for name in variants
        if name != "none"
    }
    rewrites |= {"kept": kept, "tried": tried, "timed_in": settings.optimize_for}
    return {"parity": found[kept], "rewrites": rewrites}


def choose(ratios: dict[str, float]) -> str:
    """The variant to keep: each must be faster by a margin than the best of those before it.

    >>> choose({"none": 1.0, "first token": 1.3, "first token, merged projections": 1.31})
    'first token'
    """
    kept = "none"
    for name, ratio in ratios.items():
        if ratio > ratios[kept] * MARGIN:
            kept = name
    return kept


def _speed_ratios(files: dict[str, Path], settings: Export, max_length: int, texts: Encoded) -> dict[str, float]:
    """How many times as fast as the model without rewrites each variant is, over all shapes."""
    if len(files) == 1:
        return dict.fromkeys(files, 1.0)
    if settings.optimize_for == "int8":
        files = {name: _int8(file) for name, file in files.items()}
    # One thread: other jobs run beside this one, and a second thread would wait for them.
    sessions = {name: open_session(file, threads=1) for name, file in files.items()}
    times: dict[str, list[np.ndarray]] = {name: [] for name in files}
    for batch, length in [settings.shape] if settings.shape else SHAPES:
        inputs = full_batch(texts, batch, min(length, max_length))
        calls = {name: partial(run_session, session, inputs) for name, session in sessions.items()}
        for name, found in milliseconds_in_turn(calls, ROUNDS).items():
            times[name].append(found)
    return {name: round(speed_ratio(times["none"], found), 2) for name, found in times.items()}


def _int8(file: Path) -> Path:
    target = file.parent / "int8" / "model.onnx"
    target.parent.mkdir()
    save_onnx(to_int8(load_onnx(file), per_channel=True, tables=True, scratch=target.parent), target)
    return target
