"""A real browser for tests of pages: the one that is installed, driven without a window and without the network."""

import contextlib
import os
import shutil

import pytest

DESK = {"width": 1280, "height": 900}
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def find_browser():
    """Where a browser of the Chromium family is installed, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextlib.contextmanager
def open_browser():
    """A browser of Playwright's; skips the test where none is installed, or fails it where BROWSER=required says so."""
    path = find_browser()
    if path is None:
        (pytest.fail if os.environ.get("BROWSER") == "required" else pytest.skip)(
            "no browser: install chromium, such as `apt-get install chromium`"
        )
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def visiting(browser, site):
    """Gives visit(page, ...) -> the open page of a site; what it says on the console is an error of the test."""
    contexts, complaints = [], []

    def open_page(name, *, viewport=DESK, **how):
        context = browser.new_context(viewport=viewport, **how)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"{name}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"{name}: {error}"))
        page.goto(f"{site.as_uri()}/{name}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def draw_all(page):
    """Draws every figure of a page, in view or not; how many there are."""
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    return page.locator("figure.chart").count()
