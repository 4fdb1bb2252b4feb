"""The harness's side of the submission contract: what `PruningContext` promises, done."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch import nn

from prunemark.benchmark.compression import budget_solver, sparsity
from prunemark.benchmark.compression.block_decisions import by_layers, scores_of_blocks
from prunemark.benchmark.compression.steps import highest
from prunemark.benchmark.images.data import Images
from prunemark.benchmark.metering.meter import BudgetExceeded, Meter
from prunemark.benchmark.metering.watch import Watch, has_any_global_hook
from prunemark.benchmark.method import Decision, Group, PruningContext, Scores, Target
from prunemark.benchmark.networks.registry import build_network
from prunemark.benchmark.sandbox.asked_right import check_by_group, checked_penalty
from prunemark.benchmark.sandbox.asking import Asking, Start
from prunemark.benchmark.sandbox.settling import Settling
from prunemark.benchmark.sandbox.training import PruningTraining
from prunemark.benchmark.training.loop import Hooks, placed, served, steps_per_epoch
from prunemark.setups.budget import Budget
from prunemark.setups.track import ALLOCATIONS, Track


@dataclass
class TrialContext:
    """Does the work for one trial. `given_counts` imposes the filters kept per layer (controls).

    A submission never gets it: `view` makes the narrow thing that it does get.
    """

    training: PruningTraining
    target: Target
    generator: torch.Generator
    cost: budget_solver.CostModel | None
    shapes: dict[str, tuple[int, ...]]
    watch: Watch
    settling: Settling
    given_counts: dict[str, int] | None = None
    asking: Asking | None = None
    _passes: int = 0
    _in_hook: bool = False

    @property
    def track(self) -> Track:
        """The track of the trial."""
        return self.training.track

    @property
    def budget(self) -> Budget:
        """What the setup grants."""
        return self.training.budget

    @property
    def groups(self) -> tuple[Group, ...]:
        """The layers that may be pruned."""
        return self.training.groups

    @property
    def data(self) -> Images:
        """The training split."""
        return self.training.data

    @property
    def meter(self) -> Meter:
        """What the stage has cost so far."""
        return self.training.meter

    def view(self) -> PruningContext:
        """What a submission sees: the promised names and nothing else, neither the meter nor the data."""
        names = ("batches", "earlier", "train", "decide", "remove")
        seen = SimpleNamespace(
            target=self.target,
            groups=self.groups,
            generator=self.generator,
            pruning_epochs=self.budget.pruning_epochs,
            exact=self.budget.pruning_exact,
            lr_imposed=self.budget.pruning_lr is not None,
            image_shape=(self.data.shape.channels, self.data.shape.height, self.data.shape.width),
            steps_per_epoch=steps_per_epoch(len(self.data), self.track.pruning.batch_size),
            **{name: _plain_function(getattr(self, name)) for name in names},
        )
        return cast(PruningContext, seen)

    def batches(self, epochs: int = 1) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """See `PruningContext.batches`."""
        for _ in range(_whole(epochs)):
            recipe, seed = self.training.recipe(), self.training.seed
            yield from served(self.data, recipe, seed, "pruning", self._next_pass(), self.meter)

    def earlier(self, epoch: int) -> dict[str, torch.Tensor]:
        """See `PruningContext.earlier`."""
        if self.track.base:
            raise ValueError(
                f"the base model of {self.track.id} is given: how its weights were before they were trained to the end "
                "is not known, so nothing can be rewound to them"
            )
        reached = self.budget.base_epochs
        if _whole(epoch) > reached:
            raise ValueError(
                f"the base model was trained for {reached} epochs; asked for are its weights after {epoch}"
            )
        if self.asking:
            with self.watch.paused():
                model = placed(build_network(self.track.network, self.data.shape, 0), self.data.device)
                self.asking.earlier(model, epoch)
        else:
            meter = Meter(0)
            with self._alone(lambda: meter.steps):
                model = self.training.earlier(epoch, meter)
        return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    def train(
        self,
        model: nn.Module,
        *,
        epochs: int,
        lr: str | None = None,
        penalty: Callable[[], torch.Tensor] | None = None,
        after_step: Callable[[int], None] | None = None,
        keep: Decision | None = None,
    ) -> None:
        """See `PruningContext.train`."""
        schedule = self.training.schedule(_whole(epochs), lr)
        keep = self._settled(keep) if keep else None
        start = self._start_of(model) if epochs and not (penalty or after_step) else None
        if start:
            self._have_trained(start, model, schedule.vector, lr, keep)
            return
        masks = self.training.masks(model, keep)
        hooks = Hooks(
            penalty=self._watched(checked_penalty(penalty)), after_step=self._watched(after_step), masks=masks
        )
        with self._alone(lambda: self.meter.steps - self.meter.foreign_steps):
            self.training.run(model, schedule, self._next_pass(), hooks)
        self.settling.note_trained(model)

    def _start_of(self, model: nn.Module) -> Start | None:
        """How the trainer makes this model, where it may train it: everything was trained by it so far."""
        if self.asking is None or self.asking.epochs != len(self.meter.lr):
            return None
        with self.watch.paused():
            return self.asking.start_of(model)

    def _have_trained(
        self, start: Start, model: nn.Module, lrs: tuple[float, ...], lr: str | None, keep: Decision | None
    ) -> None:
        """The trainer trains. What it counts is counted here too; it is refused here first, in the same words."""
        assert self.asking is not None
        with self.watch.paused():
            self.training.masks(model, keep)
            self._refuse_global_hooks()
            for value in lrs:
                self.meter.begin_epoch(value)
                self.meter.begin_pass()
            try:
                self.asking.train(start, model, self.meter, len(lrs), lr, self._next_pass(), keep)
            except BudgetExceeded as problem:
                self.meter.refuse(str(problem))
            self.settling.note_trained(model)

    def _settled(self, decision: Decision) -> Decision:
        with self.watch.paused():
            return self.settling.settled(decision)

    @contextlib.contextmanager
    def _alone(self, steps_so_far: Callable[[], int]) -> Iterator[None]:
        """Around a loop of the harness, which counts for itself: nothing else may train in it.

        Hooks on modules, parameters or optimisers can hide training, and those on all modules run in whatever network.
        """
        self._refuse_global_hooks()
        watch, before = self.watch, (self.watch.paused_runs, self.watch.paused_steps, steps_so_far())
        with watch.paused():
            yield
        steps = steps_so_far() - before[2]
        runs, stepped = watch.paused_runs - before[0], watch.paused_steps - before[1]
        if (runs, stepped) != (steps, steps):
            self.meter.refuse(
                f"the harness's loop made {steps} steps, and inside it autograd ran {runs} times and optimisers "
                f"stepped {stepped} times: something else trained in it"
            )

    def _refuse_global_hooks(self) -> None:
        if has_any_global_hook():
            self.meter.refuse(
                "hooks on all modules are registered: they would run inside the harness's loop, uncounted"
            )

    def train_dense(self, model: nn.Module) -> None:
        """Spends all imposed epochs on the dense model: what a one-shot method is given under S4.1 and S4.2."""
        lr = None if self.budget.pruning_lr else str(self.track.pruning.lr)
        self.train(model, epochs=self.budget.pruning_epochs, lr=lr)

    def decide(self, scores: Scores, allocation: str = "uniform", share: float = 1.0) -> Decision:
        """See `PruningContext.decide`."""
        check_by_group(scores)
        by_name = sparsity.check_scores({group.name: s for group, s in scores.items()}, self.shapes)
        if not 0 < share <= 1:
            raise ValueError(f"share is above 0 and at most 1; got {share!r}")
        by_name = scores_of_blocks(by_name, self.groups) or by_name
        if self.given_counts is not None:
            return self._decide_given(by_name)
        if allocation in ALLOCATIONS and allocation not in self.track.allocations:
            raise ValueError(
                f"{self.track.id} allows allocation {' or '.join(self.track.allocations)}; got {allocation!r}"
            )
        if self.target.pattern is not None:
            return Decision({}, sparsity.choose_pattern(by_name, self.target.pattern, share, allocation), allocation)
        if self.target.sparsity is not None:
            masks = sparsity.choose_weights(by_name, share * self.target.sparsity, allocation)
            return Decision({}, masks, allocation)
        assert self.cost is not None and self.target.speedup is not None
        # on the way to the target the gap closes in MACs, and as near as whole filters allow is near enough
        speedup = 1 / (1 - share * (1 - 1 / self.target.speedup))
        tolerance = self.track.tolerance if share == 1 else None
        kept = budget_solver.choose_filters(by_name, self.cost, speedup, tolerance, allocation)
        return Decision(by_layers(kept, self.groups) or kept, {}, allocation)

    def remove(self, model: nn.Module, decision: Decision) -> None:
        """See `PruningContext.remove`."""
        decision = self._settled(decision)
        with self.watch.paused():
            start = self.asking.start_of(model) if self.asking and not self._in_hook else None
            self.training.remove(model, decision)
            if start and self.asking:
                self.asking.note(model, Start(start.number, (*start.removed, decision)))

    def _decide_given(self, scores: dict[str, torch.Tensor]) -> Decision:
        """The best-scored filters or weights of each layer, as many as another decision kept there."""
        assert self.given_counts is not None
        if self.target.pattern is not None:  # it leaves no choice of how many stay in a layer
            return Decision({}, sparsity.choose_pattern(scores, self.target.pattern, 1.0, "uniform"), "given")
        steps = self.cost.steps if self.cost else {}
        kept = {
            name: highest(scores[name].flatten(), count, steps.get(name)) for name, count in self.given_counts.items()
        }
        if self.track.of_filters:
            return Decision(by_layers(kept, self.groups) or kept, {}, "given")
        masks = {name: torch.zeros(self.shapes[name], dtype=torch.bool) for name in kept}
        for name, indices in kept.items():
            masks[name].view(-1)[indices] = True
        return Decision({}, masks, "given")

    def _watched(self, hook: Callable[..., Any] | None) -> Callable[..., Any] | None:
        """A submission's own code inside the harness's loop is counted like the rest of it."""
        if hook is None:
            return None

        def watched(*arguments: Any) -> Any:
            self._in_hook = True
            try:
                with self.watch.resumed():
                    return hook(*arguments)
            finally:
                self._in_hook = False

        return watched

    def _next_pass(self) -> int:
        self._passes += 1
        return self._passes


def _plain_function(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method without its `__self__`, which would lead to the meter and the data."""

    def function(*arguments: Any, **named: Any) -> Any:
        return method(*arguments, **named)

    function.__name__, function.__doc__ = method.__name__, method.__doc__
    return function


def _whole(epochs: int) -> int:
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 0:
        raise ValueError(f"epochs must be a whole number, 0 or more; got {epochs!r}")
    return epochs
