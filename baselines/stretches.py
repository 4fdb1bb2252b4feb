"""How long a method trains in its pruning stage and at which LR: what the setup imposes goes before what it wants."""

from __future__ import annotations

from prunemark.benchmark.method import PruningContext, stepped

# what a setting may be: a number above 0; a part of a whole, above 0 and at most 1
POSITIVE, PART = r"[0-9.]*[1-9][0-9.]*(e-?[0-9]+)?", r"0?\.[0-9]*[1-9][0-9]*|1(\.0*)?"


def granted(wanted: int, context: PruningContext) -> int:
    """Epochs to train: all that are imposed (S4.1, S4.2), else those wanted as far as they are granted."""
    return context.pruning_epochs if context.exact else min(wanted, context.pruning_epochs)


def falling(lr: float, epochs: int, context: PruningContext) -> str | None:
    """`lr`, a tenth of it from half of the epochs and a hundredth from three quarters; None where it is imposed.

    The usual schedule of residual networks on CIFAR-10 (0.1, 0.01 and 0.001).
    """
    return None if context.lr_imposed else str(stepped(lr, epochs))


def constant(lr: float, context: PruningContext) -> str | None:
    """One LR throughout; None where the setup imposes the LR."""
    return None if context.lr_imposed else f"{lr:g}"


def spread(epochs: int, parts: int) -> list[int]:
    """`epochs` in so many parts, as equal as whole numbers are."""
    return [epochs * (part + 1) // parts - epochs * part // parts for part in range(parts)]
