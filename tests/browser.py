"""A real browser for tests of pages: the one that is installed, driven without a window and without the network."""

import contextlib
import os
import shutil

import pytest

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
