"""Seeds derived from the study's seed, one for every purpose."""

from __future__ import annotations

import hashlib


def derive_seed(*parts: int | str) -> int:
    """Return a seed in [0, 2³¹) that depends on every part and on their order.

    Example:
        >>> derive_seed(0, "mix", 1) != derive_seed(0, "mix", 2)
        True
    """
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
