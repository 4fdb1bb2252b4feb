"""The figure setup by setup, drawn in a real browser with as many methods and setups as a board has."""

import pytest
from support.site_context import ANCHOR, STANDINGS, tables

from prunemark.leaderboard.site import slope_chart, style
from prunemark.setups.comparison import HARNESS_SETUPS

DRAW = """async ([spec, width]) => {
  const place = document.body.appendChild(document.createElement("div"));
  place.style.width = `${width}px`;
  const view = await new vega.View(vega.parse(spec), { renderer: "svg", container: place }).runAsync();
  const x = view.scale("x");
  const marks = [...place.querySelectorAll(".mark-symbol path")].map((path) => path.__data__);
  const places = x.domain().map((each) => [each, x(each)]);
  return marks.map((mark) => [mark.datum.setup, mark.x, x(mark.datum.setup), places]);
}"""


@pytest.mark.parametrize("width", [340, 560])
def test_every_mark_is_nearer_to_its_own_setup_than_to_another(visit, make_records, width):
    """Marks of the chosen setup stand side by side: thirteen were once spread over both neighbours."""
    names = ["L1-norm", *(f"M{number}" for number in range(13))]
    found = tables(*(make_records(name, ANCHOR, setup=setup) for name in names for setup in HARNESS_SETUPS))
    spec = slope_chart.slopes(found, style.assign(found), "S3.2")
    marks = visit(STANDINGS).evaluate(DRAW, [spec, width])
    assert len(marks) == 13 * len(HARNESS_SETUPS)
    for setup, x, own, places in marks:
        assert min(places, key=lambda place: abs(place[1] - x))[0] == setup
        assert setup == "S3.2" or x == own
    assert len({round(x, 1) for setup, x, *_ in marks if setup == "S3.2"}) == 13, "they do not cover one another"
