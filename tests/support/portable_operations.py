"""A script that test_arithmetic.py runs: what torch computes in portable arithmetic, a hash for each operation."""

import hashlib
import json

import torch
from torch.nn import functional as F

from prunemark.benchmark.training import arithmetic


def digest(*tensors):
    """SHA-256 over the bytes of tensors."""
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(tensor.detach().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


def elementwise(draw):
    """Functions of single elements, and sums. The square root is left out: see docs/decisions/, portable arithmetic."""
    x = draw(128, 100)
    above = x.abs()
    return {
        "randn": digest(x), "exp": digest(x.exp()), "log": digest(above.log()), "pow": digest(above**1.7),
        "inverse root": digest(above.rsqrt()), "sigmoid": digest(torch.sigmoid(x)), "tanh": digest(torch.tanh(x)),
        "gelu": digest(F.gelu(x), x.erf()), "softmax": digest(F.softmax(x, 1), F.log_softmax(x, 1)),
        "sum": digest(x.sum(), x.sum(0), x.mean(), x.norm(), x.std(0)), "sort": digest(*torch.sort(x)),
        "multiply and add": digest(torch.lerp(x, above, 0.3), x.addcmul(above, x, value=0.3), x.addcdiv(x, above + 1)),
    }  # fmt: skip


def products(draw):
    """Matrix products and decompositions."""
    a, square = draw(128, 100), draw(20, 20)
    definite = torch.eye(20) * 30 + square @ square.t()
    return {
        "product": digest(a @ draw(100, 50), a.t() @ draw(128, 50)),
        "cholesky": digest(torch.linalg.cholesky(definite)),
        "eigenvalues": digest(torch.linalg.eigvalsh(definite)),
        "singular values": digest(torch.linalg.svdvals(square), torch.linalg.svdvals(square.double())),
        "solution": digest(torch.linalg.solve(definite, square), torch.linalg.inv(definite.double())),
    }


def layers(draw):
    """Layers forward and backward: outputs, and gradients of inputs and weights."""
    found = {}
    for inputs, outputs, stride in ((1, 8, 1), (16, 32, 1), (13, 7, 2)):
        x, weight = draw(128, inputs, 8, 8).requires_grad_(), draw(outputs, inputs, 3, 3).requires_grad_()
        y = F.conv2d(x.contiguous(memory_format=torch.channels_last), weight, stride=stride, padding=1)
        (y * torch.linspace(-1, 1, y.numel()).reshape(y.shape)).sum().backward()
        found[f"convolution {inputs}-{outputs}"] = digest(y, x.grad, weight.grad)
    x, scale, shift = draw(128, 16, 8, 8).requires_grad_(), draw(16).requires_grad_(), draw(16).requires_grad_()
    y = F.batch_norm(x, None, None, scale, shift, True)
    (y * torch.linspace(-1, 1, y.numel()).reshape(y.shape)).sum().backward()
    found["batch norm"] = digest(y, x.grad, scale.grad, shift.grad)
    x, weight, bias = draw(128, 64), draw(10, 64).requires_grad_(), draw(10).requires_grad_()
    loss = F.cross_entropy(F.linear(x, weight, bias), torch.arange(128) % 10)
    loss.backward()
    return found | {"classifier": digest(loss, weight.grad, bias.grad)}


def everything():
    """All operations in one thread, from one seed."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator)

    return elementwise(draw) | products(draw) | layers(draw)


if __name__ == "__main__":
    arithmetic.use("portable")
    built = [
        line.strip(" -") for line in torch.__config__.show().splitlines() if "Math Kernel" in line or "DNN v" in line
    ]
    libraries = [f"torch {torch.__version__.partition('+')[0]}", *built]
    print(json.dumps({"libraries": libraries, "operations": everything()}, indent=2))
