"""Gradual magnitude pruning: a little at a time, while training goes on."""

from __future__ import annotations

from prunemark.baselines.magnitude import Magnitude
from prunemark.benchmark.method import ALLOCATIONS, WHOLE_NUMBER, About, setting


class GradualMagnitude(Magnitude):
    """Zhu & Gupta, 2017 (AGP), eq. 1: magnitude pruning to a sparsity that rises by a cubic ramp during training.

    Each layer loses the same share, as in the paper, and what is removed stays removed. The paper prunes every 100 to
    1,000 steps; the harness trains whole epochs between two steps of the ramp, by default 3, and each time with new
    momentum. Pruning ends with the last of these epochs, then comes the retraining that the setup gives.

    Under SX-A and SX-B it begins after 40 % of the epochs and prunes in half of what is left: a choice made here.

    The LR of these epochs is the harness's, a constant 0.01, and no setting: only S4.2 imposes another. The paper
    prunes under the falling LR of the training itself, and warns of one too low or too high while weights go.
    """

    about = About(
        paper="Zhu & Gupta: To Prune, or Not to Prune, 2017 (workshop of ICLR 2018), arXiv:1710.01878",
        formula="s_t = s_f + (s_i - s_f) (1 - (t - t0) / (n dt))^3 with s_i = 0 (eq. 1)",
        criterion="magnitude",
        ratio="the same in every layer (by the setting allocation)",
        schedule="cubic ramp, training between the steps",
        epochs=30,
        test="tests/baselines/test_unstructured_rounds.py",
    )
    prune_at = 0.4
    pruning_share = 0.5
    allocation: str = setting(
        "uniform", "uniform: one ratio for all layers; global: one ranking over all layers", ALLOCATIONS
    )
    schedule: str = setting("agp:10", "agp:K for K steps of the cubic ramp", "agp:[1-9][0-9]{0,2}")
    epochs: int = setting(30, "training epochs, as far as granted, spread over the steps", WHOLE_NUMBER)
