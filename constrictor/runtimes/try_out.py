"""Try a new model on a few real examples before it is kept: it must run, and its outputs must be finite numbers.

Every stage that makes a model does so before the model's manifest can be read. The model in memory is used where there is
one; what was written in another format or precision is opened as every later step opens it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from constrictor.data.examples import first_examples
from constrictor.data.tokenization import Tokenizer
from constrictor.errors import ConstrictorError
from constrictor.runtimes.runtime import Runtime
from constrictor.tasks.kind import Features, Kind

EXAMPLES, TOKENS = 16, 512
"""So many examples at most, and of them so many tokens: a tenth of a second for MiniLM on one core."""


def few_features(kind: Kind, tokenizer: Tokenizer, examples: Path) -> Features:
    """The features of the first examples of a file, as many as a try-out computes; two at least, so that one is padded."""
    features = kind.encode(tokenizer, first_examples(examples, EXAMPLES).texts)
    count = int((np.cumsum([len(tokens) for tokens in features.encoded]) <= TOKENS).sum())
    return features._replace(encoded=features.encoded[: max(count, 2)])


def try_out(step: str, open_model: Callable[[], Runtime], examples: Path) -> None:
    """Open a new model and compute its outputs for a few examples.

    Args:
        step: name of the step that made it.
        open_model: opens it, or gives the one in memory.
        examples: Parquet file of examples.

    Raises:
        ConstrictorError: if it cannot be opened or does not run, or an output is missing or not a finite number.
    """
    try:
        runtime = open_model()
        runtime.outputs_of(few_features(runtime.kind, runtime.tokenizer, examples))
    except Exception as error:  # every runtime raises exceptions of its own
        what = str(error) if isinstance(error, ConstrictorError) else f"{type(error).__name__}: {error}"
        raise ConstrictorError(f"'{step}' made a model that cannot be used, and nothing was written. {what}") from error
