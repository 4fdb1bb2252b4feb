"""Parts of torch that the watch does not look into: what they compute is counted, and nothing hides there."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.optimizer import Optimizer

from prunemark.benchmark.metering.known_parts import OPTIMISERS
from prunemark.benchmark.metering.meter import Meter
from prunemark.benchmark.metering.watch import Watch, watching

GIVEN = torch.randn(4, 2, 6, 6, generator=torch.Generator().manual_seed(0))
PRODUCT = 3 * 3 * 3  # of what the classes below hide


def hide():
    torch.ones(3, 3) @ torch.ones(3, 3)


def network(convolution=nn.Conv2d, norm=nn.BatchNorm2d):
    torch.manual_seed(0)
    return nn.Sequential(convolution(2, 4, 3, groups=2, padding=1), norm(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))


FORWARD = 4 * (4 * 36 * 9 + 144 * 3)  # images of 36 pixels; a filter sees one channel


def trained(model, optimiser, closure=None, steps=1):
    for _ in range(steps):
        optimiser.zero_grad()
        model(GIVEN).square().sum().backward()
        optimiser.step(closure)
    return model.state_dict()


@pytest.mark.parametrize("kind", OPTIMISERS, ids=lambda kind: kind.__name__)
def test_the_same_is_computed_and_counted_by_hand(kind):
    plain, model = network(), network()
    expected = trained(plain, kind(plain.parameters(), lr=0.01), steps=2)
    with watching(meter := Meter(1), 4):
        found = trained(model, kind(model.parameters(), lr=0.01), steps=2)
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert (meter.forward_macs, meter.backward_macs) == (2 * FORWARD, 4 * FORWARD)


def test_the_watch_is_hardly_asked(monkeypatch):
    """Its cost: a call for each function of each parameter, if it looked into everything."""
    asked, ask = [], Watch.__torch_function__
    monkeypatch.setattr(Watch, "__torch_function__", lambda *words: asked.append(words[1]) or ask(*words))
    model = network()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    with watching(Meter(1), 4):
        optimiser.zero_grad()
        model(GIVEN).square().sum().backward()
        optimiser.step()
    assert len(asked) == len(("relu", "flatten", "square", "sum", "backward", "profile", "profile")), asked


class HidingConvolution(nn.Conv2d):
    def _conv_forward(self, *words):
        hide()
        return super()._conv_forward(*words)


class HidingNorm(nn.BatchNorm2d):
    def _check_input_dim(self, given):
        hide()


class HidingSGD(torch.optim.SGD):
    def _init_group(self, *words):
        hide()
        return super()._init_group(*words)


class HidingNumber(float):
    def __neg__(self):
        hide()
        return super().__neg__()


def hooked(model, optimiser):
    optimiser.register_step_pre_hook(lambda *_: hide())
    return trained(model, optimiser)


def sgd(model, kind=torch.optim.SGD, lr=0.01):
    return kind([model[4].bias], lr=lr)


HIDDEN = {
    "a convolution's subclass": lambda: trained(m := network(HidingConvolution), sgd(m)),
    "a norm's subclass": lambda: trained(m := network(norm=HidingNorm), sgd(m)),
    "an optimiser's subclass": lambda: trained(m := network(), sgd(m, HidingSGD)),
    "a hook": lambda: hooked(m := network(), sgd(m)),
    "a learning rate": lambda: trained(m := network(), sgd(m, lr=HidingNumber(0.01))),
    "a closure": lambda: trained(m := network(), sgd(m), hide),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_a_submission_puts_into_these_parts_is_counted(name):
    with watching(meter := Meter(1), 4):
        HIDDEN[name]()
    assert meter.forward_macs == FORWARD + PRODUCT


def test_nothing_is_counted_while_the_harness_counts_for_itself():
    model = network()
    with watching(meter := Meter(1), 4) as watch, watch.paused():
        trained(model, sgd(model))
        with watch.resumed():
            model(GIVEN)
    assert (meter.forward_macs, watch.paused_steps) == (FORWARD, 1)


def test_afterwards_torch_is_as_before():
    before = [Optimizer.zero_grad, nn.Conv2d.forward, nn.Linear.forward, nn.BatchNorm2d.forward]
    before += [kind.step for kind in OPTIMISERS]
    with watching(Meter(1), 4):
        pass
    after = [Optimizer.zero_grad, nn.Conv2d.forward, nn.Linear.forward, nn.BatchNorm2d.forward]
    assert before == after + [kind.step for kind in OPTIMISERS]
    assert F.relu(GIVEN).min() == 0
