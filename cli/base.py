"""`prunemark base`: base models that are given, fetched, packed and added, so that they are not trained again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prunemark.cli.options import DataOption, HomeOption, use_data

base = typer.Typer(help="Base models from elsewhere: fetch given weights; pack a trained base, and add a packed one.")
TrackArgument = Annotated[str, typer.Argument(help="see `prunemark tracks`, or file.toml")]
DeviceOption = Annotated[str, typer.Option(help="cpu or cuda: on which kind of device it was trained")]


@base.command()
def fetch(track: TrackArgument, data: DataOption = None, home: HomeOption = None) -> None:
    """Find or download the weights that a track gives, and check their hash; says which file to lay where."""
    from prunemark.benchmark.run.base_fetch import fetch as fetch_files
    from prunemark.benchmark.run.home import home_at, open_home
    from prunemark.setups.errors import need
    from prunemark.setups.given_base import BASES
    from prunemark.setups.track_files import find_track

    use_data(data)
    found = find_track(track)
    need("run", "fetching weights")
    fetch_files(found, open_home(home_at(home)).root / BASES, typer.echo)


@base.command()
def pack(
    track: TrackArgument,
    output: Annotated[Path, typer.Option(help="the file to write")],
    seed: Annotated[int, typer.Option(help="whose base model")] = 0,
    device: DeviceOption = "cpu",
    data: DataOption = None,
    home: HomeOption = None,
) -> None:
    """Write a base model of this home as one file, to give to others."""
    from prunemark.benchmark.run.home import home_at
    from prunemark.cli import requests
    from prunemark.setups.errors import InputError, need
    from prunemark.setups.track_files import find_track

    use_data(data)
    found = find_track(track)
    if seed < 0:
        raise InputError(f"--seed is a whole number from 0; given {seed}")
    if output.exists():
        raise InputError(f"{str(output)!r} is there already. It is left as it is: give --output another name")
    requests.check_device(device)
    need("run", "packing a base")
    from prunemark.benchmark.run import base_pack

    sha256 = base_pack.pack(found, seed, device, home_at(home), output)
    typer.echo(f"{output}: the base model of {found.id}, seed {seed}; its weights have the hash {sha256}")


@base.command()
def add(
    file: Annotated[Path, typer.Argument(help="what `base pack` wrote")],
    track: Annotated[str | None, typer.Option(help="the track's file, if it does not ship with Prunemark")] = None,
    data: DataOption = None,
    home: HomeOption = None,
) -> None:
    """Add a packed base model to this home: trials on its track and seed start from it, and do not train it again."""
    from prunemark.benchmark.run.home import home_at, open_home
    from prunemark.setups.errors import need
    from prunemark.setups.track_files import find_track

    use_data(data)
    need("run", "adding a base")
    from prunemark.benchmark.run import base_pack

    packed = base_pack.read(file)
    found = find_track(track or packed.about["track"])
    said = base_pack.add(packed, found, open_home(home_at(home)))
    about = packed.about
    typer.echo(f"the base model of {found.id}, seed {about['seed']}, weights {about['weights_sha256']}:")
    for words in said:
        typer.echo(f"  {words}")
