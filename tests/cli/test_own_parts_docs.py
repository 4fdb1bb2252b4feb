"""The track, the network and the images that docs/networks-and-data.md shows are run as they stand there."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "networks-and-data.md"
BLOCK = re.compile(r"^```(?:python|text)\n# ((?:model|data)\.py|own\.toml)\n(.*?)^```", re.M | re.S)


def test_the_track_of_the_page_can_be_run(prunemark, tmp_path, furnish):
    files = dict(BLOCK.findall(PAGE.read_text()))
    assert set(files) == {"model.py", "data.py", "own.toml"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    home = furnish(tmp_path / "home")
    code, said, trouble = prunemark("tracks", "check", "own.toml", "--home", home, "--format", "csv")
    assert code == 0 and "81 images to train, 9 to validate, 30 to test" in said, said + trouble
    code, said, trouble = prunemark(
        "submit", "L1-norm", "--track", "own.toml", "--seeds", "1", "--home", home, "--no-time"
    )
    assert code == 0 and "1.9" in said, trouble
