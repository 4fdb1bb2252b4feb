"""The site for readers who see no screen, have no mouse, or run no script: in a real browser.

One browser and one site for all tests here. They skip where no browser is installed.
"""

import pytest
from support.browser import draw_all
from support.site_context import KINDS, METHOD, RECORDS, STANDINGS, real_records


@pytest.mark.parametrize("name", [STANDINGS, METHOD, "methods.html", RECORDS])
def test_each_filter_is_labelled_with_its_table(visit, name):
    page = visit(name)
    labels = page.locator(".dt-search label").all_text_contents()
    assert len(set(labels)) == len(labels) == page.locator(".dt-search").count() > 0
    for label in labels:
        filter, _, table = label.partition(": ")
        assert filter == "Filter" and table and page.locator("[aria-label]").and_(page.get_by_label(table)).count()
    assert page.locator(".dt-search label").first.evaluate("e => e.control.type") == "search"


@pytest.mark.parametrize("hash", ["", "0123456789ab"])
def test_what_a_link_opened_is_focused_by_its_heading_and_not_read_out_as_a_whole(visit, hash):
    page = visit(f"{RECORDS}#{hash or real_records()[0].record_sha256}")
    page.locator("#record h2").wait_for()
    assert page.locator("#record h2").evaluate("e => e === document.activeElement")
    assert page.locator("[aria-live]:has(#record), #record[aria-live]").count() == 0


COLOURS = {"runOnly": ["color-contrast"]}  # the only rule that dark pages can break and light ones keep


@pytest.mark.parametrize(("scheme", "options"), [("light", {}), ("dark", COLOURS)], ids=["light", "dark"])
def test_an_accessibility_checker_finds_nothing_serious(visit, site, scheme, options):
    from axe_playwright_python.sync_playwright import Axe

    page = visit("index.html", color_scheme=scheme)
    wrong = []
    for name in (*KINDS, f"{RECORDS}#{real_records()[0].record_sha256}"):
        page.goto(f"{site.as_uri()}/{name}")
        draw_all(page)
        found = (
            Axe().run(page, options={"preload": False, "resultTypes": ["violations"], **options}).response["violations"]
        )
        wrong += [
            f"{name}: {rule['id']} {node['html'][:120]}"
            for rule in found
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]
    assert wrong == []


REACHABLE = """() => [...document.querySelectorAll("a[href], input, select, summary, button, [tabindex='0']")]
    .filter((e) => e.checkVisibility() && e.tabIndex >= 0 && !(e.type === "radio" && !e.checked) && !e.disabled)
    .map((e, i) => (e.dataset.reached = "no", i)).length"""
REACHED = """() => { const e = document.activeElement; if (e && e.dataset.reached) e.dataset.reached = "yes"; }"""


@pytest.mark.parametrize("name", [STANDINGS, RECORDS])
def test_the_keyboard_reaches_everything(visit, name):
    page = visit(name)
    count = page.evaluate(REACHABLE)
    for _ in range(count + 5):
        page.keyboard.press("Tab")
        page.evaluate(REACHED)
    missed = page.evaluate("[...document.querySelectorAll('[data-reached=no]')].map((e) => e.outerHTML.slice(0, 90))")
    assert count > 10 and missed == []
