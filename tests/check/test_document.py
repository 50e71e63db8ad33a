"""docs/check.md is what the catalogue and the check give now."""

from __future__ import annotations

import json

import pytest
from check import document, gradcheck
from check.mistakes import CASES as MISTAKES
from check.right import CASES as RIGHT

from koubai.checking import VOCABULARY


def test_the_page_is_up_to_date() -> None:
    """The gallery's code and reports, and the table, are those of the tests."""
    assert document.FILE.read_text(encoding="utf-8") == document.page(), "run `make docs`"


@pytest.mark.parametrize("mistake", VOCABULARY)
def test_the_gallery_shows_what_it_says(mistake: str) -> None:
    """Each name's report has the name, and no other is in it."""
    text = document.section(mistake, document.example(mistake))
    report = text.partition("```text\n")[2]
    words = " ".join(report.split())  # advice goes on in a second line
    assert f"WRONG  {mistake}" in report or VOCABULARY[mistake] in words
    others = VOCABULARY.keys() - {mistake}
    assert not [other for other in others if f"WRONG  {other}\n" in report]
    assert "unexplained" not in report


def test_everything_was_measured() -> None:
    """The comparison is of the whole catalogue: `python -m check.gradcheck` after every change."""
    measured = json.loads(gradcheck.FILE.read_text(encoding="utf-8"))["cases"]
    assert list(measured) == [case.name for case in MISTAKES + RIGHT]


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("expected -1.64954", "-1.65"),
        ("found 1.23457e-10", "1.23e-10"),
        ("is 1e-07 to", "1e-07"),
        ("found nan at [0, 12]", "[0, 12]"),
        ("masks.py:123, node 1 of 12", "masks.py:123, node 1 of 12"),
        ("float32[3] v1.2.3", "v1.2.3"),
    ],
)
def test_rounding(text: str, short: str) -> None:
    """Numbers with a point are rounded; places, counts and indices stay as they are."""
    assert short in document.rounded(text)
