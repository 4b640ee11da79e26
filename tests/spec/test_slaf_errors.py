"""The error family: one line each, with what was given, what was expected and what to do."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slaf_automl import errors

FAMILY = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, errors.SlafError)
]


def test_the_family_has_a_member_for_every_room():
    names = {member.__name__ for member in FAMILY}
    assert names >= {
        "SlafError",
        "SpecError",
        "ActivationError",
        "BudgetError",
        "SpaceError",
        "DataError",
        "StudyError",
        "BundleError",
    }


@pytest.mark.parametrize("member", FAMILY)
def test_message_joins_what_was_given_expected_and_to_do(member):
    error = member("budget 3", expected="at least 93", remedy="raise --budget")
    assert str(error) == "budget 3; expected at least 93; raise --budget"
    assert (error.given, error.expected, error.remedy) == (
        "budget 3",
        "at least 93",
        "raise --budget",
    )


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({}, "a"),
        ({"expected": "b"}, "a; expected b"),
        ({"remedy": "c"}, "a; c"),
    ],
)
def test_parts_left_out_leave_no_trace_in_the_message(parts, message):
    assert str(errors.SlafError("a", **parts)) == message


@given(given_=st.text(), expected=st.text(), remedy=st.text())
@settings(deadline=None, max_examples=100, derandomize=True)
def test_message_is_one_line_whatever_it_quotes(given_, expected, remedy):
    # A YAML parser's message or a user's path may hold any kind of line break.
    message = str(errors.SlafError(given_, expected=expected, remedy=remedy))
    assert len(message.splitlines()) <= 1


def test_line_breaks_of_every_kind_become_single_spaces():
    message = str(errors.SlafError("a\nb\r\nc\td", expected="e\u2028f", remedy="g\x85\x0bh"))
    assert message == "a b c d; expected e f; g h"


@pytest.mark.parametrize("member", FAMILY)
def test_errors_survive_pickling(member):
    # A data loader's worker hands its error to the main process by pickle.
    error = member("budget 3", expected="at least 93", remedy="raise --budget")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is member
    assert str(copy) == str(error)
    assert (copy.given, copy.expected, copy.remedy) == (error.given, error.expected, error.remedy)
