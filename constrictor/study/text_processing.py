"""Settings of text normalization and truncation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from constrictor.study.settings import Settings

Truncation = Literal["head", "tail", "head_tail"]


class Normalise(Settings):
    """Text normalization, in the order of these keys. By default texts are not changed.

    Inputs of a deployed model must be normalized in the same way.
    """

    bengali: bool = Field(
        False,
        description="Normalizer of BanglaBERT (Hasan et al., 2020): repairs the encoding; unifies letters, quotation marks and "
        "digit signs; then applies NFKC. Requires the extra `bengali`.",
    )
    unicode: Literal["NFC", "NFKC"] | None = Field(
        None,
        description="Unicode normalization form. NFKC also replaces ligatures, full-width letters and superscripts.",
    )
    tweets: bool = Field(
        False, description="Replace mentions by `@user` and links by `http`, as in TweetEval (Barbieri et al., 2020)."
    )
    whitespace: bool = Field(
        False, description="Collapse whitespace, including line breaks, and strip it at both ends."
    )
