"""The one family of errors that slaf_automl raises on purpose.

Every message is a single line that carries what was given, what was expected and what to do next.
"""

from __future__ import annotations


class SlafError(Exception):
    """Something the user can mend: what was given, what was expected, what to do next.

    Args:
        given: what was found, named precisely (file, key, row, column, value).
        expected: what would have been accepted; left out where `given` says it already.
        remedy: the next step, as an instruction.

    Example:
        >>> str(SlafError("budget 3", expected="at least 93", remedy="raise --budget"))
        'budget 3; expected at least 93; raise --budget'
    """

    def __init__(self, given: str, *, expected: str = "", remedy: str = "") -> None:
        parts = [given, f"expected {expected}" if expected else "", remedy]
        super().__init__("; ".join(" ".join(part.split()) for part in parts if part))
        self.given = given
        self.expected = expected
        self.remedy = remedy


class SpecError(SlafError):
    """A value of `slaf_automl.spec` was given a field it cannot hold."""


class ActivationError(SlafError):
    """An activation cannot be built, evaluated or folded as asked."""


class NonFiniteError(ActivationError):
    """A training met numbers that are not finite: it diverged, or its data hold NaN."""


class BudgetError(SlafError):
    """No network of the space fits the budget."""


class SpaceError(SlafError):
    """A search space file, name or stored parameter is not valid."""


class DataError(SlafError):
    """The data cannot be read or cannot be learned from."""


class StudyError(SlafError):
    """A run or its study cannot be opened, resumed or finished."""


class BundleError(SlafError):
    """An exported model cannot be written or read."""
