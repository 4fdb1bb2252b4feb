"""Jobs as tasks of SLURM: what sbatch is given, what becomes of tasks that fall silent, and real ones of submitit."""

import os
import stat
import sys
from types import SimpleNamespace

import pytest
from support.clusters import ESCAPE, HERE, home_in, job, outcomes, trials_of

from prunemark.benchmark.run import slurm_tasks
from prunemark.benchmark.run.executor import LocalProcesses
from prunemark.benchmark.run.slurm_tasks import SlurmTasks, Task, say, words_after
from prunemark.setups.errors import InputError, WorkFailed, lacking

pytestmark = [
    pytest.mark.skipif(bool(lacking("slurm")), reason="the extra slurm is not installed"),
    pytest.mark.filterwarnings("ignore:subprocess .* is still running"),  # submitit lets its local controllers be
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SBATCH = """#!/bin/sh
cp "$1" "$(dirname "$0")/given.sh"
echo Submitted batch job 7
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(HERE), *sys.path])
    return home_in(tmp_path / "home").root


@pytest.fixture
def sbatch(tmp_path, monkeypatch):
    """A SLURM that notes what it is given, and says what a test wants of its tasks."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("sbatch", SBATCH), ("srun", "#!/bin/sh\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder / "given.sh"


def engine(home, **options):
    asked = SlurmTasks(home, poll_seconds=0.01, **options)
    return slurm_tasks._Tasks(asked, asked._submitter(), slurm_tasks.in_common(home))


def test_what_can_start_is_one_array_with_a_cap_that_is_requeued(home, sbatch):
    options = {"partition": "gpu", "time": "90", "gres": "shard:1", "mail-user": "me@lab"}
    tasks = engine(home, workers=5, options=options)
    assert tasks.start([job(f"{n}", "double", n) for n in range(3)]) == []
    given = sbatch.read_text().splitlines()
    for line in ("--array=0-2%3", "--partition=gpu", "--time=90", "--requeue", "--gres=shard:1", "--mail-user=me@lab",
                 "--job-name=prunemark", "--cpus-per-task=1", "--signal=USR2@90"):  # fmt: skip
        assert f"#SBATCH {line}" in given, line
    assert f"#SBATCH --output={home}/slurm/%A_%a_0_log.out" in given
    assert tasks.room() == 2 and tasks.running() == ["0", "1", "2"]
    assert stat.S_IMODE((home / "slurm").stat().st_mode) == 0o700
    tasks.stop()
    assert not list((home / "slurm").glob("*.pkl"))


def test_gpus_are_whole_ones(home, sbatch):
    engine(home, gpus=2.0).start([job("a", "double", 1)])
    assert "#SBATCH --gpus-per-node=2" in sbatch.read_text().splitlines()
    with pytest.raises(InputError, match=r"whole GPUs; given --gpus-per-trial 0\.25"):
        SlurmTasks(home, gpus=0.25)


def test_what_sbatch_refuses_is_said_in_its_words(home, sbatch):
    sbatch.with_name("sbatch").write_text("#!/bin/sh\necho 'invalid partition specified: gp' >&2; exit 1\n")
    ((_, problem),) = engine(home).start([job("a", "double", 1)])
    assert isinstance(problem, WorkFailed) and "invalid partition specified: gp" in str(problem)


def test_without_slurm_it_is_refused(home, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="there is no sbatch here"):
        SlurmTasks(home)


class Silent:
    """A task of submitit's that says nothing, and what SLURM says of it."""

    def __init__(self, state, folder):
        self.state, self.job_id, self.cancelled = state, "7_0", False
        self.paths = SimpleNamespace(
            stderr=folder / "err", submitted_pickle=folder / "submitted", result_pickle=folder / "result"
        )

    def done(self):
        return False

    def get_info(self, mode):
        if self.state == "no sacct":
            raise FileNotFoundError("sacct")
        return {"State": self.state}

    def cancel(self, check):
        self.cancelled = True


@pytest.mark.parametrize(
    ("state", "running", "lost"),
    [
        ("PENDING", True, False), ("REQUEUED", True, False), ("RUNNING", False, False), ("RUNNING", True, True),
        ("NODE_FAIL", True, True), ("CANCELLED by 0", False, True), ("no sacct", True, True),
        ("no sacct", False, False), ("UNKNOWN", False, False),
    ],
)  # fmt: skip
def test_a_task_that_fell_silent_is_lost_only_if_slurm_does_not_have_it(home, sbatch, state, running, lost):
    now = [0.0]
    tasks = engine(home, silent_seconds=100)
    tasks.clock = lambda: now[0]
    silent = Silent(state, home)
    tasks.tasks.append(slurm_tasks._Submitted(job("a", "double", 1), silent, home / "words", 0.0, running=running))
    ended = []
    for now[0] in (50.0, 101.0, 102.0):
        ended += tasks.listen(lambda event: None, 0.0)
    assert silent.cancelled == lost and [str(problem) for _, problem in ended] == (
        [f"a was ended by the machine: its task 7_0 is {state}; see {home}/err"] if lost else []
    )


def test_words_are_read_whole_and_once(tmp_path):
    path = tmp_path / "words"
    assert words_after(path, 0) == ([], 0)
    say(path, ("started", None))
    first, at = words_after(path, 0)
    say(path, ("report", ("half way", 21)))
    assert first == [("started", None)] and words_after(path, at)[0] == [("report", ("half way", 21))]
    whole = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"\x09\0\0\0\0\0\0\0half")  # killed in the middle of a word
    assert words_after(path, at)[1] == whole
    slurm_tasks._cut_to_whole_words(path)
    assert path.stat().st_size == whole


def test_a_task_that_has_to_go_says_so_and_is_handed_in_again(tmp_path):
    path = tmp_path / "words"
    task = Task(job("a", "double", 1), None, str(path))
    assert task.checkpoint().function == task and words_after(path, 0)[0] == [("requeued", None)]


@pytest.mark.slow
def test_tasks_of_submitit_on_this_machine(home, tmp_path):
    executor = SlurmTasks(home, 2, cluster="local", poll_seconds=0.1, pauses_seconds=(0.1, 0.1))
    events = []
    executor.run([job("b", "dies_once", str(tmp_path), needs=("a",)), job("a", "double", 1)], events.append)
    assert [event.kind for event in events if event.job.id == "a"] == ["started", "report", "done"]
    assert [event.kind for event in events if event.job.id == "b"] == ["started", "again", "started", "done"]
    assert sorted({path.suffix for path in (home / "slurm").iterdir()}) == ["", ".err", ".out"]  # logs stay
    assert list((home / "slurm" / "words").iterdir()) == []


@pytest.mark.slow
def test_a_task_that_is_killed_is_tried_again(home, tmp_path):
    executor = SlurmTasks(home, 1, cluster="local", poll_seconds=0.1, pauses_seconds=(0.1, 0.1))
    events = []
    executor.run([job("a", "kills_its_driver_once", str(tmp_path))], events.append)
    assert [event.kind for event in events][-3:] == [
        "again",
        "started",
        "done",
    ]  # it may be killed before its first word
    assert "its task" in events[-3].value


@pytest.mark.slow
def test_trials_in_tasks_have_the_same_records_in_the_same_sandbox(home, tmp_path):
    there, here = home_in(home), home_in(tmp_path / "here")
    executor = SlurmTasks(home, 2, cluster="local", poll_seconds=0.1)
    found = outcomes(trials_of(there, ESCAPE), there, executor)
    mine = outcomes(trials_of(here, ESCAPE), here, LocalProcesses(1))
    assert found.keys() == mine.keys() and len(found) == 2
    for label, record in found.items():
        assert record.outcome == mine[label].outcome
        assert record.observed.isolation == mine[label].observed.isolation
    assert {record.outcome.status for record in found.values()} != {"ok"}  # one tried to use the network
