"""What is wrong with the words of a command line, in one line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from slaf_automl.errors import SlafError

_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text"}
_POSITIONAL = ("data", "run", "bundle", "name")
_LONGEST = 300


def complaint_in_words(message: str) -> str:
    """Return a complaint of the parser in a user's words.

    Example:
        >>> complaint_in_words("Parser key \\"trials\\": Expected a <class 'int'>. Got value: many")
        '--trials many: expected a whole number'
        >>> complaint_in_words("the following arguments are required: search.data, search.out")
        'missing: data, --out'
    """
    text = " ".join(message.replace("Parser key", "option").split())
    wrong = re.match(r"option \"([\w.]+)\": .*?<class '(\w+)'>.*(?:Given|Got) value: (.+)$", text)
    if wrong and wrong[2] in _KINDS:
        text = f"--{wrong[1]} {wrong[3]}: expected {_KINDS[wrong[2]]}"
    elif absent := re.match(r"the following arguments are required: (.+)$", text):
        names = [name.split(".")[-1] for name in absent[1].split(", ")]
        text = "missing: " + ", ".join(n if n in _POSITIONAL else f"--{n}" for n in names)
    # A file that was to be options may be quoted whole.
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def refuse_empty(options: Mapping[str, Any]) -> None:
    """Refuse options without a word, such as an unset variable of a shell gives.

    Raises:
        SlafError: an option is the empty word.
    """
    for name, value in options.items():
        if isinstance(value, str) and not value.strip():
            raise SlafError(
                f"{'' if name in _POSITIONAL else '--'}{name.replace('_', '-')} is empty",
                expected="a word; an unset variable of the shell gives none",
            )
