import numpy as np
import pytest

from constrictor.data.corpus import prepare_corpus
from constrictor.data.examples import UNLABELLED, Examples, read_examples, write_examples
from constrictor.errors import ConstrictorError
from constrictor.study.corpora import Corpus


def _corpus(tmp_path, documents: list[str], **settings):
    file = tmp_path / "corpus.tsv"
    file.write_text("text\n" + "".join(f"{document}\n" for document in documents), encoding="utf-8")
    manifest = prepare_corpus(Corpus.model_validate({"source": {"path": str(file)}, **settings}), tmp_path / "corpus")
    return manifest, read_examples(tmp_path / "corpus" / "texts.parquet")


def _pool(count: int) -> Examples:
    ids = [f"id{number}" for number in range(count)]
    return Examples(ids, [f"word{number} and some more" for number in range(count)], np.arange(count) % 3)


def test_documents_without_sentences_stay_whole_and_repeated_ones_go(tmp_path):
    manifest, examples = _corpus(tmp_path, ["One. Two.", "one.  two.", "Three."])
    assert examples.texts == ["One. Two.", "Three."]
    assert examples.ids == ["0", "2"]
    assert examples.labels.tolist() == [UNLABELLED] * 2
    assert (manifest.rows, manifest.dropped) == (2, {"repeated": 1})


def test_documents_are_split_into_sentences_of_the_allowed_length(tmp_path):
    documents = ["A fine film. No.<br />See it now please!", "see it NOW please! And one more of them."]
    manifest, examples = _corpus(tmp_path, documents, sentences={"words": [3, 9]})
    assert dict(zip(examples.ids, examples.texts, strict=True)) == {
        "0.0": "A fine film.", "0.1": "See it now please!", "1.1": "And one more of them.",
    }  # fmt: skip
    assert manifest.dropped == {"repeated": 1}


def test_corpus_without_any_text_left(tmp_path):
    with pytest.raises(ConstrictorError, match=r"no text is left of 2 documents\. Widen 'sentences\.words'"):
        _corpus(tmp_path, ["A.", "B."], sentences={"words": [5, 9]})


def test_same_corpus_same_fingerprint(tmp_path):
    assert _corpus(tmp_path, ["a", "b"])[0] == _corpus(tmp_path, ["a", "b"])[0]
    assert _corpus(tmp_path, ["a", "b"])[0] != _corpus(tmp_path, ["a", "c"])[0]


def test_examples_come_back_from_disk(tmp_path):
    examples = Examples(["a", "b"], ["", "\u0986\u09ae\u09bf \U0001f600\n"], np.array([1, UNLABELLED]))
    write_examples(tmp_path / "deep" / "x.parquet", examples)
    found = read_examples(tmp_path / "deep" / "x.parquet")
    assert (found.ids, found.texts, found.labels.tolist()) == (examples.ids, examples.texts, [1, UNLABELLED])
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["x.parquet"]


@pytest.mark.parametrize("content", [b"", b"no parquet", None])
def test_damaged_examples_are_named(tmp_path, content):
    file = tmp_path / "x.parquet"
    if content is None:
        write_examples(file, _pool(60))
        content = file.read_bytes()[:-20]
    file.write_bytes(content)
    with pytest.raises(ConstrictorError, match=r"x\.parquet cannot be read.*Delete it and run snakemake again"):
        read_examples(file)


def test_sentences_are_normalised_after_they_are_split(tmp_path):
    documents = ["One ﬁne\u00a0day.<br />Two  days on.", "one fine day.", "@ann says no.", "@bob says no."]
    wishes = {"unicode": "NFKC", "whitespace": True, "tweets": True}
    manifest, examples = _corpus(tmp_path, documents, sentences={"words": [2, 9]}, normalise=wishes)
    assert examples.texts == ["One fine day.", "Two days on.", "@user says no."]
    assert (manifest.normalised, manifest.dropped) == (3, {"repeated": 2})
