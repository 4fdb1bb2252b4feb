"""The page for whoever wants to take part: three commands to begin with, how to submit, audit and cite."""

from __future__ import annotations

from prunemark.leaderboard.site import urls
from prunemark.leaderboard.site.context import SiteContext, page, stated_links

EXAMPLE = "examples/geometric_median.py:GeometricMedian"
QUICKSTART = (
    "make demo",
    ". .venv/bin/activate",
    f"prunemark submit {EXAMPLE} --track digits-resnet8 --setup S3.2 --seeds 5",
)
SUBMIT = (
    f"prunemark check {EXAMPLE}",
    f"prunemark submit {EXAMPLE} --track digits-resnet8 --setup S3.2 --seeds 5 --contribute leaderboard",
)
AUDIT = (
    "prunemark audit tests/audit/examples/1-l1reimpl-vs-hrank.yaml",
    "prunemark audit --template > empty.yaml",
)
NETWORK = (
    "prunemark tracks new photos --network model.py:build --data photos",
    "prunemark submit FPGM --track photos.toml --seeds 5 --data photos",
)
"""All of these are commands of the documents, which tests execute."""
DOCUMENTS = {
    "docs/quickstart.md": "from a clone to a submission with verdicts",
    "docs/writing-a-method.md": "a method in ten lines, or with a loop of its own",
    "docs/your-own-track.md": "any method on your network and your images",
    "docs/contributing.md": "your results on this board",
    "docs/audit.md": "what a published comparison shows",
    "docs/paper-tables.md": "these tables in your paper, and how to cite",
    "docs/statistics.md": "how verdicts are reached",
}


def start_page(context: SiteContext) -> str:
    """The page as HTML."""
    return page(
        context,
        "start",
        urls.START,
        quickstart=QUICKSTART,
        submit=SUBMIT,
        audit=AUDIT,
        network=NETWORK,
        documents=DOCUMENTS,
        stated=stated_links(),
        citation=context.citation,
        standing=context.standing,
        release=context.board.release,
        releases=bool(context.releases),
    )
