"""The harness's side of the submission contract: what `PruningContext` promises, done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from prunemark.benchmark import compression
from prunemark.benchmark.data import Images
from prunemark.benchmark.meter import Meter
from prunemark.benchmark.method import Allocation, Decision, Group, Scores, Target
from prunemark.benchmark.training import Hooks, served, train
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import LRSchedule, parse_schedule
from prunemark.setups.track import Track


@dataclass
class TrialContext:
    """Implements `PruningContext` for one trial. `given` imposes the filters kept per layer (controls)."""

    track: Track
    target: Target
    groups: tuple[Group, ...]
    generator: torch.Generator
    seed: int
    data: Images = field(repr=False)
    cost: compression.CostModel | None
    shapes: dict[str, tuple[int, ...]]
    meter: Meter
    given: dict[str, int] | None = None
    _passes: int = 0

    def batches(self, epochs: int = 1) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """See `PruningContext.batches`. The LR noted for such an epoch is 0: the harness trains nothing."""
        for _ in range(_whole(epochs)):
            self.meter.begin_epoch(0.0)
            yield from served(self.data, self._recipe(), self.seed, "pruning", self._next_pass(), self.meter)

    def train(
        self,
        model: nn.Module,
        *,
        epochs: int,
        lr: str = "0:1e-2",
        penalty: Callable[[], torch.Tensor] | None = None,
        after_step: Callable[[int], None] | None = None,
    ) -> None:
        """See `PruningContext.train`."""
        recipe = self._recipe(parse_schedule(lr, _whole(epochs)))
        hooks = Hooks(penalty=penalty, after_step=after_step)
        train(
            model,
            self.data,
            recipe,
            seed=self.seed,
            stream=f"pruning/{self._next_pass()}",
            meter=self.meter,
            hooks=hooks,
        )

    def decide(self, scores: Scores, allocation: Allocation = "uniform") -> Decision:
        """See `PruningContext.decide`."""
        by_name = compression.check_scores({group.name: s for group, s in scores.items()}, self.shapes)
        if self.given is not None:
            return self._decide_given(by_name)
        if self.target.sparsity is not None:
            masks = compression.choose_weights(by_name, self.target.sparsity, allocation)
            return Decision({}, masks, allocation)
        assert self.cost is not None and self.target.speedup is not None
        kept = compression.choose_filters(by_name, self.cost, self.target.speedup, self.track.tolerance, allocation)
        return Decision(kept, {}, allocation)

    def _decide_given(self, scores: dict[str, torch.Tensor]) -> Decision:
        """The best-scored filters or weights of each layer, as many as another decision kept there."""
        assert self.given is not None
        kept = {name: compression.highest(scores[name].flatten(), count) for name, count in self.given.items()}
        if self.track.granularity == "filter":
            return Decision(kept, {}, "given")
        masks = {name: torch.zeros(self.shapes[name], dtype=torch.bool) for name in kept}
        for name, indices in kept.items():
            masks[name].view(-1)[indices] = True
        return Decision({}, masks, "given")

    def _recipe(self, lr: LRSchedule | None = None) -> Recipe:
        return replace(self.track.retraining, lr=lr) if lr else self.track.retraining

    def _next_pass(self) -> int:
        self._passes += 1
        return self._passes


def _whole(epochs: int) -> int:
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 0:
        raise ValueError(f"epochs must be a whole number, 0 or more; got {epochs!r}")
    return epochs
