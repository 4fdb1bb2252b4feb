"""The rulebook: what must be equal for a comparison to be fair, and what a pruning pipeline is.

Pure Python: nothing here imports torch, so the rules load in milliseconds and serve three uses alike
(the harness enforces them, verifies them on what was executed, and audits published work against them).
"""
