"""Every command of docs/quickstart.md, as test_docs.py has it for the other pages.

By itself, because xdist begins files with few tests last: what this page runs uses autograd's threads in the test's own
process, in which trials of other tests, which fork there, fail from then on.
"""

from test_docs import ROOT, clone, execute, run_page  # noqa: F401 - fixtures


def test_every_command_of_the_quickstart_works(execute, clone):  # noqa: F811
    run_page(ROOT / "docs" / "quickstart.md", execute, clone)
