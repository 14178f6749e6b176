"""Tokens that a checkpoint's model has no embedding for."""

from __future__ import annotations

import json
from pathlib import Path

import tokenizers

from constrictor.data.tokenization import TOKENIZER
from constrictor.errors import ConstrictorError
from constrictor.files.reading import read_object
from constrictor.progress import announce


def drop_tokens_without_embedding(folder: Path, name: str) -> None:
    """Remove added tokens that the model has no embedding for: texts with them are split into tokens that it has.

    Args:
        folder: the checkpoint's folder.
        name: what to call the checkpoint in messages.

    Raises:
        ConstrictorError: if the vocabulary itself is larger than the model's, which is then another model's.
    """
    rows = read_object(folder / "config.json").get("vocab_size")
    if not isinstance(rows, int):
        return
    vocabulary = tokenizers.Tokenizer.from_file(str(folder / TOKENIZER)).get_vocab(with_added_tokens=False)
    if max(vocabulary.values(), default=0) >= rows:
        raise ConstrictorError(
            f"{name}: the tokenizer has {len(vocabulary)} tokens and the model has embeddings for {rows}. Put the model's own "
            "tokenizer beside its weights."
        )
    content = json.loads((folder / TOKENIZER).read_text(encoding="utf-8"))
    known = [token for token in content["added_tokens"] if token["id"] < rows]
    if len(known) < len(content["added_tokens"]):
        lost = ", ".join(token["content"] for token in content["added_tokens"] if token["id"] >= rows)
        announce(f"{name}: the tokenizer loses {lost}, which the model has no embedding for")
        (folder / TOKENIZER).write_text(
            json.dumps({**content, "added_tokens": known}, ensure_ascii=False), encoding="utf-8"
        )
