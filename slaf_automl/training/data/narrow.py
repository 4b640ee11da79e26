"""Columns of long tables in float32, as training takes them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def narrow(column: Any) -> Any:
    """Return an Arrow column in float32, if it is float64 and loses nothing that training keeps.

    What float32 cannot hold or tell apart stays as it is, for the reader of cells to name it.
    """
    if not pa.types.is_float64(column.type):
        return column
    found = pc.cast(column, pa.float32(), safe=False)
    overflown = pc.any(pc.and_(pc.is_inf(found), pc.invert(pc.is_inf(column)))).as_py()
    return column if overflown or not _told_apart(column) else found


def _told_apart(column: Any) -> bool:
    """Say whether float32 can tell apart what a column holds."""
    spread, mean = pc.stddev(column).as_py(), pc.mean(column).as_py()
    return not spread or abs(mean) < spread * 2.0**20
