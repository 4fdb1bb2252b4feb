"""The documents as a site: pages from Markdown and a notebook, a reference from the code, every link followed.

    python docs/site/build.py build/site/docs

The pages and their order are those of docs/README.md, so there is no second table of contents. Ends with 1 and a list
of what is wrong: a link or heading that leads nowhere, a page that nothing lists. The same sources give the same bytes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tomllib
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import jinja2
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
INDEX = ROOT / "docs" / "README.md"
COPIED = (HERE / "docs.css", HERE / "find.js", ROOT / "leaderboard" / "site" / "assets" / "site.css")
FIND = "find.html"


@dataclass
class Page:
    """A page: where it is from, where it goes, its title, its HTML, and (level, id, text) of its headings."""

    source: Path
    to: str
    title: str
    html: str = ""
    headings: list[tuple[int, str, str]] = field(default_factory=list)
    said: dict[str, set[str]] = field(default_factory=dict)

    def words_under(self, heading: str) -> str:
        """The words of a heading and of what follows it, for the page that finds them."""
        return " ".join(sorted(self.said[heading]))


def address(source: Path) -> str:
    """Where a page goes: as in docs/, and pages of the root under project/."""
    inside = source.is_relative_to(INDEX.parent)
    name = str(source.relative_to(INDEX.parent)) if inside else f"project/{source.name.lower()}"
    return f"{re.sub(r'README$', 'index', name.rpartition('.')[0])}.html"


def text_of(source: Path) -> str:
    """A page as Markdown; of a notebook, its cells, with what they printed."""
    if source.suffix != ".ipynb":
        return source.read_text()
    parts = []
    for cell in json.loads(source.read_text())["cells"]:
        code = "".join(cell["source"])
        parts.append(code if cell["cell_type"] == "markdown" else f"```python\n{code}\n```")
        for output in cell.get("outputs", []):
            shown = "".join(output.get("text") or output["data"]["text/plain"])
            parts.append(f"```text\n{shown.rstrip()}\n```")
    return "\n\n".join(parts)


def coloured(code: str, language: str, _: Any = None) -> str:
    """A block of code, in words of the style sheet; one of no language as it is."""
    try:
        inside = highlight(code, get_lexer_by_name(language or "text"), HtmlFormatter(nowrap=True))
    except ClassNotFound:
        inside = escape(code)
    return f'<pre tabindex="0"><code>{inside}</code></pre>'


def slug(heading: str, taken: set[str]) -> str:
    """What GitHub calls a heading: the pages are read there too."""
    name = plain = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
    number = 0
    while name in taken:
        name = f"{plain}-{(number := number + 1)}"
    taken.add(name)
    return name


def words(token: Token) -> str:
    """The text of a heading or link, without its marks."""
    return "".join(child.content for child in token.children or [] if child.type in ("text", "code_inline"))


class Site:
    """All pages, and what is wrong with them."""

    def __init__(self, sources: dict[Path, str], home: str = "") -> None:
        """`sources`: the Markdown of each page. `home`: the repository's address, '' where it is not known."""
        self.home, self.problems = home, list[str]()
        self.pages = {source: Page(source, address(source), source.stem) for source in sources}
        self.markdown = MarkdownIt("commonmark", {"html": False, "highlight": coloured}).enable("table")
        self.wanted: list[tuple[Page, str, Page, str]] = []
        for source, text in sources.items():
            self._render(self.pages[source], text)
        for page, link, to, anchor in self.wanted:
            if anchor not in {id for _, id, _ in to.headings}:
                self.problems.append(f"{page.source.name} links to {link}, and there is no such heading")

    def _render(self, page: Page, text: str) -> None:
        tokens, taken = self.markdown.parse(text), set[str]()
        for at, token in enumerate(tokens):
            if token.type == "heading_open":
                said = words(tokens[at + 1])
                token.attrSet("id", slug(said, taken))
                page.headings.append((int(token.tag[1]), str(token.attrGet("id")), said))
            elif token.type == "inline":
                self._link(page, token.children or [])
            if page.headings and token.content:
                found = re.findall(r"[\w.-]*\w", token.content.lower())
                page.said.setdefault(page.headings[-1][1], set()).update(found)
        page.title = page.headings[0][2] if page.headings else page.title
        html = self.markdown.renderer.render(tokens, self.markdown.options, {})
        scroll = f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(page.title)}"><table>'
        html = html.replace("<table>", scroll).replace("</table>", "</table></div>")
        page.html = html.replace("<th></th>", "<td></td>")

    def _link(self, page: Page, inline: list[Token]) -> None:
        """Rewrites the links of a paragraph. A file without a page is in the repository, if that has an address."""
        closing: list[Token] = []
        for token in inline:
            if token.type == "link_open":
                link = str(token.attrGet("href"))
                found = link if re.match(r"(https?|mailto):", link) else self._followed(page, link)
                token.attrSet("href", found)
                token.hidden = not found
                closing.append(token)
            elif token.type == "link_close":
                token.hidden = closing.pop().hidden
        inline[:] = [token for token in inline if not (token.hidden and token.type.startswith("link_"))]

    def _followed(self, page: Page, link: str) -> str:
        path, _, anchor = link.partition("#")
        target = Path(os.path.normpath(page.source.parent / path)) if path else page.source
        if found := self.pages.get(target):
            if anchor:
                self.wanted.append((page, link, found, anchor))
            return relative(page.to, found.to) + (f"#{anchor}" if anchor else "")
        if not target.exists():
            self.problems.append(f"{page.source.name} links to {link}, and there is no such file")
        return f"{self.home}/blob/main/{target.relative_to(ROOT)}" if self.home else ""


def relative(here: str, there: str) -> str:
    """The address of one page as seen from another one."""
    return os.path.relpath(there, Path(here).parent)


def contents(index: str) -> dict[str, list[tuple[str, str]]]:
    """Section -> (title, link) of its pages, from the lists of docs/README.md."""
    found: dict[str, list[tuple[str, str]]] = {}
    section = ""
    for line in index.splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif entry := re.match(r"- \[([^\]]+)\]\(([^)#]+)\): ", line):
            found.setdefault(section, []).append((entry[1], entry[2]))
    return found


def build(folder: Path) -> list[str]:
    """Writes the site into a folder, which is replaced; what is wrong."""
    sys.path.insert(0, str(HERE))
    from reference import reference_pages

    home = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get("urls", {}).get("Repository", "")
    written = [path for path in sorted(INDEX.parent.rglob("*")) if path.suffix in (".md", ".ipynb")]
    listed = {
        name: [(title, INDEX.parent / link) for title, link in its] for name, its in contents(INDEX.read_text()).items()
    }
    outside = [Path(os.path.normpath(path)) for its in listed.values() for _, path in its if "../" in str(path)]
    made = {INDEX.parent / "reference" / f"{name}.md": text for name, text in reference_pages().items()}
    site = Site({path: text_of(path) for path in [*written, *outside]} | made, home)
    sections = {
        name: [(title, site.pages[Path(os.path.normpath(path))].to) for title, path in its]
        for name, its in listed.items()
    }
    sections["Reference"] = [(site.pages[path].title, site.pages[path].to) for path in made]
    in_menu = {to for its in sections.values() for _, to in its}
    top = [page for path, page in site.pages.items() if path.parent == INDEX.parent and path != INDEX]
    site.problems += [f"docs/README.md does not list {page.source.name}" for page in top if page.to not in in_menu]
    write(folder, site, sections)
    return site.problems


def write(folder: Path, site: Site, sections: dict[str, list[tuple[str, str]]]) -> None:
    """The pages, and next to them what they load: they can be opened from a folder, without a network."""
    loader = jinja2.FileSystemLoader(HERE)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.get_template("page.html.j2")
    shutil.rmtree(folder, ignore_errors=True)
    menu = [to for its in sections.values() for _, to in its]
    place = {to: number for number, to in enumerate(["index.html", *menu])}
    pages = sorted(site.pages.values(), key=lambda page: (place.get(page.to, len(place)), page.to))
    for page in [*pages, Page(ROOT / FIND, FIND, "Find")]:
        to = folder / page.to
        to.parent.mkdir(parents=True, exist_ok=True)
        up = "../" * page.to.count("/")
        to.write_text(template.render(page=page, sections=sections, up=up, home=site.home, every=pages, find=FIND))
    for path in COPIED:
        (folder / "assets").mkdir(exist_ok=True)
        shutil.copyfile(path, folder / "assets" / path.name)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if problems := build(Path(sys.argv[1])):
        sys.exit("\n".join(problems))
    print(f"The documents: {Path(sys.argv[1]).absolute() / 'index.html'}")
