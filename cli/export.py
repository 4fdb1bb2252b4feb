"""`prunemark export`: a record's final model as files that need no benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prunemark.cli.options import HomeOption, console


def export_model(
    record: Annotated[Path, typer.Argument(help="a record, as it lies in HOME/records")],
    out: Annotated[Path, typer.Option("--out", help="the folder to write into")],
    form: Annotated[
        list[str] | None,
        typer.Option("--form", help="safetensors, program or onnx; may be repeated [default: safetensors, program]"),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Write the final model of a record: weights and decision, a torch.export program, ONNX."""
    from prunemark.benchmark.run.export_apart import export_apart
    from prunemark.benchmark.run.home import home_at
    from prunemark.records.record import load_file

    written = export_apart(load_file(record), home_at(home).store, out, form or ("safetensors", "program"))
    for path in written:
        console().print(f"{path}  {path.stat().st_size:,} bytes", soft_wrap=True)
    console().print("each was read back and computes what was evaluated")
