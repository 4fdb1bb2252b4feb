"""Method cards: read strictly, right about the papers, part of the package, and no part of any identity."""

import ast
import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from prunemark.benchmark.submission.covered import covered_files
from prunemark.benchmark.submission.declared import about_of, class_values, lineage, literal
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.trial.keys import stage_keys
from prunemark.benchmark.trial.plan import Request, make_trials
from prunemark.benchmark.trial.trial import Entrant
from prunemark.records.card import BASELINES, FAMILIES, read_cards, shipped_cards, shipped_methods
from prunemark.setups.comparison import SETUPS
from prunemark.setups.errors import InputError
from prunemark.setups.track_files import released_tracks

HOUSE = Path(__file__).parents[2]
WHOLE = """[Mine]
class = "Mine"
family = "gradient"
title = "A Paper"
authors = ["Anna A", "Ben B"]
venue = "ICLR"
year = 2020
arxiv = "2001.01234"
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with one method and its card."""
    (tmp_path / "mine.py").write_text("class Mine: ...\n")
    (tmp_path / "mine.toml").write_text(WHOLE)
    return tmp_path


def test_a_card_is_read(folder):
    card = read_cards(folder)["Mine"]
    assert (card.module, card.class_name, card.family, card.year) == ("mine", "Mine", "gradient", 2020)
    assert card.spec == "prunemark.baselines.mine:Mine" and card.link == "https://arxiv.org/abs/2001.01234"
    assert card.citation == "Anna A, Ben B: A Paper, ICLR 2020"
    (folder / "mine.toml").write_text(
        WHOLE.replace('arxiv = "2001.01234"', 'url = "https://a.org/b"\ndoi = "10.1000/x"')
    )
    assert read_cards(folder)["Mine"].links == (
        ("doi:10.1000/x", "https://doi.org/10.1000/x"),
        ("a.org", "https://a.org/b"),
    )
    (folder / "mine.toml").write_text('[Mine]\nclass = "Mine"\nfamily = "random"\n')
    card = read_cards(folder)["Mine"]
    assert (card.citation, card.link, card.links, card.year) == ("", "", (), None)
    (folder / "mine.toml").write_text(WHOLE + 'note = "Short rounds."\n')
    assert (card.note, read_cards(folder)["Mine"].note) == ("", "Short rounds.")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("venue", "venu", "unknown field 'venu'. Did you mean 'venue'?"),
        ("class =", "# class =", "class missing. A card has class and family"),
        ("family =", "# family =", "family missing"),
        ("year = 2020", "", "year missing"),
        ("title =", "# title =", "title missing"),
        ('"Mine"', '"my class"', "class is the name of a class, such as L1Norm; given 'my class'"),
        ('"gradient"', '"gradients"', "unknown family 'gradients'. Did you mean 'gradient'?"),
        ('"gradient"', "7", "unknown family '7'"),
        ("2001.01234", "arXiv:2001.01234", "arxiv is an arXiv id, such as 1608.08710; given 'arXiv:2001.01234'"),
        ("2001.01234", "2001.1", "arxiv is an arXiv id"),
        ("arxiv", "doi", "doi is a DOI"),
        ("arxiv", "url", "url is an address that begins with https://"),
        ("2020", '"2020"', "year is a year, such as 2017, without quotes; given '2020'"),
        ("2020", "true", "year is a year"),
        ("2020", "20", "year is a year"),
        ('["Anna A", "Ben B"]', '"Anna A"', "authors is a list of texts; given 'Anna A'"),
        ('["Anna A", "Ben B"]', "[]", "authors is a list of texts"),
        ("year = 2020", "year = 2020\nnote = 3", "note is a text on one line; given 3"),
        ('"A Paper"', '""', "title is a text on one line; given ''"),
        ("[Mine]", '["a:b"]', "a method's name has letters"),
    ],
)
def test_a_card_that_is_wrong_is_refused_by_file_and_field(folder, old, new, why):
    assert old in WHOLE
    (folder / "mine.toml").write_text(WHOLE.replace(old, new, 1))
    with pytest.raises(InputError) as problem:
        read_cards(folder)
    assert f"{folder.name}/mine.toml, [{'a:b' if 'a:b' in new else 'Mine'}]: " in str(problem.value)
    assert why in str(problem.value)


def test_a_file_of_cards_that_is_wrong_is_refused_by_name(folder):
    (folder / "other.toml").write_text(WHOLE)
    with pytest.raises(InputError, match=r"other\.toml, \[Mine\]: this name is taken: mine\.toml has it too"):
        read_cards(folder)
    (folder / "other.toml").write_text(WHOLE.replace("[Mine]", "[Other]"))
    with pytest.raises(InputError, match=r"other\.toml, \[Other\]: .*other\.py is missing"):
        read_cards(folder)
    for text in (WHOLE + WHOLE, "no TOML", "\xff"):
        (folder / "other.toml").write_bytes(text.encode("latin-1"))
        with pytest.raises(InputError, match=r"other\.toml is not TOML that can be read: "):
            read_cards(folder)
    (folder / "other.toml").write_text('family = "random"\n')
    with pytest.raises(InputError, match=r"other\.toml, \[family\]: a card is a table"):
        read_cards(folder)


def test_a_name_that_promises_more_than_is_run_is_qualified():
    """Methods whose papers train every round in full, and that share a few epochs here."""
    noted = {name for name, card in shipped_cards().items() if card.note}
    assert noted == {"LR-rewinding", "Lottery-ticket", "Weight-rewinding"}
    assert all("Short rounds" in shipped_cards()[name].note for name in noted)


def test_the_cards_are_the_list_of_shipped_methods():
    names = list(shipped_methods())
    assert names == sorted(json.loads((HOUSE / "tests" / "golden" / "methods.json").read_text()))
    described = set()
    for path in BASELINES.glob("*.py"):
        for made in (node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)):
            if about_of(class_values(lineage(path, made.name))) and not made.name.startswith("_"):
                described.add((path.stem, made.name))
    assert described == {(card.module, card.class_name) for card in shipped_cards().values()}
    assert {card.family for card in shipped_cards().values()} == set(FAMILIES)


@pytest.mark.parametrize("name", shipped_cards())
def test_a_card_and_what_the_source_says_of_its_paper_agree(name):
    card, source = shipped_cards()[name], locate(name)[1]
    about = about_of(class_values(lineage(Path(source.path), source.class_name)))
    assert about
    paper = literal(about["paper"]) if isinstance(about["paper"], ast.expr) else about["paper"]
    if card.family == "random":
        assert (card.title, card.links, paper) == ("", (), "none: a control")
        return
    assert card.link and (card.arxiv or name == "OBD")
    assert f"arXiv:{card.arxiv}" in paper or name == "OBD"
    assert card.authors[0].split()[-1] in paper and (str(card.year) in paper or name == "ERK")
    assert card.venue.split(" Workshop")[0] in paper


def test_editing_a_card_changes_no_identity_and_no_key(tmp_path):
    def identity():
        source = locate(f"{tmp_path}/l1_norm.py:L1Norm")[1]
        track = released_tracks()["digits-resnet8@1"]
        entrant = Entrant("L1-norm", "pruned", "submission", source, (), "filter")
        levels = [track.level("50%")]
        (trial,) = make_trials(Request(track, SETUPS["S3.2"], levels, [0]), entrant)
        return source.sha256, dataclasses.asdict(stage_keys(trial))

    for name in ("l1_norm.py", "l1_norm.toml"):
        shutil.copy(BASELINES / name, tmp_path)
    before = identity()
    assert before[0] == locate("L1-norm")[1].sha256
    (tmp_path / "l1_norm.toml").write_text(WHOLE)
    assert identity() == before
    (tmp_path / "l1_norm.toml").unlink()
    assert identity() == before
    sources = [Path(locate(name)[1].path) for name in shipped_methods()]
    assert {file.suffix for path in sources for file in covered_files(path)} == {".py"}


def test_an_installed_copy_has_the_cards(monkeypatch):
    """The list of data files that setuptools makes of pyproject.toml, without building a wheel."""
    from setuptools.dist import Distribution

    monkeypatch.chdir(HOUSE)
    distribution = Distribution()
    distribution.parse_config_files(["pyproject.toml"])
    build = distribution.get_command_obj("build_py")
    build.ensure_finalized()
    packed = {(package, name) for package, _, _, names in build.get_data_files_without_manifest() for name in names}
    cards = {path.name for path in BASELINES.glob("*.toml")}
    assert cards and {("prunemark.baselines", name) for name in cards} <= packed
    assert ("prunemark.leaderboard.site", "templates/method.html.j2") in packed
