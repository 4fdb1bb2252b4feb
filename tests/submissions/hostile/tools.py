"""What attacks share: an honest decision to hide behind, the harness's own frames, and a word that says "won".

An attack returns `won(...)` only when it got through. Where it is stopped it returns the honest decision, or fails.
"""

import json
import os
import sys
import sysconfig
from pathlib import Path

from prunemark import Decision


def honest(context, model):
    """What L1-norm decides."""
    return context.decide({group: group.layer(model).weight.flatten(1).abs().sum(1) for group in context.groups})


def won(decision, what=""):
    """The same decision; its allocation, which goes on the record, says that the attack went through."""
    return Decision(decision.kept, decision.masks, f"won {what}"[:40])


def outer(name):
    """A variable of the nearest frame above that has it: a fork keeps the frames of the process it was forked from."""
    frame = sys._getframe(1)
    while frame is not None and name not in frame.f_locals:
        frame = frame.f_back
    return frame.f_locals[name] if frame else None


def places():
    """Where there is something to win: told by the test, or found from the harness's own frames."""
    if told := outer("places"):
        return told
    root = Path(outer("run").store.root).parent
    packages = Path(sysconfig.get_path("purelib"))
    return {"root": root, "site": root / "site", "marks": root / "marks", "packages": packages, "port": 47999}


def store():
    """The harness's folder of results, and below it the base model, the test split and other trials."""
    return Path(outer("base")).parent


def reached(*attempts):
    """Whether any of the attempts got through: each raises where it is stopped."""
    for attempt in attempts:
        try:
            attempt()
        except Exception as problem:
            if isinstance(problem, OSError) or type(problem).__name__ == "NotAllowed" or "not allowed" in str(problem):
                continue
            raise
        return True
    return False


def forged(model, kept, **files):
    """Writes what the harness's code in this process would write, with these files instead, and leaves with its token.

    A value is bytes, text, something for JSON, or a function that makes the file itself.
    """
    from safetensors.torch import save

    names = {name: sorted(index.tolist()) for name, index in kept.kept.items()}
    counts = {name: len(index) for name, index in names.items()}
    zeros = ("epochs", "steps", "samples", "train_flops", "forward_macs", "backward_macs", "scoring_epochs")
    content = {
        "weights": save({name: tensor.clone().contiguous() for name, tensor in model.state_dict().items()}),
        "masks": save({}),
        "decision": {"kept": names, "counts": counts, "allocation": "won forged"},
        "stage": dict.fromkeys(zeros, 0) | {"lr": []},
        "done": outer("token"),
    } | files
    endings = {
        "weights": ".safetensors",
        "masks": ".safetensors",
        "decision": ".json",
        "stage": ".json",
        "error": ".json",
    }
    for name, value in content.items():
        path = Path(name + endings.get(name, ""))
        if callable(value):
            value(path)
        elif isinstance(value, bytes):
            path.write_bytes(value)
        elif value is not None:
            path.write_text(value if isinstance(value, str) else json.dumps(value))
    os._exit(0)
