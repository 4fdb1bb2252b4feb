"""A commented document to fill in, empty or from a published row."""

from __future__ import annotations

from typing import Any

from prunemark.audit.document.comparison import SCHEMA
from prunemark.audit.literature.results import find_row
from prunemark.audit.literature.results_csv import document

HEAD = f"""\
# A comparison of two pruning pipelines, as a paper reports it. Read it with: prunemark audit THIS_FILE
# Leave out what the source does not say: not reported never counts as equal, and never as different.
# A value may also be  n/a  |  {{min: 1}}  |  {{range: [20, 30]}}  |  {{same_as: B}}  |  {{conflict: [x, y]}}
# or  {{value: 90, evidence: log}}  with stated, log, code_default or inferred.
schema: {SCHEMA}
claim:
  winner: A                  # names of entries
  loser: B
  kind: better               # or at_least_as_good, which needs  margin: 0.3  (points)
  credited_to: pruning       # or base, retraining, pipeline
  # metric: top1             # or top5, error, map, f1, perplexity, latency_ms, fps; default: what both report
# protocol: {{shared: true, locator: "Section 4.1", except: [selection]}}   # both arms ran under one stated protocol
entries:
"""
ENTRY = """\
  {name}:
    method: {method}
    kind: pruned             # or scratch, pruned_at_init, sparse_training (RigL), dense_to_sparse (STR, GMP), dense
    source: {{paper: , locator: , quoted: false}}   # quoted: copied from another paper, not run again
    dataset: ImageNet
    network: {{name: ResNet-50, dense_macs_millions: , dense_params_millions: }}
    granularity: filter      # or layer, block, weight, "2:4"
    speedup:                 # dense MACs / pruned MACs; or macs_kept_millions (2.1G), params_kept, sparsity (90%)
    base: {{id: , source: , top1: }}          # id: a hash or an address; top1 in percent
    stages:                  # in order; repeat: n for iterative pruning
      - {{stage: pretraining, epochs: , lr: }}
      - {{stage: pruning, epochs: 0}}         # epochs of training while pruning; 0 for one-shot
      - {{stage: retraining, epochs: , lr: }} # lr: "0:1e-2,30:1e-3" or {{kind: cosine, initial: 0.01, final: 0}}
    recipe: {{batch_size: , weight_decay: , label_smoothing: , distillation: , augmentation: }}
    result:
      top1:                  # percent; 75.24 +- 0.2 where nobody says what the spread is
      top1_sd:               # sample standard deviation over runs, in points
      runs:
      selection:             # last, mean, best_epoch_on_test, best_of_runs
      top1_drop_printed:     # as printed; it is checked against base and result
    # measured: {{device: A100, batch_size: 1}}   # only for metrics that need it
    # method_owned: [weight_decay]           # what is part of the method itself
    # tuning: {{configs_tried: 1}}
"""
TAIL = """\
# cross:                     # optional: A retrained by B's recipe, and B by A's
#   - {method: A, retraining: B, result: {top1: , top1_sd: , runs: }}
#   - {method: B, retraining: A, result: {top1: , top1_sd: , runs: }}
"""


def template(row: str | None = None) -> str:
    """A document to fill in; entry A from a published row, if one is named. Raises InputError for an unknown row."""
    if row is None:
        first = ENTRY.format(name="A", method="my method")
    else:
        found = find_row(row)
        where = f"{found.row.get('source_key', '')}, {found.row.get('locator', '')}"
        first = f"  A:                         # published row {found.id}: {where}\n{_yaml(document(found.row))}"
    return HEAD + first + ENTRY.format(name="B", method="the other method") + TAIL


def _yaml(value: dict[str, Any]) -> str:
    lines = []
    for key, item in value.items():
        if key == "stages":
            lines.append("    stages:")
            lines += [f"      - {_flow(stage)}" for stage in item]
        else:
            lines.append(f"    {key}: {_flow(item)}")
    return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    plain = text.replace("/", "").replace("-", "").replace(".", "").replace("_", "").replace(" ", "").isalnum()
    return text if plain and text.strip() == text else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
