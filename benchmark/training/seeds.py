"""Named random streams: every generator is derived from a trial's seed and the name of its use."""

from __future__ import annotations

import hashlib


def derive_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed for one use of randomness, such as (seed, 'order', epoch). Same names, same seed.

    Streams of different names are independent, so drawing more in one place never shifts another.
    """
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
