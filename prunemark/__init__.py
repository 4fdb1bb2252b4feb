"""Prunemark, a fairness-aware benchmark for neural-network pruning (arXiv:2301.05219).

The folders at the root of the repository are this package's rooms: each is a link here, so that every tool sees one
package. Nothing is imported until it is asked for.
"""

from __future__ import annotations

from typing import Any

__all__ = ["__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("prunemark")
    raise AttributeError(f"module 'prunemark' has no attribute {name!r}")
