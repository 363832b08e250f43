from __future__ import annotations

import re
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.access.patterns import ANY, ONE, Pattern, compile_pattern, split_tokens, tokens_of

TEXTS = st.text(alphabet="ab:", max_size=8)
PATTERNS = st.text(alphabet="ab:*?", max_size=8)


# Characters that sort before, between and behind the two wildcards; every short pattern and text of these.
LETTERS = "!:a"
SHORT_PATTERNS = ["".join(letters) for size in range(4) for letters in product(LETTERS + "*?", repeat=size)]
SHORT_TEXTS = ["".join(letters) for size in range(7) for letters in product(LETTERS, repeat=size)]


def naive(pattern: str, text: str) -> bool:
    """The definition, without regard to cost."""
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def texts_of(pattern: Pattern) -> st.SearchStrategy[str]:
    def text_of(token: str) -> st.SearchStrategy[str]:
        if token == ANY:
            return st.text(alphabet="abc:", max_size=3)
        return st.sampled_from("abc:") if token == ONE else st.just(token)

    return st.tuples(*(text_of(token) for token in pattern.tokens)).map("".join)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("kms:*", "kms:decrypt", True),
        ("kms:?ncrypt", "kms:encrypt", True),
        ("kms:?ncrypt", "kms:decrypt", False),
        ("kms:ReEncrypt*", "kms:ReEncryptFrom", True),
        ("kms:ReEncrypt*", "kms:reencryptfrom", False),
        ("*key/*", "arn:aws:kms:us-east-1:1:key/", True),
        ("a.c", "abc", False),
        ("*", "", True),
        ("?", "", False),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "a-c-b", False),
        ("line*", "line\nbreak", True),
    ],
)
def test_wildcards_stand_for_what_the_policy_language_says(pattern: str, text: str, *, expected: bool) -> None:
    assert compile_pattern(pattern).matches(text) is expected


def test_every_short_pattern_means_the_texts_that_the_definition_says_and_is_compared_by_them() -> None:
    meanings = {}
    for pattern in SHORT_PATTERNS:
        compiled = compile_pattern(pattern)
        meanings[compiled] = frozenset(text for text in SHORT_TEXTS if compiled.matches(text))
        assert meanings[compiled] == {text for text in SHORT_TEXTS if naive(pattern, text)}
        assert compiled.everything is (len(meanings[compiled]) == len(SHORT_TEXTS))
    assert len(set(meanings.values())) == len(meanings), "one spelling for one meaning"
    for (one, of_one), (other, of_other) in product(meanings.items(), repeat=2):
        assert one.overlaps(other) is not of_one.isdisjoint(of_other), (one, other)
        # What a star of the form stands for together with the text behind it is not seen to fill a `?*`.
        missed = (ONE, ANY) in pairwise(one.tokens) and ANY in other.tokens[:-1]
        assert one.covers(other) is (of_one >= of_other) or (missed and not one.covers(other)), (one, other)


@given(PATTERNS, TEXTS)
def test_matching_agrees_with_the_definition(pattern: str, text: str) -> None:
    assert compile_pattern(pattern).matches(text) is naive(pattern, text)


@given(st.data(), PATTERNS, PATTERNS)
def test_a_pattern_covers_a_form_only_if_every_text_of_the_form_matches(
    data: st.DataObject, pattern: str, form: str
) -> None:
    one, other = compile_pattern(pattern), compile_pattern(form)
    text = data.draw(texts_of(other))
    if one.covers(other):
        assert one.matches(text)
        assert one.overlaps(other)
    assert one.covers(one)


@given(st.data(), PATTERNS, PATTERNS)
def test_patterns_that_share_a_text_overlap(data: st.DataObject, pattern: str, form: str) -> None:
    one, other = compile_pattern(pattern), compile_pattern(form)
    assert one.overlaps(other) is other.overlaps(one)
    if one.matches(data.draw(texts_of(other))):
        assert one.overlaps(other)


@pytest.mark.parametrize(
    ("one", "other", "covers", "overlaps"),
    [
        ("arn:aws:iam::1:*", "arn:aws:iam::1:role/*", True, True),
        ("arn:aws:iam::1:role/Admin", "arn:aws:iam::1:role/*", False, True),
        ("arn:aws:iam::2:*", "arn:aws:iam::1:role/*", False, False),
        ("*Admin", "*Admin", True, True),
        ("a*", "*b", False, True),
        ("a?", "?b", False, True),
        ("a?", "b?", False, False),
        ("?", "*", False, True),
        ("a", "b", False, False),
    ],
)
def test_forms_are_compared_as_sets_of_texts(one: str, other: str, *, covers: bool, overlaps: bool) -> None:
    assert compile_pattern(one).covers(compile_pattern(other)) is covers
    assert compile_pattern(one).overlaps(compile_pattern(other)) is overlaps


def test_runs_of_wildcards_have_one_spelling() -> None:
    assert compile_pattern("a**?*b") == compile_pattern("a?*b")
    assert compile_pattern("a").literal == "a"
    assert compile_pattern("**").everything
    assert not compile_pattern("?").everything


def test_tokens_split_like_text() -> None:
    assert split_tokens(tokens_of("a:*:b:c"), ":", 2) == (("a",), (ANY,), ("b", ":", "c"))
    assert tokens_of("*?", wildcards=False) == ("*", "?")


@pytest.mark.timeout(60)  # a backtracking matcher would not end
def test_a_pattern_of_many_stars_does_not_run_for_ever() -> None:
    assert not compile_pattern("*a" * 2_000 + "b").matches("a" * 20_000)


@pytest.mark.timeout(60)
def test_patterns_too_long_to_compare_leave_it_open() -> None:
    one, other = compile_pattern("a" * 50_000 + "*"), compile_pattern("*" + "b" * 50_000)
    assert not one.covers(other)
    assert one.overlaps(other)


@pytest.mark.timeout(60)
def test_a_pattern_too_long_to_compare_is_held_against_a_text() -> None:
    pattern, text = compile_pattern("a" * 50_000 + "*"), compile_pattern("a" * 50_000)
    assert pattern.covers(text)
    assert not text.covers(pattern)
    assert pattern.overlaps(text)
    assert not pattern.overlaps(compile_pattern("a" * 40_000 + "b" * 10_000))
    assert not compile_pattern("a" * 40_000 + "b" * 10_000).overlaps(pattern)
