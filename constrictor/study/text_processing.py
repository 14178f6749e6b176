"""How the texts of a task or corpus are read: normalised before anything else, and cut where a model takes no more."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from constrictor.study.settings import Settings

Truncation = Literal["head", "tail", "head_tail"]


class Normalise(Settings):
    """One spelling for what means the same, applied in the order of these keys; nothing is changed by default.

    A model is to be given texts that went the same way when it serves.
    """

    bengali: bool = Field(
        False,
        description="As BanglaBERT's authors do it (Hasan et al. 2020): repairs the encoding, then one code for each "
        "letter, quotation mark and digit sign, then NFKC. Needs the extra `bengali`.",
    )
    unicode: Literal["NFC", "NFKC"] | None = Field(
        None, description="Unicode's normal form. NFKC also makes ligatures, wide letters and superscripts plain."
    )
    tweets: bool = Field(
        False,
        description="Mentions become `@user` and links `http`, as in TweetEval (Barbieri et al. 2020).",
    )
    whitespace: bool = Field(
        False, description="Runs of white space, line ends too, become one space; none stays around the text."
    )
