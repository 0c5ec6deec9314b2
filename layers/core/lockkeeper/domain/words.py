"""Text from people, as it may be shown: nothing in it moves the text around it, hides, or begins a line of its own."""

from __future__ import annotations

import unicodedata

MARK = "\N{REPLACEMENT CHARACTER}"
"""Stands where something was that nobody would have seen."""
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Control characters, formats (those that turn the direction of a text around among them), halves, and separators of lines."""
JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"
"""Formats that the spelling of Persian and Hindi, and pictures of families, are made of."""


def visible(text: str) -> str:
    """The text with a mark in place of everything that is not seen or moves what is; lines and tabs stay."""
    # So is nearly every text, and that is told of it as a whole, without a look at each character.
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(character if _is_seen(character) else MARK for character in text)


def one_line(text: str) -> str:
    """The same in one line, so that nobody writes a line in somebody else's letter."""
    return visible(" ".join(text.split()))


def _is_seen(character: str) -> bool:
    return character in "\n\t" or character in JOINERS or unicodedata.category(character) not in HIDDEN
