"""The colours can be read and told apart, and no page carries code inside its markup."""

import re
import zlib
from itertools import combinations
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHEET = (ROOT / "static" / "css" / "plumbline.css").read_text()
SCRIPTS = sorted((ROOT / "static" / "js").glob("*.js"))
# Mails have no content security policy and need inline styles.
PAGES = sorted(
    p
    for p in (ROOT / "templates").rglob("*.html")
    if "mail" not in str(p.relative_to(ROOT)) and not p.name.endswith("_sheet.html")
)
STATUSES = ("ok", "watch", "breach", "few")
Rgb = tuple[float, float, float]


def tokens(opening: str) -> dict[str, str]:
    start = SHEET.index(opening) + len(opening)
    return dict(re.findall(r"--([\w-]+):(#[0-9A-Fa-f]{6})\b", SHEET[start : SHEET.index("}", start)]))


LIGHT = tokens(":root{")
DARK = LIGHT | tokens(":root[data-theme=dark]{")
THEMES = {"light": LIGHT, "dark": DARK}
BACKGROUNDS = ("page", "card", "raised", "sunk")


def linear(colour: str) -> Rgb:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return red, green, blue


def contrast(one: str, other: str) -> float:
    lights = sorted(0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (linear(one), linear(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


# Machado, Oliveira, Fernandes 2009, full severity, on linear light
VISIONS = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def oklab(colour: Rgb) -> Rgb:
    r, g, b = (min(1.0, max(0.0, c)) for c in colour)
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    middle = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


def seen(colour: str, vision: str) -> Rgb:
    channels = linear(colour)
    red, green, blue = (sum(w * c for w, c in zip(row, channels, strict=True)) for row in VISIONS[vision])
    return oklab((red, green, blue))


@pytest.mark.parametrize("theme", THEMES)
def test_text_can_be_read_on_every_background(theme):
    colours = THEMES[theme]
    pairs = [(ink, ground) for ink in ("text", "muted", "link", "link-2", "breach-t") for ground in BACKGROUNDS]
    pairs += [(f"{status}-t", f"{status}-f") for status in STATUSES]
    pairs += [("text", f"{status}-f") for status in STATUSES] + [
        ("muted", "few-f"),
        ("link-2", "grid"),
        ("text", "grid"),
    ]
    pairs += [("on-link", "link"), ("on-link", "link-2")] + [(f"h{i}-t", f"h{i}") for i in range(1, 8)]
    low = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("theme", THEMES)
def test_marks_borders_and_focus_stand_out(theme):
    colours = THEMES[theme]
    pairs = [(ink, ground) for ink in ("control", "focus") for ground in BACKGROUNDS]
    pairs += [(ink, "card") for ink in ("ok-m", "breach-m", "few-m", "watch-e", "s1", "s2", "s3", "s4", "s5")]
    low = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 3} == {}


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("theme", THEMES)
def test_status_marks_differ_for_every_kind_of_sight(theme, vision):
    for one, other in combinations(("ok-m", "watch-m", "breach-m"), 2):
        a, b = seen(THEMES[theme][one], vision), seen(THEMES[theme][other], vision)
        distance = 100 * sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5
        assert distance >= 12, (one, other, round(distance, 1))


def test_the_dark_theme_is_the_same_by_choice_and_by_system():
    by_system = SHEET[SHEET.index(":root:not([data-theme=light]){") :]
    by_choice = SHEET[SHEET.index(":root[data-theme=dark]{") :]
    body = [part[part.index("{") + 1 : part.index("}")].split() for part in (by_system, by_choice)]
    assert body[0] == body[1]


def test_every_colour_in_a_rule_is_a_token():
    rules = SHEET[SHEET.index("/* page */") : SHEET.index("@media print")]
    strays = [line for line in rules.splitlines() if re.search(r":#[0-9a-fA-F]{3,8}\b", line)]
    assert all(".qr{" in line for line in strays), strays  # a code for cameras stays black on white


FORBIDDEN = {
    "style attribute": r"\sstyle\s*=",
    "style element": r"<style\b",
    "inline handler": r"\son[a-z]+\s*=\s*[\"']",
    "hx-on": r"\bhx-on\b",
    "javascript: address": r"javascript:",
    "external origin": r"(?:src|href|action)\s*=\s*[\"']?(?:https?:)?//",
    "script without src": r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_code_inside_the_pages(what):
    found = [str(p.relative_to(ROOT)) for p in PAGES if re.search(FORBIDDEN[what], p.read_text(), re.IGNORECASE)]
    assert found == []


def test_style_sheet_and_scripts_are_ours_and_small():
    assert not re.search(r"url\(|@import", SHEET)
    assert len(zlib.compress(SHEET.encode(), 9)) <= 9_500
    sources = "".join(p.read_text() for p in SCRIPTS)
    assert not re.search(r"https?://|\beval\(|new Function", sources)
    assert len(zlib.compress(sources.encode(), 9)) <= 8_000
