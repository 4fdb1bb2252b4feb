"""Attacks by what comes back: files, numbers and tensors that the harness did not write."""

import errno
import json
import os

import torch
from safetensors.torch import save
from tools import forged, honest, outer

from prunemark import PruningMethod


class Forges(PruningMethod):
    """Leaves with files of its own making; `files` says which are others than the harness's code would write."""

    def files(self, model, kept):
        return {}

    def prune(self, model, context):
        kept = honest(context, model)
        forged(model, kept, **self.files(model, kept))


def plain(kept, **changed):
    names = {name: sorted(index.tolist()) for name, index in kept.kept.items()}
    counts = {name: len(index) for name, index in names.items()}
    return {"kept": names, "counts": counts, "allocation": "won forged"} | changed


class ForgesAll(Forges):
    """Rule: training is counted. Won: weights trained for long, with an empty reading in the harness's own form."""

    def files(self, model, kept):
        import time

        end = time.process_time() + 1.5
        while time.process_time() < end:
            with torch.no_grad():
                for weight in model.parameters():
                    weight.add_(torch.randn_like(weight) * 1e-4)
        return {}


class AllocationOfHtml(Forges):
    """Rule: an allocation is a word or two. Won: 200 kB of HTML on the record."""

    def files(self, model, kept):
        return {"decision": plain(kept, allocation="<img src=x onerror=alert(1)>" + "A" * 200_000)}


class AllocationOfControls(Forges):
    """Rule: text is text. Won: a line of its own on a terminal, or a name that reads backwards."""

    def files(self, model, kept):
        return {"decision": plain(kept, allocation="uniform\n\x1b[2J\u202ewon")}


class DeepBrackets(Forges):
    """Rule: JSON that can be read. Won: the harness ends by recursion."""

    def files(self, model, kept):
        return {"decision": "[" * 100_000}


class NamesTwice(Forges):
    """Rule: JSON that says one thing. Won: two readers of one file see two decisions."""

    def files(self, model, kept):
        text = json.dumps(plain(kept))
        return {"decision": text[:-1] + ', "allocation": "uniform"}'}


class NumbersThatAreNone(Forges):
    """Rule: readings are numbers. Won: NaN or infinity on the record."""

    def files(self, model, kept):
        return {"stage": '{"epochs": NaN, "lr": [Infinity], "steps": 0, "samples": 0, "train_flops": -1}'}


class NumbersOfDigits(Forges):
    """Rule: bounded. Won: an integer of a hundred thousand digits keeps the harness busy."""

    def files(self, model, kept):
        return {"stage": '{"epochs": ' + "9" * 100_000 + "}"}


class ReadingBelowZero(Forges):
    """Rule: readings are sound. Won: a reading that lowers what the board adds up."""

    def files(self, model, kept):
        zeros = dict.fromkeys(("epochs", "steps", "samples", "forward_macs", "backward_macs", "scoring_epochs"), 0)
        return {"stage": zeros | {"lr": [], "train_flops": -(10**18)}}


class ReadingOfTruths(Forges):
    """Rule: a count is a number. Won: `true` passes for an epoch."""

    def files(self, model, kept):
        zeros = dict.fromkeys(("steps", "samples", "train_flops", "forward_macs", "backward_macs"), 0)
        return {"stage": zeros | {"lr": [1e-2], "epochs": True, "scoring_epochs": False}}


class WaitingFile(Forges):
    """Rule: bounded. Won: the harness waits for a writer that never comes."""

    def files(self, model, kept):
        return {"decision": lambda path: os.mkfifo(path)}


class FolderAsFile(Forges):
    """Rule: plain files. Won: the harness fails on a folder."""

    def files(self, model, kept):
        return {"decision": lambda path: path.mkdir(), "masks": lambda path: path.mkdir()}


class LinkedWeights(Forges):
    """Rule: only its own files. Won: weights of the store come back as its own."""

    def files(self, model, kept):
        target = f"{outer('base')}/weights.safetensors"
        return {"weights": lambda path: os.symlink(target, path)}


class HoleyFile(Forges):
    """Rule: bounded. Won: a file that is a terabyte long and takes no room is read into memory."""

    def files(self, model, kept):
        def holes(path):
            with path.open("wb") as file:
                os.ftruncate(file.fileno(), 1 << 40)

        return {"weights": holes}


class LongHeader(Forges):
    """Rule: bounded. Won: a header of safetensors that promises more than there is."""

    def files(self, model, kept):
        return {"weights": (1 << 62).to_bytes(8, "little") + b"{}", "masks": (90_000_000).to_bytes(8, "little")}


class OverlappingTensors(Forges):
    """Rule: tensors are what they say. Won: two names for the same bytes, or a shape whose size overflows."""

    def files(self, model, kept):
        header = json.dumps({
            "a": {"dtype": "F32", "shape": [2**31, 2**31, 4], "data_offsets": [0, 4]},
            "b": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
        }).encode()  # fmt: skip
        return {"weights": len(header).to_bytes(8, "little") + header + bytes(4)}


class MasksOfTwos(Forges):
    """Rule: masks are zeros and ones. Won: weights multiplied by what is neither."""

    def files(self, model, kept):
        return {"masks": save({"conv1": torch.full((16, 1, 3, 3), 2, dtype=torch.uint8)})}


class MasksOnFilters(Forges):
    """Rule: a decision of filters. Won: single weights go too, uncounted."""

    def files(self, model, kept):
        name = next(iter(kept.kept))
        return {"masks": save({name: torch.zeros(16, 1, 3, 3, dtype=torch.uint8)})}


class MasksOfNoSize(Forges):
    """Rule: masks have the shape of a layer. Won: a mask without elements, or without dimensions, passes."""

    def files(self, model, kept):
        masks = {"a": torch.zeros(0, dtype=torch.uint8), "b": torch.ones((), dtype=torch.uint8)}
        return {"masks": save(masks), "decision": plain(kept, counts={"a": 0, "b": 1})}


class SaysImagesAreGone(Forges):
    """Rule: no text of a child ends a run. Won: the user is told that the images are damaged, and the run ends."""

    def files(self, model, kept):
        words = {"status": "failed", "rule": "the images", "evidence": "X: your images are gone", "traceback": ""}
        return {"error": words}


class SaysDiskIsFull(PruningMethod):
    """Rule: no text of a child ends a run. Won: the run ends, since a full disk is no fault of a method."""

    def prune(self, model, context):
        raise OSError(errno.ENOSPC, "No space left on device")


class SaysItIsNoError(Forges):
    """Rule: a status is one of a few words. Won: 'ok' by an error file."""

    def files(self, model, kept):
        return {"error": {"status": "ok", "rule": 1, "evidence": ["won"] * 10_000, "traceback": None}}


class LongError(PruningMethod):
    """Rule: text has bounds. Won: megabytes of escapes in the record's evidence."""

    def prune(self, model, context):
        raise RuntimeError("\x1b[2J\u202e\n" * 500_000)


class ErrorThatCannotBeShown(PruningMethod):
    """Rule: no crash of a child ends a run. Won: the harness fails while it puts the error into words."""

    def prune(self, model, context):
        class Silent(Exception):
            def __str__(self):
                raise SystemExit("no words")

        raise Silent


class UntrainedTwice(Forges):
    """Rule: imposed epochs are trained. Won: a method that says twice that it trained nothing is run for ever."""

    def files(self, model, kept):
        return {"untrained": b""}
