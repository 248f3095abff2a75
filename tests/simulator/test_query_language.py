"""The grammar of queries, which is strictly binary."""

import pytest

from devtools.rally_simulator.errors import WsapiError
from devtools.rally_simulator.query_language import Combination, Comparison, parse_query

A = Comparison(("A",), "=", ("1",))
B = Comparison(("B",), "=", ("2",))
C = Comparison(("C",), "=", ("3",))


def refusal_of(query):
    with pytest.raises(WsapiError) as refused:
        parse_query(query)
    (text,) = refused.value.errors
    return text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("(A = 1)", A),
        ("( A = 1 )", A),
        ("((A = 1) AND (B = 2))", Combination("AND", A, B)),
        ("((A = 1) and (B = 2))", Combination("AND", A, B)),
        ("((A = 1) or (B = 2))", Combination("OR", A, B)),
        ("(((A = 1) AND (B = 2)) OR (C = 3))", Combination("OR", Combination("AND", A, B), C)),
        ("((A = 1) AND ((B = 2) OR (C = 3)))", Combination("AND", A, Combination("OR", B, C))),
    ],
)
def test_conditions_join_in_pairs(query, expected):
    assert parse_query(query) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("Owner.UserName = ann", Comparison(("Owner", "UserName"), "=", ("ann",))),
        ('Name contains "a b"', Comparison(("Name",), "contains", ("a b",))),
        ("Name !contains a", Comparison(("Name",), "!contains", ("a",))),
        ('Severity = ""', Comparison(("Severity",), "=", ("",))),
        ("Parent = null", Comparison(("Parent",), "=", ("null",))),
        ("c_Squad != x", Comparison(("c_Squad",), "!=", ("x",))),
        ("State in Open, Fixed", Comparison(("State",), "in", ("Open", "Fixed"))),
        ('State IN "In Progress",Open', Comparison(("State",), "in", ("In Progress", "Open"))),
        ("CreationDate > today-7", Comparison(("CreationDate",), ">", ("today-7",))),
        ("EndDate < today + 180", Comparison(("EndDate",), "<", ("today + 180",))),
        ("Project = /project/3", Comparison(("Project",), "=", ("/project/3",))),
        (r'Name = "\"a\" \\ \q\l\g"', Comparison(("Name",), "=", ('"a" \\ \'<>',))),
        ('Name = "a) AND (B"', Comparison(("Name",), "=", ("a) AND (B",))),
    ],
)
def test_a_condition_has_field_operator_and_value(condition, expected):
    assert parse_query(f"({condition})") == expected


@pytest.mark.parametrize(
    ("query", "expected", "seen"),
    [
        ("((A = 1) AND (B = 2) AND (C = 3))", ")", "AND"),
        ("(A = 1) AND (B = 2)", ")", "AND"),
        ("A = 1", "(", "A"),
        ("(A = 1", ")", ""),
        ("((A = 1))", "AND", ")"),
        ("((A = 1) XOR (B = 2))", "AND", "XOR"),
        ("(A=1)", "field", "A=1"),
        ("(A ~ 1)", "operator", "~"),
        ("(A !in 1)", "operator", "!in"),
        ("(A between 1)", "operator", "between"),
        ('(A ="1")', "space", '"'),
        ("(A = )", "value", ")"),
        ("(A = In Progress)", ")", "Progress"),
        ('(A = "1)', '"', ""),
        ("", "(", ""),
    ],
)
def test_anything_else_is_refused_in_the_words_of_rally(query, expected, seen):
    assert refusal_of(query) == (
        "Could not parse: Error parsing expression -- "
        f'expected "{expected}" but saw "{seen}" instead.'
    )
