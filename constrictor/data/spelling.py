"""When two values of a table that are written differently are the same value.

Some differences come from the programs that wrote the table and never mean anything: white space, the Unicode form, the
point of a whole number in a column that had gaps (``1`` and ``1.0``). Others most likely mean nothing, but may: case,
compatibility forms, the way a number is written (``1.1`` and ``1.10`` are one number and two versions of a program).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Hashable
from decimal import Decimal, InvalidOperation

_WHOLE_WITH_POINT = re.compile(r"(-?\d+)\.0+")


def plain(text: str) -> str:
    """The spelling without what never means anything; values with the same one are the same.

    >>> [plain(text) for text in (" science \\u00a0 fiction", "e\\u0301", "1.0", "1.10", "01")]
    ['science fiction', 'é', '1', '1.10', '01']
    """
    text = " ".join(unicodedata.normalize("NFC", text).split())
    whole = _WHOLE_WITH_POINT.fullmatch(text)
    return whole[1] if whole else text


def likeness(text: str) -> Hashable:
    """What the spellings have in common that are most likely of one value: case, invisible characters, numbers, ... aside.

    >>> likeness("Ｐｏｓ") == likeness("pos\\u200b"), likeness("1.10") == likeness("01,1") == likeness("১.১")
    (True, True)
    >>> likeness("v1.1") == likeness("v1.10")
    False
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    visible = " ".join("".join(mark for mark in folded if unicodedata.category(mark) != "Cf").split())
    number = number_in(visible)
    return visible if number is None else number


def number_in(text: str) -> Decimal | None:
    """The number that a text is, in any script's digits, with a decimal point or comma; None if it is something else.

    >>> [number_in(text) for text in ("12", "-0,5", "1e3", "২৪", "nan", "5 stars", "1_0", "")]
    [Decimal('12'), Decimal('-0.5'), Decimal('1E+3'), Decimal('24'), None, None, None, None]
    """
    if "_" in text or not any(character.isdigit() for character in text):
        return None
    try:
        number = Decimal(text.replace(",", ".", 1))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
