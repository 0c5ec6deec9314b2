"""The pages' colours can be read in light and in dark, and their structure by a screen reader."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FRAME = (Path(__file__).parents[2] / "functions/serve_web/pages/frame.html.j2").read_text(encoding="utf-8")
AA = 4.5
"""The contrast that WCAG 2.2 asks of text at level AA."""
PAIRS = [
    ("ink", "paper"), ("ink", "ground"), ("soft", "paper"), ("soft", "ground"), ("deep", "ground"), ("deep", "paper"), ("bad", "paper"),
    ("good", "goodbg"), ("bad", "badbg"), ("hold", "holdbg"),
]  # fmt: skip


def palettes() -> list[dict[str, str]]:
    """Of `:root`: light, then dark with what it does not say taken from light."""
    blocks = re.findall(r":root\{([^}]*)\}", FRAME)
    light, dark = (dict(re.findall(r"--(\w+):(#\w+)", block)) for block in blocks)
    return [light, {**light, **dark}]


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(one * 2 for one in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("palette", palettes(), ids=["light", "dark"])
def test_every_text_has_the_contrast_of_level_aa(palette: dict[str, str]) -> None:
    weak = {pair: round(contrast(palette[pair[0]], palette[pair[1]]), 2) for pair in PAIRS}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < AA} == {}


def test_the_approve_button_can_be_read() -> None:
    background = re.search(r"button\.approve\{background:(#\w+);color:(#\w+)\}", FRAME)
    assert background
    assert contrast(background[1], background[2]) >= AA


def test_black_on_white_has_the_contrast_that_the_standard_says() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)


def test_a_page_has_landmarks_a_language_and_no_script() -> None:
    for part in ('<html lang="en">', "<header>", "<main>", "<footer>", "<title>"):
        assert FRAME.count(part) == 1, part
    assert "<script" not in FRAME
