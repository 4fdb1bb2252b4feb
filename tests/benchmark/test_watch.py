"""Every product that submitted code asks torch for is counted, forward and backward, under whichever name it asks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from prunemark.benchmark.metering.watch import Watch


class Counter:
    """Stands where the meter stands."""

    def __init__(self) -> None:
        self.forward_macs = self.backward_macs = 0

    def executed(self, forward: int, backward: int) -> None:
        self.forward_macs += forward
        self.backward_macs += backward


def tensor(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), requires_grad=True)


ATTENTION = nn.MultiheadAttention(8, 2, batch_first=True)
TOKENS, HEADS = tensor(2, 5, 8), tensor(2, 2, 5, 4)
# 2 examples of 5 tokens: projections to 24 and back to 8; each of 2 heads: 5x5 products of 4, and of the values
IN_ATTENTION = 2 * 2 * 5 * 5 * (4 + 4)
PRODUCTS: dict[str, tuple[Callable[[], torch.Tensor], int]] = {
    "fused attention": (lambda: F.scaled_dot_product_attention(HEADS, HEADS, HEADS), IN_ATTENTION),
    "a module of attention": (lambda: ATTENTION(TOKENS, TOKENS, TOKENS)[0], 2 * 5 * 8 * (24 + 8) + IN_ATTENTION),
    "attention without weights": (
        lambda: ATTENTION(TOKENS, TOKENS, TOKENS, need_weights=False)[0], 2 * 5 * 8 * (24 + 8) + IN_ATTENTION,
    ),
    "linear": (lambda: F.linear(tensor(3, 4), tensor(5, 4)), 60),
    "convolution": (lambda: F.conv2d(tensor(2, 3, 5, 5), tensor(4, 3, 3, 3)), 2 * 4 * 3 * 3 * 27),
    "matmul": (lambda: tensor(3, 4) @ tensor(4, 5), 60),
    "tensordot": (lambda: torch.tensordot(tensor(3, 4, 5), tensor(4, 5, 6), 2), 3 * 20 * 6),
    "a chain": (lambda: torch.linalg.multi_dot([tensor(3, 4), tensor(4, 5), tensor(5, 6)]), 60 + 90),
    "inner": (lambda: torch.inner(tensor(3, 4), tensor(2, 4)), 24),
    "dot": (lambda: tensor(7).dot(tensor(7)), 7),
    "addmv": (lambda: torch.addmv(tensor(3), tensor(3, 4), tensor(4)), 12),
    "addbmm": (lambda: torch.addbmm(tensor(3, 5), tensor(2, 3, 4), tensor(2, 4, 5)), 2 * 3 * 4 * 5),
    "bilinear": (lambda: F.bilinear(tensor(3, 4), tensor(3, 5), tensor(6, 4, 5)), 3 * 6 * 20),
    "einsum": (lambda: torch.einsum("ij,jk->ik", tensor(3, 4), tensor(4, 5)), 60),
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_and_its_gradient_are_counted(name: str) -> None:
    run, macs = PRODUCTS[name]
    counter = Counter()
    with Watch(counter):  # type: ignore[arg-type]
        out = run()
        assert (counter.forward_macs, counter.backward_macs) == (macs, 0)
        out.sum().backward()
    assert (counter.forward_macs, counter.backward_macs) == (macs, 2 * macs)


@pytest.mark.parametrize("name", PRODUCTS)
def test_nothing_is_counted_while_the_harness_counts_for_itself(name: str) -> None:
    counter = Counter()
    watch = Watch(counter)  # type: ignore[arg-type]
    with watch, watch.paused():
        PRODUCTS[name][0]()
        with watch.resumed():
            PRODUCTS["linear"][0]()
    assert counter.forward_macs == 60


def test_attention_without_gradients_takes_no_hidden_path() -> None:
    counter = Counter()
    ATTENTION.eval()
    with torch.no_grad(), Watch(counter):  # type: ignore[arg-type]
        ATTENTION(TOKENS, TOKENS, TOKENS)
    ATTENTION.train()
    assert counter.forward_macs == PRODUCTS["a module of attention"][1]
