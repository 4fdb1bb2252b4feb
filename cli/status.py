"""`prunemark status`: how far the commands are that run on a home, from another terminal."""

from __future__ import annotations

import time

import typer

from prunemark.cli.options import Format, HomeOption, console
from prunemark.setups.text import shown


def status(home: HomeOption = None, format: Format = "table") -> None:
    """Show what runs on a home: trials and epochs done, and how long the rest takes at the pace so far.

    Commands of other machines are shown if they were heard of within the hour.
    """
    from prunemark.benchmark.run.home import home_at
    from prunemark.benchmark.run.home_parts import existing, usage
    from prunemark.benchmark.run.notes import Note, left_in_words, read_notes
    from prunemark.cli.progress import in_words
    from prunemark.cli.tables import print_rows

    place = existing(home_at(home))
    now = time.time()
    notes = read_notes(place, now)

    def row(note: Note) -> dict[str, str | int]:
        return {
            "what": shown(note.what), "track": note.track, "setup": note.setup,
            "trials": f"{note.trials_done} of {note.trials}", "epochs": f"{note.epochs_trained} of {note.epochs}",
            "elapsed": in_words(now - note.began), "left": left_in_words(note, in_words),
            "heard": f"{in_words(max(now - note.written, 0.0))} ago", "on": f"{shown(note.host)}, process {note.pid}",
            "running": shown(", ".join(note.running)),
        }  # fmt: skip

    print_rows([row(note) for note in notes], format, console())
    if format == "table":
        disk = usage(place)[-1]["size"]
        typer.echo(f"{'nothing runs' if not notes else f'{len(notes)} running'} on {shown(str(place.root))}: {disk}")
