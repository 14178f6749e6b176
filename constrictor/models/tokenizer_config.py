"""`tokenizer_config.json` must not contradict `tokenizer.json`.

This project reads the latter alone. transformers gives precedence to the former (whether to lower the case, for example), so that
the same model would read other tokens there than those that it was measured with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tokenizers

from constrictor.data.tokenization import TOKENIZER, Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.files.reading import read_object
from constrictor.files.writing import write_json
from constrictor.models.tokenizer_files import copy_tokenizer
from constrictor.progress import announce

_CONFIG, _SPECIAL_TOKENS = "tokenizer_config.json", "special_tokens_map.json"
_KEPT = ("model_max_length", "padding_side", "truncation_side", "clean_up_tokenization_spaces", "chat_template")
_MOST_WORDS = 1000
_TEXTS = (
    "It's a test — isn't it? 3.14% of $5,000; an e-mail@example.org #tag",
    "Le CAFÉ naïve, déjà vu; ÄÖÜ ß Ǆ ﬁ ½ ＦＵＬＬ",
    "北京 日本語 한국어 हिन्दी বাংলা русский Ελληνικά العربية עברית",
    "two  spaces,\ta tab,\na line\r\nand a\u00a0no-break space 🙂👍🏽 ",
)


def settle_tokenizer_config(folder: Path, name: str) -> None:
    """Let transformers open a checkpoint's tokenizer as `tokenizer.json` describes it. Where it does, nothing is written.

    Args:
        folder: the checkpoint's folder.
        name: what to call the checkpoint in messages.

    Raises:
        ConstrictorError: if transformers cannot be made to.
    """
    difference = _difference(folder)
    if difference is None:
        return
    announce(f"{name}: {_CONFIG} is rewritten, since it contradicts {TOKENIZER}: {difference}")
    _follow_tokenizer(folder)
    if difference := _difference(folder):
        raise ConstrictorError(
            f"{name}: transformers does not read the tokenizer as {TOKENIZER} describes it: {difference}. "
            "Save it with the save_pretrained of the tokenizer that the model was trained with."
        )


def _difference(folder: Path) -> str | None:
    """How transformers reads the tokenizer of a finished model differently; None if it does not."""
    own, pad = tokenizers.Tokenizer.from_file(str(folder / TOKENIZER)), Tokenizer(folder, max_length=8).pad_id
    own.no_padding()
    own.no_truncation()
    try:
        opened = _as_transformers_opens_it(folder)
        for text in _probes(own):
            ours, theirs = own.encode(*text).ids, opened(*text)["input_ids"]
            if ours != theirs:
                return f"{text[0]!r} becomes {_tokens(own, theirs)} instead of {_tokens(own, ours)}"
    except Exception as error:  # every tokenizer family fails in a way of its own
        return f"it cannot be opened ({' '.join(str(error).split())[:200]})"
    return None if opened.pad_token_id == pad else f"it pads with {opened.pad_token} instead of {own.id_to_token(pad)}"


def _tokens(tokenizer: tokenizers.Tokenizer, ids: Iterable[int]) -> str:
    return " ".join(str(tokenizer.id_to_token(number)) for number in ids)[:80]


def _as_transformers_opens_it(folder: Path) -> Any:
    """The tokenizer of the files that our models keep of a checkpoint."""
    from transformers import AutoTokenizer

    with TemporaryDirectory() as copy:
        copy_tokenizer(folder, Path(copy))
        write_json(Path(copy, "config.json"), {"model_type": read_object(folder / "config.json").get("model_type")})
        return AutoTokenizer.from_pretrained(copy, local_files_only=True, trust_remote_code=False)


def _probes(tokenizer: tokenizers.Tokenizer) -> Iterator[tuple[str] | tuple[str, str]]:
    """Texts of many scripts, a pair, and words of the vocabulary in capitals and with accents."""
    yield from ((text,) for text in _TEXTS)
    yield _TEXTS[0], _TEXTS[1]
    words = sorted({token.removeprefix("Ġ").removeprefix("▁") for token in tokenizer.get_vocab()})
    words = [word for word in words if word.isalpha()]
    for word in words[:: 1 + len(words) // _MOST_WORDS]:
        yield (f"{word} {word.title()} {word.upper()} {word[0]}\u0301{word[1:]},{word}",)


def _follow_tokenizer(folder: Path) -> None:
    """Name the class that opens any `tokenizer.json` as it is, with the special tokens and inputs of the class before."""
    settings = read_object(folder / _CONFIG)
    kept = {key: settings[key] for key in _KEPT if key in settings}
    try:
        opened = _as_transformers_opens_it(folder)
        kept |= {**opened.special_tokens_map, "model_input_names": opened.model_input_names}
    except Exception:  # of what cannot be opened, the special tokens are those that are written
        kept |= read_object(folder / _SPECIAL_TOKENS)
    own, pad = tokenizers.Tokenizer.from_file(str(folder / TOKENIZER)), Tokenizer(folder, max_length=8).pad_id
    kept["pad_token"] = own.id_to_token(pad)
    write_json(folder / _CONFIG, {**kept, "tokenizer_class": "PreTrainedTokenizerFast"})
    (folder / _SPECIAL_TOKENS).unlink(missing_ok=True)
