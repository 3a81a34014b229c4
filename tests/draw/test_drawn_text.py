"""Names in any script are drawn legibly, or replaced visibly."""

import pytest

from odapi.draw.drawn_text import drawn_text, is_legible
from odapi.draw.text import has_glyph, text_size


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cat", "cat"),
        ("Größe 日本語", "Größe 日本語"),
        ("e\u0301", "é"),  # Decomposed, as in file names of macOS.
        ("שלום", "םולש"),
        ("שלום 93%", "םולש 93%"),
        ("dog שלום cat", "dog םולש cat"),
        ("שלום 12 עולם", "םלוע 12 םולש"),  # Numbers keep their order.
        ("שלום (א)", "(א) םולש"),
        ("زيتون", "نوتيز"),
        ("שָׁ", "שָׁ"),  # Marks stay behind their letter.
        ("dog 🐶", "dog [dog face]"),
        ("🐶🐱", "[dog face cat face]"),
        ("👩\u200d🚒", "[woman fire engine]"),
        ("👍🏽 ok", "[thumbs up sign] ok"),
        ("❤\ufe0f", "[heavy black heart]"),
        ("🇫🇷", "[FR]"),
        ("a\u200bb\ufeffc\u202ed", "abcd"),
        ("two\nlines\there", "two lines here"),
    ],
)
def test_text_in_visual_order_with_names_of_emoji(text, shown):
    if text.startswith("❤") and has_glyph("❤"):
        shown = "❤"
    assert drawn_text(text, has_glyph) == shown


@pytest.mark.parametrize(
    ("character", "known"),
    [("a", True), ("é", True), ("猫", True), ("ш", True), ("ش", True), ("🐶", False)],
)
def test_characters_of_the_font(character, known):
    assert has_glyph(character) is known


@pytest.mark.parametrize(
    ("name", "legible"),
    [("cat", True), ("🐶", True), ("हिन्दी", False), ("ไทย 7", True)],
)
def test_names_of_which_nothing_can_be_shown(name, legible):
    assert is_legible(name, has_glyph) is legible


def test_the_size_is_that_of_what_is_shown():
    assert text_size("🐶", 20) == text_size("[dog face]", 20)
