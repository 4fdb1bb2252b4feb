"""Attacks on the trainer, the one process of the harness that a method can talk to."""

import json
import os

import torch
from safetensors.torch import save
from tools import forged, honest, outer, won

from prunemark import PruningMethod


def said(words, tensors=b""):
    """Sends a message, and gives the words of the answer."""
    pipe = outer("asking").pipe
    text = words if isinstance(words, bytes) else json.dumps(words).encode()
    pipe.send_bytes(len(text).to_bytes(8, "little") + text + tensors)
    answer = pipe.recv_bytes()
    return json.loads(answer[8 : 8 + int.from_bytes(answer[:8], "little")])


def training(**changed):
    request = {"ask": "train", "start": 0, "removed": 0, "decisions": [], "epochs": 1, "lr": "1e-2", "pass": 1}
    return request | changed


class Asks(PruningMethod):
    """Asks for what is not granted; won where any of it is answered with something else than an error."""

    def requests(self):
        return ()

    def prune(self, model, context):
        kept = honest(context, model)
        for request in self.requests():
            words = said(*request) if isinstance(request, tuple) else said(request)
            if "error" not in words:
                return won(kept, type(self).__name__)
        return kept


class AsksForManyEpochs(Asks):
    """Rule: epochs are granted. Won: the trainer trains more, or ends of the memory that a schedule takes."""

    def requests(self):
        for epochs in (10**9, 10**30, 61, -1, True, 1.0, "1", None, [1]):
            yield training(epochs=epochs)


class AsksWithLongSchedule(Asks):
    """Rule: bounded. Won: an LR that the trainer reads for ever, or fails on."""

    def requests(self):
        for lr in ("0:1e-2," * 10**6, "0:" + "9" * 4000, "1e999", "nan", "-1", "\n", "x" * 10**6, 1e-2, ["1e-2"]):
            yield training(lr=lr)


class AsksForOtherImages(Asks):
    """Rule: the order of the images follows the seed. Won: a pass taken twice, or one that does not exist."""

    def requests(self):
        for number in (0, -1, 10**4000, True, "1", None):
            yield training(**{"pass": number})


class AsksForOtherWeights(Asks):
    """Rule: the harness starts from weights that it made. Won: it starts from others."""

    def requests(self):
        for start in (1, -1, 10**30, "0", None, False, [0], {"a": 0}):
            yield training(start=start)
            yield {"ask": "result", "start": start, "removed": 0, "decisions": []}


class AsksWithWrongMasks(Asks):
    """Rule: masks fit the network. Won: the trainer fails on one, and with it the run."""

    def requests(self):
        for mask in (torch.zeros(3, dtype=torch.float8_e4m3fn), torch.zeros(0), torch.zeros(()), torch.zeros(2, 2)):
            yield training(decisions=[{"kept": {}}]), save({"0/conv1": mask})
        yield training(decisions=[{"kept": {}}]), save({"7/conv1": torch.zeros(1, dtype=torch.uint8)})
        for kept in ({"": [0]}, {"conv1": []}, {"conv1": [0, 0]}, {"conv1": [2**40]}, {"fc": [0]}, [], 3):
            yield training(decisions=[{"kept": kept}])
        yield training(decisions="x" * 1000)
        yield training(decisions=[[]] * 999)


class AsksWithBombs(Asks):
    """Rule: bounded. Won: lists in lists, or a million names, take the trainer's memory or its time."""

    def requests(self):
        yield b"[" * 200_000
        yield b'{"ask":[' + b"[]," * 3_000_000 + b"[]]}"
        yield b'{"ask":"train","ask":"result"}'
        yield b'{"ask":"train","epochs":NaN}'
        empty = torch.zeros(0, dtype=torch.uint8)
        yield training(decisions=[{"kept": {}}] * 1000), save({f"x{number}": empty for number in range(20_000)})
        yield training(), b"\xff" * 1000
        yield training(), (90_000_000).to_bytes(8, "little") + b"{"


class AsksForMuchEarlier(PruningMethod):
    """Rule: bounded. Won: the trainer trains the base model's beginning again and again."""

    def prune(self, model, context):
        kept, answers = honest(context, model), []
        for _ in range(8):
            answers.append(said({"ask": "earlier", "epoch": 1}))
        return won(kept) if "error" not in answers[-1] else kept


class SaysHalfAWord(PruningMethod):
    """Rule: bounded. Won: a message without its end, then silence, and the harness waits for ever."""

    def prune(self, model, context):
        os.write(outer("asking").pipe.fileno(), b"\x00\x00\x10\x00half")
        forged(model, honest(context, model), weights=None)


class SaysTooMuch(PruningMethod):
    """Rule: bounded. Won: a message of two gigabytes is awaited, and the trainer's memory goes."""

    def prune(self, model, context):
        os.write(outer("asking").pipe.fileno(), b"\x7f\xff\xff\xff" + bytes(1000))
        kept = honest(context, model)
        forged(model, kept, weights=None)


class TrainsWithoutGrant(PruningMethod):
    """Rule: what the harness trains is counted. Won: trained by a request of its own, and not in the reading."""

    def prune(self, model, context):
        answer = said(training())
        said({"ask": "result", "start": answer["state"], "removed": 0, "decisions": []})
        return won(honest(context, model))


class LeavesTrainerBusy(PruningMethod):
    """Rule: bounded. Won: it asks for work, does not wait for it, and the run fails when the harness gives up."""

    def prune(self, model, context):
        pipe, kept = outer("asking").pipe, honest(context, model)
        for number in range(1, 6):
            text = json.dumps(training(**{"pass": number})).encode()
            pipe.send_bytes(len(text).to_bytes(8, "little") + text)
        forged(model, kept)
