"""Which names people may have."""

import pytest

from actors.auth.names import display_name_of, username_of


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("ann", "ann"),
        ("  Ann.Lee-2_ ", "ann.lee-2_"),
        ("\uff21\uff2e\uff2e", "ann"),
        ("a" * 32, "a" * 32),
        ("\u212aELVIN", "kelvin"),
    ],
)
def test_a_username_is_kept_in_one_spelling(written: str, kept: str) -> None:
    assert username_of(written) == (kept, "")


@pytest.mark.parametrize(
    "written", ["", "an", "a" * 33, "ann lee", "\u0430nn", "änn", "ann\u200b", "ann\u202e", "ann/lee", "😀😀😀"]
)
def test_a_username_that_could_be_mistaken_or_misread_is_refused(written: str) -> None:
    assert username_of(written)[1]


@pytest.mark.parametrize("written", ["Ann", "Ann  Lee", "Änn Łęe", "李小龍", "👩‍👩‍👧", "נועה", "x" * 64])
def test_a_display_name_is_anything_that_can_be_seen(written: str) -> None:
    name, wrong = display_name_of(f" {written} ")
    assert (name, wrong) == (" ".join(written.split()), "")


@pytest.mark.parametrize(
    "written",
    [
        "",
        "   ",
        "x" * 65,
        "Ann\u202egnp.exe",
        "Ann\u2066",
        "Ann\u200f",
        "a\u0000b",
        "\u200b",
        "\u200d",
        "\u0301",
        "\ue000",
    ],
)
def test_a_display_name_without_anything_visible_or_with_hidden_marks_is_refused(written: str) -> None:
    assert display_name_of(written)[1]


def test_composed_and_decomposed_names_are_the_same() -> None:
    assert display_name_of("A\u0301") == display_name_of("Á")
