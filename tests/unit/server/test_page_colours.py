"""Contrast of the pages' colours, light and dark (WCAG 2.2, success criteria 1.4.3 and 1.4.11)."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from jupyter_valet.server.pages.headers import style

_TEXT, _EDGE = 4.5, 3.0


def palettes() -> list[dict[str, str]]:
    """Return the custom properties of the light and of the dark `:root` rule."""
    rules = re.findall(r":root \{(.*?)\}", style(), re.DOTALL)
    return [dict(re.findall(r"--([a-z-]+): #([0-9a-f]{3,6});", rule)) for rule in rules]


def luminance(colour: str) -> float:
    """Return the relative luminance of a hexadecimal colour (WCAG 2.2, definition)."""
    digits = colour if len(colour) == 6 else "".join(digit * 2 for digit in colour)
    shares = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(palette: Mapping[str, str], one: str, other: str) -> float:
    """Return the contrast ratio of two colours of a palette."""
    dark, light = sorted(luminance(palette[name]) for name in (one, other))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", palettes(), ids=["light", "dark"])
@pytest.mark.parametrize(
    ("one", "other", "least"),
    [
        ("ink", "paper", _TEXT),
        ("ink", "ground", _TEXT),
        ("quiet", "paper", _TEXT),
        ("bad", "paper", _TEXT),
        ("accent", "paper", _TEXT),
        ("on-accent", "accent", _TEXT),
        ("edge", "paper", _EDGE),
        ("edge", "ground", _EDGE),
    ],
)
def test_colours_can_be_told_apart(
    palette: dict[str, str], one: str, other: str, least: float
) -> None:
    assert contrast(palette, one, other) >= least


def test_there_is_a_light_and_a_dark_palette() -> None:
    light, dark = palettes()
    assert light.keys() == dark.keys()
