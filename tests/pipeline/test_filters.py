"""The language of filters: every row of its table, refusals that show the place, hostile texts."""

import re

import numpy as np
import pytest

from pipeline.filters import (
    All,
    AnyOf,
    Column,
    Columns,
    Condition,
    FilterError,
    Not,
    columns_of,
    filter_from_dict,
    filter_to_dict,
    parse_filter,
    write_pattern,
)
from pipeline.filters.patterns import PatternError
from tests.filter_reference import TEXTS, fulfils, random_filter, written

COLUMNS = Columns(
    [
        Column("tag.region", "text"),
        Column("comments", "text"),
        Column("snr", "number"),
        Column("accepted", "flag"),
        Column("session_date", "date"),
        Column("stimulus.odour", "list"),
        Column("tag.cell type", "text"),
        Column("tag.dose", "text"),
        Column("custom.dose", "number"),
    ]
)
KINDS = {name: column.kind for name, column in COLUMNS.by_name.items()}


def chosen(text, name, values):
    """Return which of the values of a column a filter chooses."""
    tree = parse_filter(text, COLUMNS)
    return [value for value in values if fulfils(tree, KINDS, {name: value})]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mn|palp|pr", ["pr", "palp"]),
        ("$STR=:pr", ["pr"]),
        ("$NOT:p", ["aten"]),
        ("$STR:pa|x", ["palp"]),
        ("$STR!=:pr|aten", ["palp"]),
        ("p.", []),  # a dot is a dot
        ("P", []),
        ("$ANYCASE:P", ["pr", "palp"]),
        ("$ANYCASE=:PR", ["pr"]),
        ("$RE:^p.$|n$", ["aten", "pr"]),
        ("$NOTRE:^p", ["aten"]),
        ("$not:p", ["aten"]),
    ],
)
def test_a_text_is_filtered_by_every_modifier(line, expected):
    assert chosen(f"region: {line}", "tag.region", ["aten", "pr", "palp"]) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("$>=:60", [60, 72]),
        ("$>:60", [72]),
        ("$<:60", [48]),
        ("$<=:60", [48, 60]),
        ("48|72", [48, 72]),
        ("$NOT:48|72", [60]),
        ("50..72", [60, 72]),
        ("48|7e1..72.5", [48, 72]),
    ],
)
def test_a_number_is_filtered_by_every_modifier(line, expected):
    assert chosen(f"snr: {line}", "snr", [48, 60, 72]) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("an|rr", [0, 1]),
        ("$NOT:an", [1, 2]),
        ("$STR:an", [0]),
        ("$STR=:apple", [0]),
        ("$STR!=:apple", [1, 2]),
        ("$RE:^b", [0]),
    ],
)
def test_a_list_is_filtered_by_every_modifier(line, expected):
    lists = [["banana", "apple"], ["cherry"], []]
    assert chosen(f"odour: {line}", "stimulus.odour", lists) == [lists[i] for i in expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("accepted", [True]),
        ("not accepted", [False, None]),
        ("accepted: false", [False]),
        ("accepted = NO", [False]),
        ("accepted: $NOT:true", [False, None]),
        ("accepted is missing", [None]),
        ("accepted is not missing", [True, False]),
    ],
)
def test_yes_and_no_are_filtered(text, expected):
    assert chosen(text, "accepted", [True, False, None]) == expected


def test_a_missing_value_fulfils_no_condition_and_every_negation():
    assert chosen("snr > 5", "snr", [None, 6]) == [6]
    assert chosen("not snr > 5", "snr", [None, 6]) == [None]
    assert chosen("region: $NOT:p", "tag.region", [None, "", "p"]) == [None, ""]
    assert chosen("region is missing", "tag.region", [None, "", "p"]) == [None, ""]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", All()),
        ("  \n\n ", All()),
        ("snr > 5", Condition("snr", "above", (5,))),
        ("snr ≥ 5", Condition("snr", "at least", (5,))),
        ("snr>-.5", Condition("snr", "above", (-0.5,))),
        ("dose > 5 ", FilterError),
        ("custom.dose = 5", Condition("custom.dose", "equals", (5,))),
        ('"cell type" = pyramidal cell', Condition("tag.cell type", "equals", ("pyramidal cell",))),
        ("comments: it's (not) bad", Condition("comments", "contains", ("it's (not) bad",))),
        ('comments: \'it\'\'s\'|"a ""b"""', Condition("comments", "contains", ("it's", 'a "b"'))),
        ("comments ~ ^(a|b)$", Condition("comments", "matches", ("^(a|b)$",))),
        ("comments != a", Not(Condition("comments", "equals", ("a",)))),
        ("comments: rock and roll", FilterError),
        ("comments: band", Condition("comments", "contains", ("band",))),
    ],
)
def test_texts_are_read(text, expected):
    if expected is FilterError:
        with pytest.raises(FilterError):
            parse_filter(text, COLUMNS)
    else:
        assert parse_filter(text, COLUMNS) == expected


def test_and_binds_closer_than_or_and_lines_bind_last():
    a, b, c = (Condition("snr", "equals", (n,)) for n in (1, 2, 3))
    assert parse_filter("snr=1 or snr=2 and snr=3", COLUMNS) == AnyOf((a, All((b, c))))
    assert parse_filter("(snr=1 OR snr=2) and snr=3", COLUMNS) == All((AnyOf((a, b)), c))
    assert parse_filter("snr=1 or snr=2\nsnr=3", COLUMNS) == All((AnyOf((a, b)), c))
    assert parse_filter("not snr=1 and snr=2", COLUMNS) == All((Not(a), b))


@pytest.mark.parametrize(
    ("text", "sentence", "shown"),
    [
        ("snr: $>:48|60", "nonsensical filter", "48|60"),
        ("snr >= 1..2", "nonsensical filter", "1..2"),
        ("region: $LIKE:x", "unrecognised modifier $LIKE:", "$LIKE:"),
        ("region: $5", "unrecognised modifier", "$5"),
        ("snrr > 5", "there is no column 'snrr'; did you mean snr?", "snrr"),
        ("dose > 5", "several columns 'dose'; write tag.dose or custom.dose", "dose"),
        ("snr > 1,5", "no number; write 1.5", "1,5"),
        ("snr = nan", "'nan' is no number", "nan"),
        ("snr = 1_000", "is no number", "1_000"),
        ("snr = 5..2", "ends before it begins", "5..2"),
        ("snr: $STR:5", "$STR: is for texts, and snr holds a number", "$STR:"),
        ("region > 5", "holds a text, which is never > something", ">"),
        ("accepted > 5", "holds yes or no", ">"),
        ("accepted: maybe", "'maybe' is neither true nor false", "maybe"),
        ("session_date = 2026-13-01", "is no day; write it as 2026-11-22", "2026-13-01"),
        ("session_date = 20261101", "is no day", "20261101"),
        ("snr", "say what snr is to be", "snr"),
        ("region: ", "here a value is missing", ""),
        ("region: a||b", "here a value is missing", ""),
        ("region = ''", "region is missing", "''"),
        ("(snr > 5", "this bracket is never closed", "("),
        ("snr > 5)", "here a condition ends", ")"),
        ("snr > 5 and", "here the name of a column is missing", ""),
        ("accepted snr > 5", "here a condition ends", "s"),
        ("region ~ a(b", "this bracket ( is never closed", "("),
        ("region ~ 'a[b'", "never closed", "["),
        ("region ~ *a", "nothing before it", "*"),
        ('region: "a"b', "the quotes end here", "b"),
        ("snr > 1\nregion > 5", "holds a text", ">"),
        ("not " * 31 + "accepted", "at most 30 deep", ""),
        ("region: a\0b", "cannot be searched for", "\0"),
        ("region: " + "a" * 4000, "at most 4,000 letters", "a"),
    ],
)
def test_what_means_nothing_is_told_and_shown(text, sentence, shown):
    with pytest.raises(FilterError, match=re.escape(sentence)) as caught:
        parse_filter(text, COLUMNS)
    error = caught.value
    assert text[error.start : error.stop].strip() == shown or not shown
    line, mark = str(error).split("\n")[-2:]
    assert f"{line} "[mark.index("^")] == f"{text} "[error.start]


def test_defect_10_hostile_texts_are_only_texts():
    for text in TEXTS:
        if text:
            quoted = text.replace('"', '""')
            tree = parse_filter(f'comments: "{quoted}"', COLUMNS)
            assert tree == Condition("comments", "contains", (text,))


def test_anything_at_all_is_read_or_refused_in_a_sentence():
    rng = np.random.default_rng(0)
    pieces = ["snr", "region", ">", "=", ":", "$NOT:", "(", ")", "|", "and", "or", "not", '"', "'",
              "5", "..", " ", "\n", "~", "[", "\\", "is missing", "%s", "é", "$"]  # fmt: skip
    for _ in range(3000):
        text = "".join(rng.choice(pieces, rng.integers(1, 12)))
        try:
            tree = parse_filter(text, COLUMNS)
        except FilterError as error:
            assert 0 <= error.start <= len(text)  # noqa: PT017 most of them are refused
        else:
            assert filter_from_dict(filter_to_dict(tree)) == tree


def test_filters_are_written_read_and_kept():
    rng = np.random.default_rng(0)
    days = [parse_filter(f"session_date = 2026-11-{d}", COLUMNS).operands[0] for d in (10, 11, 12)]
    values = {"snr": [1, 2.5, -3e-7], "custom.dose": [0, 2**60], "session_date": days}
    for _ in range(200):
        tree = random_filter(COLUMNS, values, rng)
        assert parse_filter(written(tree), COLUMNS) == tree
        assert filter_from_dict(filter_to_dict(tree)) == tree
        assert columns_of(tree) <= set(KINDS)


@pytest.mark.parametrize(
    ("pattern", "python"),
    [
        ("^a.b$", r"\Aa[^\n]b\Z"),
        (r"\d{2,}", "[0-9]{2,}"),
        ("(a|b)+", "(?:a|b)+"),
        (r"[\w.-]", r"[A-Za-z0-9_\.\-]"),
        (r"a\.b", r"a\.b"),
        ("{", r"\{"),
    ],
)
def test_regular_expressions_are_written_anew(pattern, python):
    assert write_pattern(pattern, "python") == python


@pytest.mark.parametrize(
    "pattern",
    ["(?i)a", "(?=a)", "a**", "a*?", "a++", r"\bword", r"(a)\1", "a{300}", "()", "a|", "|a", "[]",
     "[z-a]", "(", ")", "\\", "[a", r"[\d-\w]*+", "^*", r"\x41"],
)  # fmt: skip
def test_regular_expressions_that_differ_between_servers_are_refused(pattern):
    with pytest.raises(PatternError):
        write_pattern(pattern, "python")
