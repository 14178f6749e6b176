"""Prepare a corpus: read documents, split them into sentences if requested, drop duplicates, write them."""

from __future__ import annotations

from pathlib import Path

from constrictor.data.batching import Text
from constrictor.data.duplicates import same_text_key
from constrictor.data.examples import fingerprint, unlabelled, write_examples
from constrictor.data.normalise import normaliser
from constrictor.data.sources import read_source
from constrictor.data.text import sentences_of
from constrictor.errors import ConstrictorError
from constrictor.files.writing import write_text
from constrictor.study.corpora import Corpus
from constrictor.study.settings import Settings


class CorpusManifest(Settings):
    """What is known of a prepared corpus."""

    rows: int
    dropped: dict[str, int]
    normalised: int = 0
    repaired: int = 0
    fingerprint: str


def prepare_corpus(corpus: Corpus, folder: Path) -> CorpusManifest:
    """Write ``texts.parquet`` and, last, ``manifest.json``.

    Raises:
        ConstrictorError: for everything that a source refuses, and if no text is left.
    """
    frame, repaired = read_source(corpus.source, corpus.filter, [corpus.text], [corpus.text])
    texts: dict[Text, tuple[str, str]] = {}  # key of the text -> id and text; the first of equal texts stays
    repeated = normalised = 0
    normalise = normaliser(corpus.normalise)
    for row, document in zip(frame.index, frame[corpus.text], strict=True):
        if corpus.sentences:
            parts = sentences_of(document, *corpus.sentences.words)
        else:
            parts = iter([document] if document.strip() else [])
        for position, part in enumerate(parts):
            text = normalise(part)  # only now: a line end parts two sentences
            if not text.strip():
                continue
            normalised += text != part
            identity = f"{row}.{position}" if corpus.sentences else row
            repeated += texts.setdefault(same_text_key(text), (identity, text))[0] != identity
    if not texts:
        raise ConstrictorError(f"no text is left of {len(frame)} documents. Widen 'sentences.words' or the filter.")
    ids, kept = zip(*texts.values(), strict=True)
    examples = unlabelled(list(ids), list(kept))
    write_examples(folder / "texts.parquet", examples)
    manifest = CorpusManifest(
        rows=len(kept),
        dropped={"repeated": repeated},
        normalised=normalised,
        repaired=repaired,
        fingerprint=fingerprint(examples),
    )
    write_text(folder / "manifest.json", manifest.model_dump_json(indent=2) + "\n")
    return manifest
