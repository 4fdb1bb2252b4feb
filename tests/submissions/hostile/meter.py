"""Attacks on the count: training that no reading shows. Each is stopped by the seconds that the kernel counts."""

import gc
import threading
import time

import torch
from tools import honest, outer, won
from torch.nn import functional as F

from prunemark import Decision, PruningMethod

SECONDS = 1.5
BEYOND_GRANT = 10
"""Epochs: more than the tests grant, where it is the meter that stops them."""


def by_hand(model, batches, kept=None, context=None, seconds=SECONDS):
    """Plain training without an optimiser, for so many seconds of the processor."""
    end = time.process_time() + seconds
    model.train()
    while time.process_time() < end:
        for images, labels in batches:
            model.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            for weight in model.parameters():
                weight.data -= 0.01 * weight.grad
        if kept is not None:
            context.remove(model, kept)
    model.eval()


class CallsEngine(PruningMethod):
    """Rule: training is granted. Won: steps by the engine of autograd itself, with torch's functions unwatched."""

    def prune(self, model, context):
        from torch.autograd.variable import Variable

        batches, kept = list(context.batches()), honest(context, model)
        end = time.process_time() + SECONDS
        model.train()
        with torch._C.DisableTorchFunction():
            while time.process_time() < end:
                for images, labels in batches:
                    model.zero_grad()
                    loss = F.cross_entropy(model(images), labels)
                    Variable._execution_engine.run_backward(
                        (loss,), (torch.ones(()),), False, False, (), allow_unreachable=True, accumulate_grad=True
                    )
                    for weight in model.parameters():
                        weight.data.sub_(weight.grad, alpha=0.01)
        return won(kept)


class TrainsByNumpy(PruningMethod):
    """Rule: training is granted. Won: a classifier fitted by numpy, which no hook of torch sees."""

    def prune(self, model, context):
        import numpy as np

        seen, batches = [], list(context.batches())
        hook = model.classifier.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        with torch.no_grad():
            for images, _ in batches:
                model(images)
        hook.remove()
        features, targets = torch.cat(seen).double().numpy(), np.eye(10)[torch.cat([y for _, y in batches]).numpy()]
        weight, end = np.zeros((features.shape[1], 10)), time.process_time() + 4 * SECONDS  # a busy machine allows more
        while time.process_time() < end:
            logits = features @ weight
            shares = np.exp(logits - logits.max(1, keepdims=True))
            shares /= shares.sum(1, keepdims=True)
            weight -= 0.5 * features.T @ (shares - targets) / len(features)
        with torch.no_grad():
            model.classifier.weight.copy_(torch.tensor(weight.T))
        return won(honest(context, model))


class SwitchesMeterOff(PruningMethod):
    """Rule: the meter is the harness's. Won: found among all objects, and made to count nothing."""

    def prune(self, model, context):
        for thing in gc.get_objects():
            if type(thing).__name__ == "Meter":
                type(thing).executed = type(thing).backward_run = type(thing).foreign_step = lambda *_, **__: None
        batches, kept = list(context.batches()), honest(context, model)
        by_hand(model, batches, kept, context)
        return won(kept)


class SetsMeterBack(PruningMethod):
    """Rule: the meter is the harness's. Won: taken off a frame above, and its counts set back after the training."""

    def prune(self, model, context):
        meter, batches, kept = outer("meter"), list(context.batches()), honest(context, model)
        before, grant = dict(meter.__dict__), meter.grant
        meter.grant = None
        by_hand(model, batches, kept, context)
        meter.__dict__.update(before)
        meter.grant = grant
        return won(kept)


class PausesWatch(PruningMethod):
    """Rule: the watch is the harness's. Won: paused by its own means while the method trains."""

    def prune(self, model, context):
        batches, kept = list(context.batches()), honest(context, model)
        with outer("watch").paused():
            by_hand(model, batches)
        return won(kept)


class TrainsWhenRead(PruningMethod):
    """Rule: training is granted. Won: a mapping that trains when the harness reads it, after the count is settled."""

    def prune(self, model, context):
        kept, batches = honest(context, model), list(context.batches())

        class Lazy(dict):
            def items(self):
                by_hand(model, batches)
                return super().items()

        return Decision(Lazy(kept.kept), {}, "won lazily")


class TrainsInModel(PruningMethod):
    """Rule: training is granted. Won: a network whose state is trained anew when the harness asks for it."""

    def prune(self, model, context):
        kept, batches, plain = honest(context, model), list(context.batches()), type(model)

        class Lazy(plain):
            def state_dict(self, *arguments, **named):
                if "batches" in self.__dict__:
                    by_hand(self, self.__dict__.pop("batches"))
                return super().state_dict(*arguments, **named)

        model.__class__ = Lazy
        model.__dict__["batches"] = batches
        return won(kept)


class TrainsInThread(PruningMethod):
    """Rule: training is granted. Won: a thread of libc's kind trains on while the harness writes the weights."""

    def prune(self, model, context):
        import ctypes

        kept, batches = honest(context, model), list(context.batches())

        def work(_):
            for _ in range(BEYOND_GRANT):
                by_hand(model, batches, seconds=0.001)  # one epoch, at least
            return 0

        body = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(work)
        thread = ctypes.c_ulong()
        ctypes.CDLL(None).pthread_create(ctypes.byref(thread), None, body, None)
        ctypes.CDLL(None).pthread_join(thread, None)
        return won(kept)


class TrainsInHook(PruningMethod):
    """Rule: training is granted. Won: steps of its own inside the harness's loop, by a hook that counts as one step."""

    def prune(self, model, context):
        kept, batches = honest(context, model), list(context.batches())

        def after(_):
            if batches:
                with outer("watch").paused():
                    by_hand(model, batches)
                batches.clear()

        context.train(model, epochs=1, after_step=after)
        return won(kept)


class TrainsByTransform(PruningMethod):
    """Rule: training is granted. Won: gradients by torch.func, in a thread that no watch was put on."""

    def prune(self, model, context):
        kept, batches = honest(context, model), list(context.batches())
        state = {name: value.detach() for name, value in model.named_parameters()}
        buffers = dict(model.named_buffers())

        def loss(weights, images, labels):
            return F.cross_entropy(torch.func.functional_call(model, (weights, buffers), (images,)), labels)

        with torch._C.DisableTorchFunction():
            for _ in range(BEYOND_GRANT):
                for images, labels in batches:
                    slope = torch.func.grad(loss)(state, images, labels)
                    state = {name: value - 0.01 * slope[name] for name, value in state.items()}
        with torch.no_grad():
            for name, weight in model.named_parameters():
                weight.copy_(state[name])
        return won(kept)


class TrainsOnOtherImages(PruningMethod):
    """Rule: the harness trains. Won: its loss replaced, so that its training is another one."""

    def prune(self, model, context):
        real = F.cross_entropy
        F.cross_entropy = lambda logits, labels, **named: real(logits, labels.flip(0), **named)
        torch.optim.SGD.step = lambda self, closure=None: None
        context.train(model, epochs=1)
        return honest(context, model)


class TrainsThenClaims(PruningMethod):
    """Rule: narrow lanes have the harness's weights. Won: weights of one's own, under the name of the base model's."""

    def prune(self, model, context):
        kept, batches, asking = honest(context, model), list(context.batches()), outer("asking")
        by_hand(model, batches, seconds=0.1)
        type(asking).start_of = lambda self, model: next(iter(self._known.values()))
        return kept


class ReadingOfNothing(PruningMethod):
    """Rule: the harness's training is counted. Won: epochs that it carried out are missing from the reading."""

    def prune(self, model, context):
        context.train(model, epochs=1)
        meter = outer("meter")
        meter.lr.clear()
        meter.steps = meter.samples = meter.forward_macs = meter.backward_macs = meter.passes = 0
        return won(honest(context, model))


class ThreadAfterTheEnd(PruningMethod):
    """Rule: it ends with its decision. Won: a thread that changes files after the harness has begun to read them."""

    def prune(self, model, context):
        def later():
            while True:
                with open("masks.safetensors", "wb") as file:
                    file.write(b"mine")

        kept = honest(context, model)
        threading.Thread(target=later, daemon=True).start()
        return kept
