"""One padding token for a checkpoint's model and tokenizer.

Some models find the end of an input by the padding token of their configuration (GPT-2, Llama), others count positions from it
(RoBERTa). If batches were padded with another token, a prediction would depend on the length of the inputs beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tokenizers

from constrictor.data.tokenization import TOKENIZER, padding_token
from constrictor.errors import ConstrictorError
from constrictor.files.reading import read_object
from constrictor.files.writing import write_json

_USUAL = ("[PAD]", "<pad>")  # which transformers finds without being told
_END = ("<|end_of_text|>", "<eos>", "[SEP]")


def settle_padding(folder: Path, name: str) -> None:
    """Write one padding token into the files of a checkpoint, for model and tokenizer. Where they agree, nothing is written.

    It is the model's own, unless an ordinary word has that number; else the tokenizer's; else, as usual for models that were
    trained without padding, the token that ends a text.

    Args:
        folder: the checkpoint's folder.
        name: what to call the checkpoint in messages.

    Raises:
        ConstrictorError: if there is no such token.
    """
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / TOKENIZER))
    config, settings = read_object(folder / "config.json"), read_object(folder / "tokenizer_config.json")
    named = _named(tokenizer, settings, "pad_token")
    own = padding_token(tokenizer) if named is None else named
    special = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    models, ends = config.get("pad_token_id"), config.get("eos_token_id")  # which may be several
    possible = [models if own is None or models in special else own, own, *(ends if isinstance(ends, list) else [ends])]
    possible += [_named(tokenizer, settings, "eos_token"), *map(tokenizer.token_to_id, _END)]
    rows = config.get("vocab_size") or tokenizer.get_vocab_size()
    usable = (token for token in possible if isinstance(token, int) and 0 <= token < rows)
    pad = next((token for token in usable if tokenizer.id_to_token(token) is not None), None)
    if pad is None:
        raise ConstrictorError(
            f"{name} has no token to pad inputs with: neither its config.json nor its tokenizer names one, nor one that ends a "
            "text. Set 'pad_token_id' in its config.json."
        )
    if config.get("pad_token_id") != pad:
        write_json(folder / "config.json", {**config, "pad_token_id": pad})
    token = tokenizer.id_to_token(pad)
    if padding_token(tokenizer) != pad:
        tokenizer.enable_padding(pad_id=pad, pad_token=token)
        tokenizer.save(str(folder / TOKENIZER))
    if named != pad and (named is not None or token not in _USUAL):
        write_json(folder / "tokenizer_config.json", {**settings, "pad_token": token})


def _named(tokenizer: tokenizers.Tokenizer, settings: dict[str, Any], key: str) -> int | None:
    """Id of a token that `tokenizer_config.json` names, by its text or as an object."""
    token = settings.get(key)
    text = token.get("content") if isinstance(token, dict) else token
    return tokenizer.token_to_id(text) if isinstance(text, str) else None
