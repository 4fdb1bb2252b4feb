"""How a board is cited: a BibTeX entry and an identifier that only this state of it has."""

from __future__ import annotations

from collections.abc import Sequence

from prunemark.leaderboard.standings.release import Release
from prunemark.records.load import Contents

RULES = "Comparison setups of arXiv:2301.05219"


def standing(release: str | None, contents: Contents, releases: Sequence[Release]) -> str:
    """Which release a board is or, where it is none, how its records differ from the last of `releases`, in a sentence.

    `release` is the id of the one that it was built from, if any.
    """
    if release:
        return f"This board is release {release}."
    if not releases:
        return "This board is not a release."
    newest = releases[-1]
    drawn = contents.draws[: newest.draws or 0]
    then = newest.contents or Contents(tuple(sorted(newest.records)), draws=drawn).digest
    same = Contents(contents.counting, draws=drawn).digest == then
    if same and contents.draws == drawn:
        return f"This board was not built from a release, but has exactly the records of {newest.id}: cite that one."
    what = "fresh seeds" if same else "records"
    return f"This board is not a release: it has other {what} than {newest.id}, the newest one."


def identifier(release: Release | None, digest: str) -> str:
    """prunemark-2026.1-1a2b3c4d5e6f: the release, or `unreleased`, and the beginning of the digest."""
    return f"prunemark-{release.id if release else 'unreleased'}-{(release.digest if release else digest)[:12]}"


def bibtex(release: Release | None, digest: str, as_of: str = "") -> str:
    """A BibTeX entry. `digest` and `as_of`, the date of the newest record, are for a board without a release."""
    name = identifier(release, digest)
    date = release.date if release else as_of
    title = f"Prunemark leaderboard, release {release.id}" if release else "Prunemark leaderboard, not released"
    fields = {
        "title": f"{{{title}}}",
        "author": "{The Prunemark authors}",
        "year": date[:4],
        "month": date[5:7].lstrip("0"),
        "version": release.id if release else "",
        "note": f"Identifier {name}. {RULES}",
    }
    lines = [f"  {field} = {{{value}}}," for field, value in fields.items() if value]
    return "\n".join([f"@misc{{{name},", *lines, "}"]) + "\n"
