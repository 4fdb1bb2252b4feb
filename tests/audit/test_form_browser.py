"""The form in a real browser, opened from its folder without a network: it judges as the command does, and is usable.

One browser and one page for most tests here, because CPython has to be compiled. They skip where none is installed.
"""

import json
import random
from pathlib import Path

import pytest
import yaml
from support.audit_documents import made_up
from support.form_answers import opened, typed

from prunemark.audit.form.answers import answered, judged_all
from prunemark.audit.form.questions import example
from prunemark.cli.form import write_form

EXAMPLES = [path for path in (Path(__file__).parent / "examples").glob("*.yaml") if ".expected." not in path.name]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_form(tmp_path_factory.mktemp("form") / "form").parent


@pytest.fixture(scope="module")
def ready(browser, folder):
    """The page that has judged the empty form; its console has to be silent to the end."""
    with opened(browser, folder) as page:
        yield page


@pytest.fixture
def form(ready):
    """The same page, emptied."""
    ready.get_by_role("button", name="Clear").click()
    return ready


def field(page, name):
    return page.locator(f"[name='{name}']")


def settled(page, word):
    page.wait_for_function("word => document.getElementById('verdict').textContent === word", arg=word)


def told(page, texts):
    """What the page's Python says of documents, as the command's Python would say it in the same form."""
    return page.evaluate("texts => prunemark.judged(texts)", texts)


def generated(seed):
    return yaml.safe_dump(made_up(seed, most=12), sort_keys=False, allow_unicode=True)


def check(page, seeds):
    """The verdict, the exit code, the headline, the paragraph and every other word, document by document."""
    texts = [generated(seed) for seed in seeds]
    here = json.loads(judged_all(json.dumps(texts)))
    for seed, there, found in zip(seeds, told(page, texts), here, strict=True):
        assert there == found, f"document {seed}"
    return {one[0]["verdict"] for one in here if isinstance(one, list)}


def test_two_hundred_generated_documents_end_as_in_the_command(ready):
    assert len(check(ready, range(200))) >= 9


@pytest.mark.slow
def test_ten_thousand_generated_documents_end_as_in_the_command(ready):
    words = set()
    for first in range(1_000, 11_000, 250):
        words |= check(ready, range(first, first + 250))
    assert len(words) >= 12


def test_the_experts_examples_end_as_in_the_command(ready):
    texts = [path.read_text(encoding="utf-8") for path in EXAMPLES]
    assert told(ready, texts) == json.loads(judged_all(json.dumps(texts))) and len(texts) > 15


def test_what_is_filled_in_ends_as_in_the_command(ready):
    chance = random.Random(1)
    given = [answers for seed in range(60) if (answers := typed(made_up(seed)))] + [{}, example()]
    given += [example() | {"A.method": "".join(chance.choices('a"\\#:{}\u2028é😀 ', k=12))} for _ in range(10)]
    there = ready.evaluate("given => given.map((answers) => prunemark.answered(answers))", given)
    assert there == [json.loads(answered(json.dumps(answers))) for answers in given]


def test_the_verdict_follows_what_is_typed(form):
    settled(form, "undecided")
    form.get_by_role("button", name="Fill in an example").click()
    settled(form, "confounded")
    assert "retraining LR differs" in form.locator("#sentence").inner_text()
    assert "exit code 3" in form.locator("#exit").inner_text()
    field(form, "B.retraining.lr").fill("0:1e-2,30:1e-3,60:1e-4,75:1e-5")
    settled(form, "attributable-presumed")
    assert form.locator("#bar").text_content() == "attributable-presumed"
    form.get_by_text("Factor by factor").click()
    assert form.locator("#factors tr").count() >= 12


def test_an_error_stands_at_its_field_and_goes_when_it_is_mended(form):
    size = form.get_by_role("textbox", name="Batch size B (compared with it)")
    size.fill("lots")
    settled(form, "cannot be read")
    assert size.get_attribute("aria-invalid") == "true"
    said = form.locator(f"[id='{size.get_attribute('aria-describedby')}']")
    assert said.inner_text() == "recipe.batch_size: a batch size, at least 1, is wanted; given 'lots'"
    assert form.locator("#save-review").is_disabled()
    size.fill("256")
    settled(form, "undecided")
    assert size.get_attribute("aria-invalid") is None and form.locator(".wrong").count() == 0


def test_a_question_that_another_answer_makes_needless_is_not_shown(form):
    margin = form.get_by_label("Within what margin")
    assert not margin.is_visible()
    form.get_by_label("The claim").select_option("at_least_as_good")
    margin.wait_for(state="visible")
    settled(form, "cannot be read")
    assert margin.get_attribute("aria-invalid") == "true"


def test_the_document_and_the_paragraph_are_downloaded_and_the_command_reads_the_document(form, prunemark, tmp_path):
    form.get_by_role("button", name="Fill in an example").click()
    settled(form, "confounded")
    with form.expect_download() as document:
        form.get_by_role("button", name="Download the document").click()
    with form.expect_download() as review:
        form.get_by_role("button", name="Download the review").click()
    assert document.value.suggested_filename == "comparison.yaml"
    document.value.save_as(tmp_path / "comparison.yaml")
    code, printed, _ = prunemark("audit", "comparison.yaml", "--format", "review")
    assert code == 3 and printed == Path(review.value.path()).read_text(encoding="utf-8")


def test_a_hostile_text_is_text(form):
    field(form, "A.method").fill("<img src=x onerror=hacked=1>")
    form.wait_for_function("document.getElementById('sentence').textContent.includes('<img')")
    assert form.evaluate("typeof hacked") == "undefined" and form.locator("#answer img").count() == 0


def test_the_keyboard_goes_through_the_whole_form(form):
    form.get_by_role("button", name="Fill in an example").focus()
    names = set()
    for _ in range(form.locator("#form [name]:visible").count() + 8):
        form.keyboard.press("Tab")
        names.add(form.evaluate("document.activeElement.name || document.activeElement.id"))
    shown = form.evaluate(
        "[...document.querySelectorAll('#form [name]')].filter((e) => e.checkVisibility()).map((e) => e.name)"
    )
    assert len(shown) > 50 and set(shown) <= names
    assert "save-document" in names


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "light"), (PHONE, "dark"), (DESK, "light"), (DESK, "dark")])
def test_an_accessibility_checker_finds_nothing_and_the_page_fits(form, size, scheme):
    from axe_playwright_python.sync_playwright import Axe

    form.set_viewport_size(size)
    form.emulate_media(color_scheme=scheme)
    form.get_by_role("button", name="Fill in an example").click()
    field(form, "B.recipe.batch_size").fill("lots")
    settled(form, "cannot be read")
    found = Axe().run(form, options={"preload": False, "resultTypes": ["violations"]}).response["violations"]
    assert [f"{rule['id']}: {rule['nodes'][0]['html'][:120]}" for rule in found] == []
    assert form.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert form.locator("#bar").is_visible() == (size is PHONE)


def test_a_folder_that_is_not_whole_says_what_is_missing(browser, folder, tmp_path):
    (tmp_path / "form").mkdir()
    (tmp_path / "form.html").write_text((folder / "form.html").read_text())
    (tmp_path / "form" / "form.js").write_text((folder / "form" / "form.js").read_text())
    page = browser.new_context().new_page()  # this one may complain on its console
    page.goto((tmp_path / "form.html").as_uri())
    page.wait_for_function("document.getElementById('state').textContent.includes('missing')")
    assert "form/pyodide.js is missing: the folder is not whole" in page.locator("#state").inner_text()
    page.context.close()
