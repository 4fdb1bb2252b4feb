"""Training on other terms of execution: the same loop, the same meter, and keys of its own."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from prunemark.benchmark.images.data import Images
from prunemark.benchmark.metering.meter import Meter
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.benchmark.training import execution as terms
from prunemark.benchmark.training.loop import Hooks, placed, train
from prunemark.benchmark.trial.keys import stage_keys
from prunemark.benchmark.trial.plan import Request, make_trials
from prunemark.benchmark.trial.trial import Entrant
from prunemark.records.outcome import MeteredStage
from prunemark.setups.comparison import SETUPS
from prunemark.setups.errors import InputError
from prunemark.setups.execution import execution_of
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import parse_schedule
from prunemark.setups.track_files import find_track

CPU = torch.device("cpu")
RECIPE = Recipe(lr=parse_schedule("0:1e-1,1:1e-2", 2), batch_size=32, augmentation="shift1", label_smoothing=0.1)
PIXELS = torch.rand(75, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
NOTHING = Hooks()
DENSE = Entrant("Dense", "dense", "reference", None, ())


class Small(nn.Module):
    """A network that compiles in seconds, with all that the terms touch: convolution, batch norm, dropout, product."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(4, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.drop(self.norm(self.conv(images)).relu().mean(dim=(2, 3))))  # type: ignore[no-any-return]


def small() -> nn.Module:
    torch.manual_seed(0)
    return Small()


def trained(
    *words: str,
    make: Callable[[], nn.Module] = small,
    dtype: torch.dtype = torch.float32,
    hooks: Hooks = NOTHING,
    images: int = 75,
) -> tuple[dict[str, torch.Tensor], MeteredStage]:
    stated = execution_of(words) if words else None
    model = placed(make(), CPU, stated).to(dtype)
    meter = Meter(7)
    data = Images(PIXELS[:images].to(dtype), torch.arange(images) % 10, 10, 0.0)
    train(model, data, RECIPE, seed=0, stream="x", meter=meter, validation=data, hooks=hooks, execution=stated)
    return model.state_dict(), meter.stage()


def apart(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """The largest difference of any number."""
    return max((one[name].double() - other[name].double()).abs().max().item() for name in one)


def resnet() -> nn.Module:
    return build_network("resnet8", ImageShape(1, 8, 8, 10), 0)


def test_what_is_the_default_spelt_out_gives_the_same_bits() -> None:
    assert apart(trained(make=resnet)[0], trained("float32", "channels_last", "deterministic", make=resnet)[0]) == 0.0


@pytest.mark.parametrize("words", [("contiguous",), ("bf16",), ("bf16", "contiguous")])
def test_what_is_counted_is_exact_on_other_terms(words: tuple[str, ...]) -> None:
    plain, other = trained(make=resnet), trained(*words, make=resnet)
    assert plain[1] == other[1] and plain[1].steps == 6 and plain[1].samples == 150
    assert all(value.dtype == plain[0][name].dtype for name, value in other[0].items())  # weights stay float32
    assert trained(*words, make=resnet)[0].keys() == other[0].keys()
    assert apart(trained(*words, make=resnet)[0], other[0]) == 0.0


def test_the_layout_changes_rounding_only_and_bf16_changes_more() -> None:
    plain = trained(make=resnet)[0]
    assert 0.0 < apart(plain, trained("bf16", make=resnet)[0]) < 1.0
    assert apart(plain, trained("contiguous", make=resnet)[0]) < 1e-3
    double = [trained(*words, make=resnet, dtype=torch.float64)[0] for words in ((), ("contiguous",))]
    assert apart(*double) < 1e-12


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler on a CPU")
@pytest.mark.parametrize("images", [64, pytest.param(75, marks=pytest.mark.slow)])
def test_a_compiled_network_trains_as_an_uncompiled_one(images: int) -> None:
    """In float64, where rounding does not hide a difference; of 75 images the last batch is smaller."""
    scaled: list[int] = []
    with_hooks = Hooks(after_step=scaled.append, masks={"conv.weight": torch.ones(4, 1, 3, 3).tril()})
    plain, compiled = (
        trained(*words, dtype=torch.float64, hooks=with_hooks, images=images) for words in ((), ("compile",))
    )
    assert apart(plain[0], compiled[0]) < 1e-12  # dropout has drawn alike
    assert plain[1] == compiled[1]
    assert scaled == 2 * list(range(1, plain[1].steps + 1))


def test_under_autocast_products_are_bf16_and_logits_are_not() -> None:
    seen: list[torch.dtype] = []
    model = small()
    assert isinstance(model, Small)
    model.conv.register_forward_hook(lambda _layer, _given, out: seen.append(out.dtype))
    logits = terms.forward_of(model, execution_of(["bf16"]), CPU)(torch.rand(2, 1, 8, 8))
    assert (seen, logits.dtype) == ([torch.bfloat16], torch.float32)


def test_a_network_that_cannot_be_compiled_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._dynamo.exc import TorchRuntimeError

    def compiled(*_: Any, **__: Any) -> Any:
        def fails(_images: torch.Tensor) -> torch.Tensor:
            raise TorchRuntimeError("no such operation\nand more")

        return fails

    monkeypatch.setattr(torch, "compile", compiled)
    with pytest.raises(InputError, match=r"cannot take this network here \(no such operation"):
        trained("compile")


def test_the_networks_own_error_stays_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda model, **_: model)
    with pytest.raises(RuntimeError, match="normalized_shape|shape"):
        terms.forward_of(nn.LayerNorm(3), execution_of(["compile"]), CPU)(torch.rand(2, 4))


def test_the_pruning_stage_is_not_compiled() -> None:
    stated = execution_of(["bf16", "compile"])
    assert terms.in_pruning(stated) == execution_of(["bf16"]) and terms.in_pruning(None) is None


HOLD = """
import torch
from prunemark.benchmark.training import arithmetic, execution
from prunemark.setups.execution import execution_of
fresh = execution.held()
for words in {words}:
    execution.hold_again(fresh)
    arithmetic.use(None, "cuda", execution_of(words))
    print(*map(int, execution.held()))
"""
# TF32 in products, in convolutions; other orders are warned of (1) or refused (2); the fastest is tried; memory filled
HELD = {
    (): "0 1 1 0 0",  # torch's own choice: convolutions may use TF32
    ("float32",): "0 0 1 0 0",
    ("tf32", "any-order"): "1 1 0 1 0",
    ("bf16", "deterministic"): "0 1 2 0 1",
}


def test_what_holds_for_a_whole_process_is_chosen_first_and_handed_on() -> None:
    code = HOLD.format(words=list(HELD))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert dict(zip(HELD, done.stdout.splitlines(), strict=True)) == HELD


def keys(track: str, device: str = "cpu") -> dict[str, str]:
    found = dataclasses.replace(find_track(track), name="any", version=1)
    (trial,) = make_trials(Request(found, SETUPS["S3.2"], found.levels[:1], [0], device), DENSE)
    return dataclasses.asdict(stage_keys(trial))


def test_no_stage_is_shared_by_terms_that_give_other_numbers() -> None:
    plain = keys("digits-resnet8")
    for word in ("bf16", "contiguous", "compile", "deterministic"):
        other = keys(f"digits-resnet8+{word}")
        assert plain["data"] == other["data"]
        assert {name for name, key in other.items() if key != plain[name]} == plain.keys() - {"data"}
    assert keys("digits-resnet8+bf16") != keys("digits-resnet8+bf16+compile")


def test_the_default_spelt_out_shares_all_that_is_dear() -> None:
    plain, spelt = keys("digits-resnet8"), keys("digits-resnet8+float32+channels_last")
    assert {name for name, key in spelt.items() if key != plain[name]} == {"evaluate"}  # the record names its track
    assert keys("digits-resnet8+float32", "cuda")["pretrain"] != keys("digits-resnet8", "cuda")["pretrain"]


def test_a_plan_of_what_only_a_gpu_has_is_refused_on_a_cpu() -> None:
    with pytest.raises(InputError, match="needs a GPU"):
        keys("digits-resnet8+tf32")
