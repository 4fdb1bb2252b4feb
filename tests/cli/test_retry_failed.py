"""A trial that failed is kept and not run again, unless it is asked for; then the newer record counts."""

from support.quick_cli import SUBMISSIONS, submit

from prunemark.records.record import load_file


def failed(home):
    records = [load_file(path) for path in (home / "records").glob("*.json")]
    return [record for record in records if record.outcome.status == "failed"]


def test_failed_trials_are_run_again_when_it_is_asked_for(quick_prunemark, tmp_path):
    home, method = tmp_path / "home", f"{SUBMISSIONS}:Raises"
    code, _, errors = submit(quick_prunemark, method, home, "--no-time", seeds="0,")
    assert code == 1 and "the Hessian is singular" in errors
    first = failed(home)
    assert len(first) == 1
    code, _, errors = submit(quick_prunemark, method, home, "--no-time", seeds="0,")
    assert code == 1 and "nothing to run: all 5 trials are stored" in errors
    code, _, errors = submit(quick_prunemark, method, home, "--no-time", "--retry-failed", seeds="0,")
    assert code == 1 and "--retry-failed: failed trials to run again: 1" in errors
    assert "running" in errors
    again = failed(home)
    assert first[0] in again and {r.outcome_sha256 for r in again} == {first[0].outcome_sha256}
