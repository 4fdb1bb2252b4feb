"""A network of the track's author: what is accepted, each common mistake in words, and what its identity is."""

from importlib.metadata import version

import pytest
import torch
from support.own_tracks import NETWORK, SIGNALS

from prunemark.benchmark.compression.prunable import check_prunable, propose
from prunemark.benchmark.compression.surgery import cut
from prunemark.benchmark.networks.cost import count
from prunemark.benchmark.networks.own_networks import check_own
from prunemark.benchmark.networks.registry import ImageShape, build_network, redraw
from prunemark.benchmark.trial.own_code import kept_by_name, kept_in, locate_function
from prunemark.benchmark.trial.store import Store
from prunemark.setups.errors import InputError

SHAPE = ImageShape(1, 8, 8, 3)
BUILD = "\n\ndef build(channels, height, width, classes):\n    "


@pytest.fixture
def kept(tmp_path):
    """kept(text) -> the name by which a network of this text is built."""

    def keep(text, function="build", file="model.py"):
        (tmp_path / file).write_text(text)
        found = locate_function(f"{file}:{function}", str(tmp_path), "network")
        return kept_in(Store(tmp_path / "store"), found, "network")

    return keep


def test_it_is_built_from_a_seed_with_its_own_weights(kept):
    name = kept(NETWORK)
    one, again, other = (build_network(name, SHAPE, seed).state_dict() for seed in (0, 0, 1))
    torch.manual_seed(0)
    assert list(one) == list(again) and "body.0.weight" in one
    assert all(torch.equal(one[each], again[each]) for each in one)
    assert not torch.equal(one["body.0.weight"], other["body.0.weight"])
    assert float(one["body.0.weight"].abs().max()) <= 1 / 3, "torch's own uniform draw, and not He's normal one"
    model = build_network(name, SHAPE, 0)
    redraw(name, model)
    assert torch.equal(model.state_dict()["body.0.weight"], one["body.0.weight"])
    check_own(lambda seed: build_network(name, SHAPE, seed), SHAPE)


@pytest.mark.parametrize(
    "signature",
    ["channels, height, width, classes", "c, h, w, k", "classes, channels", "**given", "*given", "channels, classes=7"],
)
def test_it_is_called_by_name_or_in_order(kept, signature):
    body = f"\n\ndef build({signature}):\n    found = dict(locals())\n    return nn.Linear(2, 3)"
    text = f"from torch import nn\nSEEN = []{body}".replace("    return", "    SEEN.append(found)\n    return")
    build_network(kept(text), ImageShape(1, 8, 9, 3), 0)


def test_a_class_is_a_function_too(kept):
    text = "from torch import nn\n\n\nclass Net(nn.Linear):\n    def __init__(self, classes):\n"
    assert build_network(kept(f"{text}        super().__init__(2, classes)\n", "Net"), SHAPE, 0).out_features == 3


def test_files_beside_it_are_its_code_and_do_not_meet_a_methods(kept, tmp_path):
    (tmp_path / "blocks.py").write_text("from torch import nn\n\n\ndef block():\n    return nn.Linear(4, 3)\n")
    late = f"{BUILD}from blocks import block\n    return block()\n"
    import sys

    sys.modules["blocks"] = marker = type(sys)("blocks")
    try:
        assert build_network(kept(late), SHAPE, 0).in_features == 4
        assert sys.modules["blocks"] is marker
    finally:
        del sys.modules["blocks"]


def test_its_identity_is_its_code(kept, tmp_path):
    def sha256(text, file="model.py"):
        (tmp_path / file).write_text(text)
        return locate_function(f"{file}:build", str(tmp_path), "network").sha256

    before = sha256(NETWORK)
    assert sha256(f'"""Words."""\n# a comment\n{NETWORK}') == before == sha256(NETWORK, "other.py")
    assert sha256(NETWORK.replace("Linear(8", "Linear(8 + 0")) != before
    (tmp_path / "blocks.py").write_text("WIDTH = 8\n")
    beside = sha256(f"from blocks import WIDTH\n{NETWORK}")
    (tmp_path / "blocks.py").write_text("WIDTH = 9\n")
    assert sha256(f"from blocks import WIDTH\n{NETWORK}") != beside
    assert locate_function("model.py:build", str(tmp_path), "network").packages == ()
    (tmp_path / "blocks.py").write_text("import timm, os.path\nimport nothing_of_this_name as n\nWIDTH = timm\n")
    assert locate_function("model.py:build", str(tmp_path), "network").packages == (("timm", version("timm")),)


def test_a_network_of_an_installed_package(tmp_path, monkeypatch):
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "__init__.py").write_text("raise RuntimeError('not run')")
    (tmp_path / "lab" / "nets.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = locate_function("lab.nets:build", "", "network")
    assert found.path == tmp_path / "lab" / "nets.py" and found.function == "build"


def test_records_find_the_code_by_its_hash(kept, tmp_path):
    name, store = kept(NETWORK), Store(tmp_path / "store")
    sha256 = locate_function("model.py:build", str(tmp_path), "network").sha256
    assert kept_by_name(store, f"own:build@{sha256}") == name
    assert kept_by_name(store, f"own:build@{'0' * 64}") is None and kept_by_name(store, "resnet8") == "resnet8"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("nowhere.py:build", "there is no file"),
        ("model.py:biuld", "Did you mean 'build'?"),
        ("broken.py:build", "broken.py, line 1 is not Python that can be read"),
        ("no.such.module:build", "no module 'no.such.module' is installed here"),
    ],
)
def test_what_is_not_there(tmp_path, spec, words):
    (tmp_path / "model.py").write_text(NETWORK)
    (tmp_path / "broken.py").write_text("def build(:\n")
    with pytest.raises(InputError) as raised:
        locate_function(spec, str(tmp_path), "network")
    assert words in str(raised.value) and spec.partition(":")[0] in str(raised.value)
    assert len(str(raised.value).splitlines()) <= 3


LAYER = "from torch import nn\nimport torch\n"
FORWARD = f"{LAYER}\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n" \
    "        self.a = nn.Conv2d(1, 4, 1)\n        self.b = nn.Linear(4, 3)\n\n    def forward(self, x):\n" \
    "        y = self.b(self.a(x).mean((2, 3)))\n        return {}" + BUILD + "return Net()\n"  # fmt: skip
MISTAKES = {
    "not callable": (f"{LAYER}build = 5\n", "build of the network is a int, no function"),
    "arguments": (f"{LAYER}\n\ndef build(size):\n    return nn.Linear(1, 1)\n",
                  "called as build(channels, height, width, classes); it is written build(size)"),
    "no module": (f"{LAYER}{BUILD}return 5\n", "build returns a int, not an nn.Module"),
    "a class": (f"{LAYER}{BUILD}return nn.Linear\n", "build returns a type, not an nn.Module"),
    "raises": (f"{LAYER}{BUILD}return nn.Linear(0 // 0, 1)\n", "at 'return nn.Linear(0 // 0, 1)' in build of model.py"),
    "at import": (f"{LAYER}raise KeyError('x')\nbuild = 1\n", "raises KeyError: 'x'"),
    "lazy": (f"{LAYER}{BUILD}return nn.LazyLinear(3)\n", "parameter 'weight' of the network has no shape yet"),
    "double": (f"{LAYER}{BUILD}return nn.Linear(1, 1).double()\n", "'weight' of the network is torch.float64"),
    "cuda": (f"{LAYER}{BUILD}return nn.Linear(1, 1).cuda()\n", "leave devices to Prunemark"),
    "meta": (f"{LAYER}{BUILD}return nn.Linear(1, 1, device='meta')\n", "'weight' of the network is on meta"),
    "nothing to prune": (f"{LAYER}{BUILD}return nn.Flatten()\n", "no Conv1d, Conv2d or Linear layer"),
    "opens a file": (f"{LAYER}{BUILD}return open('widths.json')\n", "runs from a copy, without the files next to it"),
    "tuple": (FORWARD.format("y, y"), "forward of the network returns a tuple, not logits (3, 3)"),
    "shape": (FORWARD.format("self.a(x)"), "returns (3, 4, 8, 8) for 3 images of 3 classes; logits are (3, 3)"),
    "no tensor": (FORWARD.format("None"), "returns a NoneType, not a tensor"),
    "half": (FORWARD.format("y.half()"), "returns torch.float16; logits are torch.float32"),
    "batch": (FORWARD.format("y - y.mean(0)"), "depend on the other images of its batch"),
    "random": (FORWARD.format("y + torch.randn_like(y)"), "it draws random numbers"),
    "not finite": (FORWARD.format("y / 0"), "are not finite"),
    "forward raises": (FORWARD.format("y.no_such()"), "forward of the network raises AttributeError"),
    "only evaluates": (FORWARD.format("y.detach()"), "a training step of the network raises RuntimeError"),
    "one image at a time": (FORWARD.format("y.reshape(3)"), "forward of the network raises RuntimeError"),
    "other names": (
        f"{LAYER}import itertools\nCOUNT = itertools.count()\n" + FORWARD.removeprefix(LAYER).format("y").replace(
            "self.a = ", "self.add_module(f'x{next(COUNT)}', nn.Linear(1, 1))\n        self.a = "
        ), "other names in its state dict each time it is built"),
    "other weights": (
        f"{LAYER}import itertools\nCOUNT = itertools.count()\n" + FORWARD.removeprefix(LAYER).format("y").replace(
            "return Net()", "n = Net()\n    n.a.weight.data += next(COUNT)\n    return n"),
        "other weights each time it is built from one seed"),
    "drawn and not kept": (
        FORWARD.format("y * self.scale").replace("super().__init__()", "super().__init__()\n        self.scale = "
        "torch.rand(1)"), "not all that the network draws is in its state dict"),
    "drawn by the machine": (
        FORWARD.format("y * self.scale").replace("super().__init__()", "super().__init__()\n        import os\n"
        "        self.scale = 1 + int.from_bytes(os.urandom(6))"),
        "not all that the network draws is in its state dict"),
    "counts its calls": (
        FORWARD.format("y").replace("super().__init__()", "super().__init__()\n        self.register_buffer('n', "
        "torch.zeros(()))").replace("        y =", "        self.n += 1\n        y ="), "change when it evaluates"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_common_mistake_is_named_in_two_lines(kept, mistake):
    text, words = MISTAKES[mistake]
    name = kept(text)
    with pytest.raises(InputError) as raised:
        check_own(lambda seed: build_network(name, SHAPE, seed), SHAPE)
    assert words in str(raised.value)
    assert len(str(raised.value).splitlines()) <= 2


def test_a_signal_that_comes_as_an_image_is_explained(kept):
    name = kept(SIGNALS.replace(".squeeze(2)", ""))
    with pytest.raises(InputError, match="begin forward with x = x.squeeze"):
        check_own(lambda seed: build_network(name, ImageShape(2, 1, 16, 3), seed), ImageShape(2, 1, 16, 3))


def test_convolutions_over_time_are_counted_and_cut(kept):
    shape = ImageShape(2, 1, 16, 3)
    model = build_network(kept(SIGNALS), shape, 0)
    by_hand = {"conv1": 16 * 8 * 2 * 5, "depthwise": 16 * 8 * 3, "conv2": 8 * 8 * 8 * 3, "hidden": 64 * 16, "head": 48}
    found = count(model, shape)
    assert found.macs_of_layer == by_hand and found.macs == sum(by_hand.values())
    assert propose(model, shape) == ("conv2", "hidden")
    check_prunable(model, ["conv1", "conv2", "hidden"], shape)
    small = cut(model, {"conv1": torch.arange(5), "conv2": torch.tensor([0, 3]), "hidden": torch.arange(4)}, shape)
    assert small.depthwise.weight.shape == (5, 1, 3) and small.conv2.weight.shape == (2, 5, 3)
    assert small.hidden.weight.shape == (4, 16) and small.bn1.num_features == 5
