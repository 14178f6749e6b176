"""Prune the vocabulary to what the task's text needs: rows of the embedding table go, and the tokenizer is rebuilt.

For a small encoder the table is half of the file, for a multilingual one most of it. Special tokens, single characters
and their continuations stay, so every text can still be written; it only becomes longer where a word was dropped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from constrictor.compression.pruning.method import Pruned
from constrictor.compression.sample import Sample
from constrictor.data.batching import ids_of
from constrictor.errors import ConstrictorError
from constrictor.study.steps.prune import Vocabulary


def prune_vocabulary(model: PreTrainedModel, settings: Vocabulary, sample: Sample | None) -> Pruned:
    """Drop the embedding rows of tokens that the examples do not need, in place.

    Raises:
        ConstrictorError: if the tokenizer is of a kind that is not known, or `size` is too small for the tokens that
            must stay.
    """
    assert sample is not None
    content = json.loads(sample.tokenizer)
    counts = np.bincount(np.concatenate([*map(ids_of, sample.encoded)]), minlength=model.config.vocab_size)
    needed = {sample.pad_id, *(getattr(model.config, key) for key in _present(model.config))}
    kept = tokens_to_keep(content, counts, settings.size, settings.min_count, needed)
    before = model.config.vocab_size
    _cut_embeddings(model, kept)
    rebuilt = prune_tokenizer(content, kept)
    covered = float(counts[kept].sum() / counts.sum())
    details = {"tokens": len(kept), "of_tokens": before, "share_of_text_covered": round(covered, 6)}
    return Pruned(lambda: details, tokenizer=json.dumps(rebuilt, ensure_ascii=False))


def tokens_to_keep(
    content: dict[str, Any], counts: np.ndarray, size: int | None, min_count: int, needed: Iterable[int] = ()
) -> list[int]:
    """Ids of the tokens that stay, rising.

    Args:
        content: the tokenizer's ``tokenizer.json``.
        counts: ``(tokens,)`` how often each occurs in the examples.
        size: most tokens to keep, counting those that must stay.
        min_count: fewest occurrences.
        needed: further tokens that must stay, such as those that a model's configuration names.

    Raises:
        ConstrictorError: if `size` is too small for the tokens that must stay.
    """
    ids = _vocabulary_of(content)
    parts = _parts_of(content)
    kept = {token for text, token in ids.items() if _is_safe(text)} | _special_tokens(content) | set(needed)
    if size is not None and size < len(kept):
        raise ConstrictorError(
            f"a vocabulary of {size} tokens would drop special tokens or single characters, of which there are "
            f"{len(kept)}. Set 'size' to that or more, or leave it out."
        )
    by_count = np.argsort(-counts, kind="stable")
    for token in by_count[counts[by_count] >= min_count].tolist():
        wanted = _with_parts(token, parts) - kept
        if size is not None and len(kept) + len(wanted) > size:
            continue
        kept |= wanted
    return sorted(kept)


def prune_tokenizer(content: dict[str, Any], kept: list[int]) -> dict[str, Any]:
    """A ``tokenizer.json`` with these tokens only, numbered anew in their old order."""
    number = {old: new for new, old in enumerate(kept)}
    model = dict(content["model"])
    if isinstance(model["vocab"], list):  # Unigram: pieces with their scores, numbered by position
        model["vocab"] = [model["vocab"][old] for old in kept]
        model["unk_id"] = None if model.get("unk_id") is None else number[model["unk_id"]]
    else:
        model["vocab"] = {text: number[old] for text, old in model["vocab"].items() if old in number}
    if "merges" in model:
        known = model["vocab"]
        model["merges"] = [
            merge for merge in model["merges"] if all(part in known for part in (*_pair(merge), "".join(_pair(merge))))
        ]
    return {
        **content,
        "model": model,
        "added_tokens": [{**entry, "id": number[entry["id"]]} for entry in content["added_tokens"]],
        "post_processor": _renumber(content.get("post_processor"), number),
        "padding": _renumber_padding(content.get("padding"), number),
    }


def _vocabulary_of(content: dict[str, Any]) -> dict[str, int]:
    """The tokenizer's own tokens and their ids.

    Raises:
        ConstrictorError: if the tokenizer is of a kind that is not known.
    """
    model = content["model"]
    if model["type"] not in ("WordPiece", "BPE", "Unigram", "WordLevel"):
        raise ConstrictorError(
            f"a vocabulary of the kind {model['type']} cannot be pruned. Known: WordPiece, BPE, Unigram."
        )
    if isinstance(model["vocab"], list):
        return {text: number for number, (text, _) in enumerate(model["vocab"])}
    return model["vocab"]


def _special_tokens(content: dict[str, Any]) -> set[int]:
    """Ids of the tokens that a tokenizer itself names, wherever it does."""
    model = content["model"]
    named = {entry["id"] for entry in content["added_tokens"]} | set(_ids_in(content.get("post_processor")))
    named |= {model.get("unk_id"), (content.get("padding") or {}).get("pad_id")}
    if isinstance(model["vocab"], dict):
        named.add(model["vocab"].get(model.get("unk_token")))
    return named - {None}


def _ids_in(part: Any) -> Iterator[int]:
    """The ids in a post-processor: they stand in lists called `ids`, and behind a token in a pair."""
    if isinstance(part, dict):
        for key, value in part.items():
            yield from value if key == "ids" else _ids_in(value)
    elif _is_pair(part):
        yield part[1]
    elif isinstance(part, list):
        for item in part:
            yield from _ids_in(item)


def _is_pair(part: Any) -> bool:
    return isinstance(part, list) and len(part) == 2 and isinstance(part[0], str) and isinstance(part[1], int)


_WORD_MARKS = ("##", "▁", "Ġ")


def _is_safe(text: str) -> bool:
    """A single character, with or without the sign of a word's begin or continuation, or a single byte."""
    for mark in _WORD_MARKS:
        text = text.removeprefix(mark) or text
    return len(text) == 1 or (text.startswith("<0x") and len(text) == 6)


def _pair(merge: str | list[str]) -> tuple[str, str]:
    """The two tokens that a merge joins, in either way of writing it."""
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right


def _parts_of(content: dict[str, Any]) -> dict[int, tuple[int, int]]:
    """Byte-pair vocabularies: the two tokens that each is first merged from. It cannot be reached without them."""
    model = content["model"]
    parts: dict[int, tuple[int, int]] = {}
    for merge in model.get("merges", []):
        left, right = _pair(merge)
        if (whole := model["vocab"].get(left + right)) is not None:
            parts.setdefault(whole, (model["vocab"][left], model["vocab"][right]))
    return parts


def _with_parts(token: int, parts: dict[int, tuple[int, int]]) -> set[int]:
    """A token and all that it is merged from."""
    found, waiting = set(), [token]
    while waiting:
        token = waiting.pop()
        if token not in found:
            found.add(token)
            waiting.extend(parts.get(token, ()))
    return found


def _renumber(part: Any, number: dict[int, int]) -> Any:
    """A post-processor with new ids (see :func:`_ids_in`)."""
    if isinstance(part, dict):
        return {
            key: [number[old] for old in value] if key == "ids" else _renumber(value, number)
            for key, value in part.items()
        }
    if _is_pair(part):
        return [part[0], number[part[1]]]
    if isinstance(part, list):
        return [_renumber(item, number) for item in part]
    return part


def _renumber_padding(padding: dict[str, Any] | None, number: dict[int, int]) -> dict[str, Any] | None:
    return padding and {**padding, "pad_id": number[padding["pad_id"]]}


_TOKEN_IDS = ("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id", "mask_token_id")


def _cut_embeddings(model: PreTrainedModel, kept: list[int]) -> None:
    """Keep these rows of the word embeddings, and renumber the configuration's special tokens."""
    old = model.get_input_embeddings()
    assert isinstance(old, nn.Embedding)
    number = {before: after for after, before in enumerate(kept)}
    padding = None if old.padding_idx is None else number[old.padding_idx]
    weight = old.weight.detach()[torch.tensor(kept)]
    model.set_input_embeddings(nn.Embedding.from_pretrained(weight, freeze=False, padding_idx=padding))
    model.config.vocab_size = len(kept)
    for key in _present(model.config):
        setattr(model.config, key, number[getattr(model.config, key)])


def _present(config: object) -> list[str]:
    return [key for key in _TOKEN_IDS if isinstance(getattr(config, key, None), int)]
