"""Frozen values to plain JSON and back, strictly.

Only what the field annotations name is accepted: an unknown key, a missing key or a wrong type is
a `SpecError` that says which field of which value.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from slaf_automl.errors import SpecError

SCHEMA = 1
"""Version of every JSON document this package writes; readers refuse newer ones."""

_LARGEST = sys.float_info.max
_OPTIONAL = "optional"

T = TypeVar("T", bound="Value")


class Value:
    """Base of the frozen dataclasses: JSON both ways, with a schema version at the top level."""

    def to_json(self) -> dict[str, Any]:
        """Return the document `{"schema": 1, "type": <class name>, **fields}`."""
        return {"schema": SCHEMA, "type": type(self).__name__, **_fields_to_plain(self)}

    @classmethod
    def from_json(cls: type[T], document: Mapping[str, Any]) -> T:
        """Rebuild the value that `to_json` wrote.

        Raises:
            SpecError: another kind of value, a newer schema, or a field that does not fit.
        """
        if not isinstance(document, Mapping):
            raise SpecError(f"{cls.__name__}: {document!r}", expected="a JSON object")
        fields = dict(document)
        schema, name = fields.pop("schema", None), fields.pop("type", None)
        if type(schema) is not int or schema != SCHEMA:
            raise SpecError(
                f"{cls.__name__}: schema {schema!r}",
                expected=f"schema {SCHEMA}",
                remedy="read it with the version of slaf_automl that wrote it",
            )
        if name != cls.__name__:
            raise SpecError(f"a document of {name!r}", expected=f"one of {cls.__name__!r}")
        value: T = _from_fields(cls, fields, cls.__name__)
        return value


def optional_field() -> Any:
    """Return a dataclass field that is None by default, and then left out of JSON.

    So a class can gain a field without changing the documents of values that do not use it.
    """
    return dataclasses.field(default=None, metadata={_OPTIONAL: True})


def dumps(document: Any) -> str:
    """Serialise plain data as readable, deterministic JSON without NaN or infinity."""
    return (
        json.dumps(document, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"
    )


def _fields_to_plain(value: Any) -> dict[str, Any]:
    values = {f: getattr(value, f.name) for f in dataclasses.fields(value)}
    return {
        f.name: _to_plain(v)
        for f, v in values.items()
        if not (v is None and f.metadata.get(_OPTIONAL))
    }


def _to_plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return _fields_to_plain(value)
    if isinstance(value, tuple):
        return [_to_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _to_plain(item) for key, item in value.items()}
    return value


def _from_fields(cls: type[Any], fields: Mapping[str, Any], where: str) -> Any:
    hints = typing.get_type_hints(cls)
    known = {f.name: f for f in dataclasses.fields(cls)}
    if unknown := sorted(set(fields) - set(known)):
        raise SpecError(f"{where}: unknown field {unknown[0]!r}", expected=", ".join(sorted(known)))
    missing = [
        f.name
        for f in known.values()
        if f.name not in fields
        and f.default is dataclasses.MISSING
        and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise SpecError(f"{where}: field {missing[0]!r} is missing")
    return cls(**{n: _from_plain(hints[n], v, f"{where}.{n}") for n, v in fields.items()})


def _from_plain(hint: Any, plain: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _from_union(arguments, plain, where)
    if origin is tuple and isinstance(plain, list):
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_from_plain(arguments[0], p, f"{where}[{i}]") for i, p in enumerate(plain))
        if len(arguments) == len(plain):
            pairs = enumerate(zip(arguments, plain, strict=True))
            return tuple(_from_plain(a, p, f"{where}[{i}]") for i, (a, p) in pairs)
    if origin in (Mapping, typing.get_origin(Mapping[str, int])) and isinstance(plain, Mapping):
        return {str(k): _from_plain(arguments[1], v, f"{where}.{k}") for k, v in plain.items()}
    if dataclasses.is_dataclass(hint) and isinstance(plain, Mapping):
        return _from_fields(typing.cast("type[Any]", hint), plain, where)
    if _is_scalar(hint, plain):
        return float(plain) if hint is float else plain
    raise SpecError(f"{where}: {plain!r}", expected=getattr(hint, "__name__", str(hint)))


def _from_union(arguments: tuple[Any, ...], plain: Any, where: str) -> Any:
    if plain is None and type(None) in arguments:
        return None
    # The exact type first, so that an int stays an int where float is allowed too.
    exact = [a for a in arguments if isinstance(a, type) and type(plain) is a]
    for argument in (*exact, *arguments):
        try:
            return _from_plain(argument, plain, where)
        except SpecError:
            continue
    names = " or ".join(getattr(a, "__name__", str(a)) for a in arguments)
    raise SpecError(f"{where}: {plain!r}", expected=names)


def _is_scalar(hint: Any, plain: Any) -> bool:
    if hint is float:
        number = isinstance(plain, (int, float)) and not isinstance(plain, bool)
        return number and (isinstance(plain, float) or -_LARGEST <= plain <= _LARGEST)
    if hint is int:
        return isinstance(plain, int) and not isinstance(plain, bool)
    return hint in (bool, str) and isinstance(plain, hint)


def require_integer(where: str, value: Any, minimum: int) -> None:
    """Raise a `SpecError` unless `value` is an int (not a bool) of at least `minimum`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise SpecError(f"{where} {value!r}", expected=f"an integer of at least {minimum}")


def require_number(where: str, value: Any, *, low: float, open_low: bool = False) -> None:
    """Raise a `SpecError` unless `value` is a finite number ≥ `low` (> `low` if `open_low`)."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    fits = number and -_LARGEST <= value <= _LARGEST and value >= low
    if not fits or (open_low and value == low):
        sign = ">" if open_low else "≥"
        raise SpecError(f"{where} {value!r}", expected=f"a finite number {sign} {low}")


def require_choice(where: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise a `SpecError` unless `value` is one of `choices`."""
    if value not in choices:
        raise SpecError(f"unknown {where} {value!r}", expected="one of " + ", ".join(choices))


def require_types(where: str, value: Any, kind: type | tuple[type, ...]) -> None:
    """Raise a `SpecError` unless `value` is a tuple whose entries are all of `kind`."""
    if not isinstance(value, tuple) or not all(isinstance(entry, kind) for entry in value):
        names = [k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,))]
        raise SpecError(f"{where} {value!r}", expected=f"a tuple of {' or '.join(names)}")


def require_type(where: str, value: Any, kind: type) -> None:
    """Raise a `SpecError` unless `value` is of `kind`."""
    if not isinstance(value, kind):
        raise SpecError(f"{where} {value!r}", expected=kind.__name__)
