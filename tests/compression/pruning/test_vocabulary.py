import json
from collections import Counter

import numpy as np
import pytest
import tokenizers
import torch
from heads import load_classifier, logits_of, sample_of, task_in
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from constrictor.compression.pruning.prune import prune
from constrictor.compression.pruning.vocabulary import prune_tokenizer, prune_vocabulary, tokens_to_keep
from constrictor.data.examples import read_examples, unlabelled, write_examples
from constrictor.errors import ConstrictorError
from constrictor.runtimes.load import load
from constrictor.study.steps.prune import Vocabulary
from constrictor.training.node import Node

CORPUS = [
    "the film was lovely and the ending was lovelier",
    "a dreadful plot with a dreadful ending",
    "filming films is what film makers film",
    "größer als das Leben, naïve café",
] * 3
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def _wordpiece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=120, special_tokens=SPECIAL))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
    return tokenizer


def _bpe() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _unigram() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(
        CORPUS, trainers.UnigramTrainer(vocab_size=90, special_tokens=SPECIAL, unk_token="[UNK]")
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


KINDS = {"WordPiece": _wordpiece, "BPE": _bpe, "Unigram": _unigram}
CONTENTS = {kind: json.loads(make().to_str()) for kind, make in KINDS.items()}


def _cut(kind: str, texts: list[str], size=None) -> tuple[Tokenizer, Tokenizer, list[int]]:
    whole = Tokenizer.from_str(json.dumps(CONTENTS[kind]))
    counts = np.bincount([i for text in texts for i in whole.encode(text).ids], minlength=whole.get_vocab_size())
    kept = tokens_to_keep(CONTENTS[kind], counts, size, 1)
    return whole, Tokenizer.from_str(json.dumps(prune_tokenizer(CONTENTS[kind], kept))), kept


@pytest.mark.parametrize("kind", KINDS)
def test_texts_whose_tokens_stayed_are_read_as_before(kind):
    whole, small, kept = _cut(kind, CORPUS[:2])
    assert small.get_vocab_size() == len(kept) < whole.get_vocab_size()
    for text in CORPUS[:2]:
        before, after = whole.encode(text), small.encode(text)
        assert after.tokens == before.tokens
        assert [kept[number] for number in after.ids] == before.ids
        assert small.decode(after.ids) == whole.decode(before.ids)


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.text(alphabet="abdefghilmnorstuvwy ,", max_size=40))
def test_any_other_text_can_still_be_written_without_unknown_tokens(kind, text):
    whole, small, _ = _cut(kind, CORPUS[:1])
    if "[UNK]" in whole.encode(text).tokens:
        return
    after = small.encode(text)
    assert "[UNK]" not in after.tokens
    assert small.decode(after.ids) == whole.decode(whole.encode(text).ids)
    assert len(after.ids) >= len(whole.encode(text).ids) - (kind != "WordPiece") * len(text)


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_keep_their_work(kind):
    _, small, _ = _cut(kind, CORPUS[:1])
    ids = small.encode("the film").ids
    assert (ids[0], ids[-1]) == (small.token_to_id("[CLS]"), small.token_to_id("[SEP]"))
    assert small.encode("[MASK]").ids[1] == small.token_to_id("[MASK]")
    if small.padding:
        assert small.padding["pad_id"] == small.token_to_id("[PAD]")


@pytest.mark.parametrize("kind", KINDS)
def test_the_most_frequent_tokens_fit_into_a_size(kind):
    _, _, kept = _cut(kind, CORPUS)
    size = len(kept) - 8
    whole, _, few = _cut(kind, CORPUS, size)
    assert size - 3 <= len(few) <= size
    counts = Counter(i for text in CORPUS for i in whole.encode(text).ids)
    if kind == "WordPiece":
        assert min(counts[i] for i in few if counts[i] and len(whole.id_to_token(i).removeprefix("##")) > 1) >= max(
            counts[i] for i in set(kept) - set(few)
        )


def test_byte_pairs_keep_what_they_are_merged_from():
    whole, small, kept = _cut("BPE", ["film"])
    texts = {whole.id_to_token(number) for number in kept}
    assert "film" in small.encode("film").tokens
    merges = {"".join(pair): pair for pair in map(tuple, CONTENTS["BPE"]["model"]["merges"])}
    for text in texts & set(merges):
        assert set(merges[text]) <= texts


def _content(**model) -> dict:
    return {"model": {"type": "WordPiece", "unk_token": "[UNK]", **model}, "added_tokens": []}


def test_single_characters_and_bytes_stay_with_any_sign_of_a_word():
    texts = ["a", "##a", "\u2581a", "\u0120a", "##", "\u2581", "<0x0A>", "<0x0AB>", "<unk>", "lovely", "##ly", "of"]
    vocabulary = {text: number for number, text in enumerate(texts)}
    kept = tokens_to_keep(_content(vocab=vocabulary), np.zeros(len(texts)), None, 1)
    assert [texts[number] for number in kept] == ["a", "##a", "\u2581a", "\u0120a", "\u2581", "<0x0A>"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"added_tokens": [{"id": 2}]}, 2),
        ({"padding": {"pad_id": 2}}, 2),
        ({"padding": None, "post_processor": None}, None),
        ({"post_processor": {"sep": ["two", 2], "cls": ["one", 1], "trim_offsets": True}}, (1, 2)),
        ({"post_processor": {"special_tokens": {"two": {"id": "two", "ids": [2], "tokens": ["two"]}}}}, 2),
        ({"post_processor": {"processors": [{"pair": [{"ids": [1]}, {"ids": [2]}]}]}}, (1, 2)),
    ],
)
def test_tokens_that_the_tokenizer_names_stay_wherever_it_names_them(change, named):
    content = _content(vocab={"zero": 0, "one": 1, "two": 2, "[UNK]": 3}) | change
    wanted = {3} | ({named} - {None} if not isinstance(named, tuple) else set(named))
    assert tokens_to_keep(content, np.zeros(4), None, 1) == sorted(wanted)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"sep": ["two", 2], "cls": ["one", 1], "trim": True}, {"sep": ["two", 1], "cls": ["one", 0], "trim": True}),
        ({"special_tokens": {"two": {"ids": [2, 1]}}}, {"special_tokens": {"two": {"ids": [1, 0]}}}),
        ({"processors": [{"ids": [1]}, ["two", 2], "kept", 7]}, {"processors": [{"ids": [0]}, ["two", 1], "kept", 7]}),
        (None, None),
    ],
)
def test_a_post_processor_names_the_tokens_by_their_new_numbers(before, after):
    content = _content(vocab={"zero": 0, "one": 1, "two": 2}) | {"post_processor": before, "padding": {"pad_id": 2}}
    content["added_tokens"] = [{"id": 1, "content": "one"}]
    found = prune_tokenizer(content, [1, 2])
    assert found["post_processor"] == after
    assert found["padding"] == {"pad_id": 1}
    assert found["added_tokens"] == [{"id": 0, "content": "one"}]
    assert found["model"]["vocab"] == {"one": 0, "two": 1}


def test_an_unknown_token_that_is_a_number_stays():
    content = _content(type="Unigram", vocab=[["one", -1.0], ["[UNK]", -2.0], ["two", -3.0]], unk_id=1)
    assert tokens_to_keep(content, np.zeros(3), None, 1) == [1]
    pruned = prune_tokenizer(content, [1, 2])["model"]
    assert (pruned["vocab"], pruned["unk_id"]) == ([["[UNK]", -2.0], ["two", -3.0]], 0)
    content["model"]["unk_id"] = None
    assert prune_tokenizer(content, [1, 2])["model"]["unk_id"] is None


def test_a_token_that_does_not_fit_with_its_parts_makes_room_for_rarer_ones():
    vocabulary = {text: number for number, text in enumerate(["a", "b", "c", "ab", "abc", "cc"])}
    content = _content(type="BPE", vocab=vocabulary, merges=["a b", "ab c", "c c"])
    counts = np.array([0, 0, 0, 1, 9, 3])
    assert tokens_to_keep(content, counts, 4, 1) == [0, 1, 2, 5]  # 'abc' needs 'ab' as well
    assert tokens_to_keep(content, counts, 5, 1) == [0, 1, 2, 3, 4]
    assert tokens_to_keep(content, counts, 6, 4) == [0, 1, 2, 3, 4]
    assert tokens_to_keep(content, counts, 3, 1) == [0, 1, 2]


def test_a_size_that_would_drop_special_tokens_is_refused():
    with pytest.raises(ConstrictorError, match=r"a vocabulary of 9 tokens would drop special tokens .* Set 'size'"):
        _cut("WordPiece", CORPUS, 9)


def test_an_unknown_kind_is_refused():
    content = {"model": {"type": "Magic", "vocab": {}}, "added_tokens": []}
    with pytest.raises(ConstrictorError, match="a vocabulary of the kind Magic cannot be pruned"):
        tokens_to_keep(content, np.zeros(3), None, 1)


def _prune(parent, task, folder, files=None, **settings):
    step = Vocabulary(stage="prune", method="vocabulary", **settings)
    return prune(step, parent, files or [task / "train.parquet"], None, task_in(task), Node(folder, "words", seed=1))


def test_logits_stay_on_texts_whose_tokens_stayed(tiny_teacher, tiny_task, tmp_path):
    manifest = _prune(tiny_teacher, tiny_task, tmp_path, min_count=1)
    texts = read_examples(tiny_task / "train.parquet").texts
    before, after = load(tiny_teacher), load(tmp_path / "model")
    np.testing.assert_allclose(logits_of(after, texts), logits_of(before, texts), atol=1e-6)
    details = manifest.details["pruned"]
    assert details["tokens"] < details["of_tokens"]
    assert details["share_of_text_covered"] == 1.0
    saved = 32 * (details["of_tokens"] - details["tokens"])
    assert before.manifest.parameters - manifest.parameters == saved


def test_the_artifact_opens_without_us(tiny_teacher, tiny_task, tmp_path):
    _prune(tiny_teacher, tiny_task, tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    text = read_examples(tiny_task / "test.parquet").texts[0]
    with torch.inference_mode():
        theirs = model(**tokenizer(text, return_tensors="pt")).logits.numpy()
    np.testing.assert_allclose(logits_of(load(tmp_path / "model"), [text]), theirs, atol=1e-5)


def test_rare_tokens_are_dropped_and_their_words_split_into_pieces(tiny_teacher, tiny_task, tmp_path):
    few = tmp_path / "few.parquet"
    write_examples(few, unlabelled(["a", "b"], ["the film was great", "the film was dreadful"]))
    manifest = _prune(tiny_teacher, tiny_task, tmp_path, [few], min_count=2)
    content = tokenizers.Tokenizer.from_file(str(tmp_path / "model" / "tokenizer.json"))
    assert content.encode("great film").tokens[1:-1] != ["great", "film"]
    assert "film" in content.encode("great film").tokens
    assert manifest.details["pruned"]["share_of_text_covered"] < 1
    assert load_classifier(tmp_path / "model", ["bad", "good"], 32).config.vocab_size == content.get_vocab_size()


def test_padding_and_special_ids_of_the_configuration_follow(tiny_teacher):
    model = load_classifier(tiny_teacher, ["bad", "good"], 32)
    model.config.pad_token_id, model.config.sep_token_id = 0, 3
    content = (tiny_teacher / "tokenizer.json").read_text()
    sample = sample_of([np.array([2, 20, 3])], np.array([0]), 0, content)
    pruned = prune_vocabulary(model, Vocabulary(stage="prune", method="vocabulary"), sample)
    small = json.loads(pruned.tokenizer)["model"]["vocab"]
    assert (model.config.pad_token_id, model.config.sep_token_id) == (small["[PAD]"], small["[SEP]"])
    assert model.get_input_embeddings().num_embeddings == model.config.vocab_size == len(small)


def test_tokens_that_only_the_configuration_names_stay_and_the_share_of_the_text_is_recorded(tiny_teacher):
    model = load_classifier(tiny_teacher, ["bad", "good"], 32)
    content = (tiny_teacher / "tokenizer.json").read_text()
    whole = json.loads(content)["model"]["vocab"]
    model.config.mask_token_id = whole["superb"]
    texts = [np.array([2, whole["film"], whole["film"], whole["plot"], 3])]
    settings = Vocabulary(stage="prune", method="vocabulary", min_count=2)
    pruned = prune_vocabulary(model, settings, sample_of(texts, np.array([0]), 0, content))
    small = json.loads(pruned.tokenizer)["model"]["vocab"]
    assert {"superb", "film"} <= set(small)
    assert not {"plot", "lovely"} & set(small)
    assert model.config.mask_token_id == small["superb"]
    assert pruned.details()["share_of_text_covered"] == 0.8
