"""The inputs of the small studies: random BERTs, labelled sentences that can be learned, and unlabelled ones."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

GOOD = "calm clever gentle happy loyal lovely playful sweet".split()
BAD = "angry cruel dirty grumpy lazy nasty noisy sour".split()
ANIMALS = "cat cow dog duck goat hen horse pig sheep goose".split()
PLACES = "barn field forest garden house river stable yard".split()
VERBS = "eats hides rests runs sits sleeps waits walks".split()
WORDS = sorted({*GOOD, *BAD, *ANIMALS, *PLACES, *VERBS, "a", "and", "in", "is", "near", "one", "the", "very", "."})


def write_inputs(folder: Path) -> None:
    """Write ``animals.csv``, ``corn.csv`` and the model folders ``tiny_bert`` and ``wide_bert``."""
    folder.mkdir(parents=True)
    draw = random.Random(7)
    labelled = [(_sentence(draw, adjectives), label) for label, adjectives in (("bad", BAD), ("good", GOOD)) * 75]
    write_table(folder / "animals.csv", ["text", "label"], labelled)
    write_table(folder / "corn.csv", ["text"], [[_sentence(draw, GOOD + BAD)] for _ in range(60)])
    write_bert(folder / "tiny_bert", width=32)
    write_bert(folder / "wide_bert", width=64)  # as narrow as 4-bit kernels take


def _sentence(draw: random.Random, adjectives: Sequence[str]) -> str:
    first, second = draw.sample(adjectives, 2)
    animal, verb, place = draw.choice(ANIMALS), draw.choice(VERBS), draw.choice(PLACES)
    return f"the {first} {animal} {verb} {draw.choice(['in', 'near'])} the {place} and is very {second} ."


def write_table(file: Path, header: Sequence[str], rows: Iterable[Sequence[str]], encoding: str = "utf-8") -> None:
    """Write a CSV file."""
    with open(file, "w", newline="", encoding=encoding) as stream:
        csv.writer(stream).writerows([header, *rows])


def write_bert(folder: Path, width: int) -> None:
    """Write a random BERT of four layers and heads, as `save_pretrained` does, with a WordPiece tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: number for number, word in enumerate([*specials, *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    torch.manual_seed(3)
    model = BertModel(
        BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=width,
            num_hidden_layers=4,
            num_attention_heads=4,
            intermediate_size=2 * width,
            max_position_embeddings=64,
        )
    )
    model.save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
    ).save_pretrained(folder)
