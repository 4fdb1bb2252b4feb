"""Whole boards, looked at after every seed by somebody who stops when it suits them: how often they are wrong."""

import math

import numpy as np
import pytest

from prunemark.leaderboard.inference.any_time import log_e, path_of
from prunemark.leaderboard.standings.standings import stand

SEEDS, IMAGES, MARGIN, SD = 30, 10_000, 1.0, 0.5
QUANTUM = 100 / IMAGES


def board(generator, *, draw=None, images=IMAGES, seeds=SEEDS):
    """The anchor, an exact copy, a noise copy, one exactly a margin below and three others; in steps of 1/N."""
    draw = draw or (lambda size: generator.normal(0, SD, size))
    base = 85 + generator.normal(0, 0.5, seeds)
    shifts = {"anchor": 0.0, "noise copy": 0.0, "a margin below": -MARGIN, "far below": -3.0, "above": 0.8, "same": 0.0}
    scores = {name: base + shift + draw(seeds) for name, shift in shifts.items()}
    scores = {name: np.round(values * images / 100) * 100 / images for name, values in scores.items()}
    return {**scores, "copy": scores["anchor"]}


def judged(scores, images=IMAGES):
    scores = {name: values.tolist() for name, values in scores.items()}
    return stand(scores, {}, "anchor", quantum_percent=100 / images, margin_pp=MARGIN)


def false_of(found):
    """What the verdicts say that is false: a difference where there is none, or equivalence at the margin."""
    words = {name: verdict.word for name, verdict in found.verdicts.items()}
    wrong = [name for name in ("noise copy", "same", "copy") if words[name] in ("better", "worse")]
    wrong += [name for name in ("a margin below", "far below") if words[name] == "better"]
    return wrong + [f"{name} within" for name in ("a margin below", "far below") if found.verdicts[name].within_margin]


def test_copies_of_the_anchor_in_200_boards():
    """A verdict stays once it is said, so those at the last seed are all that were ever said."""
    generator = np.random.default_rng(2301)
    boards = [judged(board(generator)) for _ in range(200)]
    assert all(found.verdicts["copy"].word == "equivalent" for found in boards)
    assert sum(found.verdicts["noise copy"].word in ("better", "worse") for found in boards) <= 10
    assert sum(bool(false_of(found)) for found in boards) <= 10
    assert sum(found.verdicts["far below"].word == "worse" for found in boards) == 200
    assert sum(found.verdicts["noise copy"].word == "equivalent" for found in boards) > 150


def test_what_was_said_after_any_seed_is_still_said_after_the_last():
    """Which is why the last look holds all looks: in one field, no verdict and no rank is ever taken back."""
    generator = np.random.default_rng(11)
    for _ in range(10):
        scores, said, ranks = board(generator, seeds=15), {}, {}
        for seeds in range(2, 16):
            found = judged({name: values[:seeds] for name, values in scores.items()})
            for name, verdict in found.verdicts.items():
                assert said.get(name, verdict.word) in (verdict.word, "equivalent")
                if verdict.word != "undetermined":
                    said[name] = verdict.word
            for name, (low, high) in found.ranks.items():
                before = ranks.get(name, (1, 7))
                assert before[0] <= low and high <= before[1]
                ranks[name] = low, high


@pytest.mark.parametrize(
    ("images", "draw"),
    [
        (IMAGES, lambda generator: lambda size: SD * generator.standard_t(3, size) / math.sqrt(3)),
        (100, lambda generator: lambda size: generator.normal(0, SD, size)),
    ],
    ids=["heavy tails (t, 3 df)", "accuracies in steps of two sd"],
)
def test_heavy_tails_and_coarse_accuracies(images, draw):
    generator = np.random.default_rng(5)
    wrong = 0
    for _ in range(200):
        wrong += bool(false_of(judged(board(generator, draw=draw(generator), images=images), images)))
    assert wrong <= 10


def test_who_stops_each_method_at_its_best_moment_is_not_wrong_more_often():
    """Unequal seeds, chosen after the results are seen: by one's own evidence, and never past a gap."""
    generator = np.random.default_rng(6)
    wrong = 0
    for _ in range(200):
        scores = board(generator)
        for name, values in scores.items():
            if name != "anchor":
                evidence = log_e(path_of(values - scores["anchor"], quantum_percent=QUANTUM))
                scores[name] = values[: max(3, int(evidence.argmax()) + 1)]
        found = judged(scores)
        wrong += any(found.verdicts[name].word in ("better", "worse") for name in ("noise copy", "same", "copy"))
    assert wrong <= 10


def test_rank_intervals_cover_the_true_ranks_at_every_seed():
    """Of equal methods any order is a true one, so that all of their places have to be covered."""
    true = {"above": (1, 1), "a margin below": (6, 6), "far below": (7, 7)}
    generator = np.random.default_rng(8)
    missed = 0
    for _ in range(200):
        found = judged(board(generator)).ranks
        covered = (found[name][0] <= low and high <= found[name][1]
                   for name, (low, high) in {**dict.fromkeys(found, (2, 5)), **true}.items())  # fmt: skip
        missed += not all(covered)
    assert missed <= 10
