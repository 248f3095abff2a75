"""Query text, read back by a small parser of Rally's grammar that knows nothing of its maker."""

import re
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rally_mcp.errors import InvalidInput
from rally_mcp.rally.query import (
    Comparison,
    all_of,
    any_of,
    at_least,
    at_most,
    contains,
    equals,
    less_than,
    more_than,
    not_contains,
    not_equals,
    one_of,
)

TERM = re.compile(
    r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*) (=|!=|<=|<|>=|>|contains|!contains) "
    r'(?:(null)|"((?:[^"\\]|\\["\\])*)")'
)


def parsed(text):
    """The tree of a query: (field, operator, value) or (left, word, right)."""
    tree, rest = parsed_group(text)
    assert rest == ""
    return tree


def parsed_group(text):
    assert text.startswith("(")
    if text.startswith("(("):
        left, rest = parsed_group(text[1:])
        word = re.match(r" (AND|OR) ", rest)
        assert word
        right, rest = parsed_group(rest[word.end() :])
        tree = (left, word[1], right)
    else:
        term = TERM.match(text, 1)
        assert term
        value = None if term[3] else re.sub(r"\\(.)", r"\1", term[4])
        tree, rest = (term[1], term[2], value), text[term.end() :]
    assert rest.startswith(")")
    return tree, rest[1:]


def folded(word, trees):
    """What n terms are in a grammar of pairs: ((a word b) word c)."""
    first, *others = trees
    for other in others:
        first = (first, word, other)
    return first


FIELDS = st.from_regex(
    r"[A-Za-z_][A-Za-z0-9_]{0,8}(\.[A-Za-z_][A-Za-z0-9_]{0,8}){0,2}", fullmatch=True
)
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from('"\\() =')) | (
    st.sampled_from(['") OR (Name != "', '\\") OR (Name != \\"', "null", "\\", '"', "", "today-7"])
)


def with_tree(operator, build):
    return st.builds(
        lambda field, text: (build(field, text), (field, operator, text)), FIELDS, TEXTS
    )


COMPARISONS = st.one_of(
    with_tree("=", equals),
    with_tree("!=", not_equals),
    with_tree("contains", contains),
    with_tree("!contains", not_contains),
    with_tree(">=", at_least),
    with_tree("<=", at_most),
    with_tree(">", more_than),
    with_tree("<", less_than),
    st.builds(lambda field: (equals(field, None), (field, "=", None)), FIELDS),
)


def combined(children):
    return st.builds(
        lambda choice, pairs: (
            choice[1](*(expression for expression, _ in pairs)),
            folded(choice[0], [tree for _, tree in pairs]),
        ),
        st.sampled_from([("AND", all_of), ("OR", any_of)]),
        st.lists(children, min_size=1, max_size=4),
    )


@settings(deadline=None)
@given(st.recursive(COMPARISONS, combined, max_leaves=12))
def test_whatever_the_values_rally_reads_the_tree_that_was_built(pair):
    expression, tree = pair

    assert tree == parsed(expression.text)
    assert expression.text == str(expression)


def test_two_terms_are_one_pair():
    query = all_of(equals("A", "x"), equals("B", "y"))

    assert str(query) == '((A = "x") AND (B = "y"))'


def test_three_terms_nest_in_pairs():
    query = any_of(equals("A", 1), contains("B.C", "y"), equals("c_D", None))

    assert str(query) == '(((A = "1") OR (B.C contains "y")) OR (c_D = null))'


def test_one_term_alone_stays_itself():
    assert all_of(equals("A", "x")) == any_of(equals("A", "x")) == equals("A", "x")


def test_a_quote_and_a_backslash_are_escaped():
    assert str(equals("Name", 'a"b\\')) == r'(Name = "a\"b\\")'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (0.5, "0.5"),
        (date(2026, 3, 1), "2026-03-01"),
        (datetime(2026, 3, 1, 12, 30, tzinfo=UTC), "2026-03-01T12:30:00.000Z"),
        (datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=2))), "2026-02-28T23:00:00.000Z"),
    ],
)
def test_values_that_are_no_text_are_written_as_rally_writes_them(value, text):
    assert str(equals("A", value)) == f'(A = "{text}")'


def test_one_of_several_values_is_a_choice_of_equals():
    assert str(one_of("A", ["x", None])) == '((A = "x") OR (A = null))'


def test_hundreds_of_values_are_no_deeper_for_the_maker():
    assert str(one_of("ObjectID", range(2_000))).count(" OR ") == 1_999


def test_one_of_no_values_is_refused():
    with pytest.raises(InvalidInput):
        one_of("A", [])


@pytest.mark.parametrize(
    "value",
    [
        "a\nb",
        "a\tb",
        "\x00",
        "\x7f",
        "\x85",
        "\ud800",
        float("nan"),
        float("inf"),
        datetime.fromisoformat("2026-03-01T12:00:00"),
    ],
)
def test_a_value_that_rally_could_not_read_is_refused(value):
    with pytest.raises(InvalidInput):
        equals("Name", value)


@pytest.mark.parametrize(
    "field",
    [
        "",
        ".",
        "A.",
        ".A",
        "A..B",
        "A B",
        "A = 1) OR (B",
        "1A",
        "A-B",
        "A\n",
        "Ä",
        "A.1",
        '"A"',
        "(",
    ],
)
def test_a_field_that_is_not_a_dotted_name_is_refused(field):
    with pytest.raises(InvalidInput):
        Comparison(field, "=", "x")
