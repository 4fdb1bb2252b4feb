"""Trials that are only pretended: a record each, with the accuracy that a test says, and a clock that they move."""

import dataclasses
from dataclasses import dataclass, field

import numpy as np

from prunemark.benchmark.submission.locate import MethodSource
from prunemark.benchmark.trial.plan import Request, make_trials
from prunemark.benchmark.trial.trial import Entrant
from prunemark.records.record import dump
from prunemark.setups.comparison import find_setup
from prunemark.setups.track_files import find_track

TRACK = find_track("digits-resnet8")
MINE = Entrant("Mine", "pruned", "submission", MethodSource("mine.py", "Mine", "m" * 64, "c" * 64, "mine.py"), ())
ANCHOR = Entrant("L1-norm", "pruned", "anchor", MethodSource("l1.py", "L1Norm", "a" * 64, "d" * 64, "l1.py"), ())
TRIAL_SECONDS = 2.2  # what make_record says that a trial took


def request(levels=("50%", "90%"), seeds=5):
    return Request(TRACK, find_setup("S3.2"), [TRACK.level(level) for level in levels], range(seeds))


def planned(asked):
    return make_trials(asked, MINE, [ANCHOR])


@dataclass
class Pretended:
    """`difference(level)` is the true one in points, `sd` its noise by seed. Trials take `slower` times as
    long as usual, and `recorded` times as long by their records. `ran` are the trials that were new.
    """

    home: object
    make_record: object
    differences: dict
    sd: float = 0.4
    slower: float = 1.0
    recorded: float = 1.0
    workers: int = 2
    now: float = 0.0
    ran: list = field(default_factory=list)
    rounds: list = field(default_factory=list)
    said: list = field(default_factory=list)

    def percent(self, trial):
        noise = np.random.default_rng([trial.seed, int(trial.level.name[:-1])]).normal(0, 1, 2)
        anchor = 90 + 0.5 * noise[0]
        return anchor if trial.entrant == ANCHOR else anchor + self.differences[trial.level.name] + self.sd * noise[1]

    def run(self, trials):
        records, new = [], []
        for trial in trials:
            entrant = trial.entrant
            record = self.make_record(
                entrant.name, trial.seed, self.percent(trial), level=trial.level.name, role=entrant.role,
                source=entrant.source.sha256,
            )  # fmt: skip
            seen = dataclasses.replace(record.observed, retraining_seconds=2.0 * self.recorded)
            record = dataclasses.replace(record, observed=seen)
            path = self.home.records / f"{record.record_sha256}.json"
            if not path.exists():
                path.write_text(dump(record))
                new.append(trial)
            records.append(record)
        self.now += TRIAL_SECONDS * self.slower * len(new) / self.workers
        self.ran += new
        self.rounds.append(new)
        return records

    def clock(self):
        return self.now

    def seeds(self, level, entrant=MINE):
        return sorted(trial.seed for trial in self.ran if (trial.level.name, trial.entrant) == (level, entrant))
