"""The first screen: one computed sentence, who leads, and the ways to other tracks; why, in words; what changed."""

import dataclasses
from dataclasses import replace
from types import SimpleNamespace

import pytest
from support.pages import PAGES, blocks, commands_of
from support.site_context import ANCHOR, BETTER, build, loaded, tables

from prunemark.leaderboard.formats import labels
from prunemark.leaderboard.inference.any_time import interval, path_of
from prunemark.leaderboard.site import compare_page, context, leaders, release_changes, start_page
from prunemark.leaderboard.standings.release import frozen_tables

WORSE = [90.1, 91.3, 89.8, 90.9, 90.4]


def field(make_records, **where):
    return tables(make_records("L1-norm", ANCHOR, **where), make_records("Mine", BETTER, **where),
                  make_records("Bad", WORSE, **where), make_records("Same", ANCHOR[::-1], **where))  # fmt: skip


def test_one_sentence_says_what_is_settled_under_both_setups_of_the_first_screen(make_records):
    said = leaders.settled_in_words([*field(make_records, setup="S4.2"), *field(make_records, setup="S3.2")])
    assert said.startswith("under S4.2, on 1 track, 3 of 3 comparisons with an anchor are settled: 1 better (Mine on ")
    assert "; under S3.2, on 1 track, 3 of 3" in said and said.endswith("1 worse, 1 equivalent.")
    (table,) = field(make_records, setup="S4.2")
    longer = [dataclasses.replace(row, more_epochs=9.0) if row.name == "Mine" else row for row in table.ranked]
    said = leaders.settled_in_words([dataclasses.replace(table, ranked=tuple(longer))])
    assert "Mine" not in said and "1 better or worse after longer pruning" in said
    (alone,) = field(make_records, setup="S2")
    assert leaders.settled_in_words([alone]).startswith("Of 3 comparisons with an anchor, 3 are decided")


def test_leaders_are_those_whom_nobody_is_shown_to_beat_and_the_anchor(make_records):
    (table,) = field(make_records, setup="S4.2")
    assert [row.name for row in leaders.leaders(table)] == ["Mine", "L1-norm"]
    assert leaders.said_of(table) == (
        f"Mine is shown to be better than L1-norm at level {table.level}. "
        "Of 3 compared: 1 better, 1 worse, 1 equivalent."
    )
    (few,) = tables(make_records("L1-norm", ANCHOR[:2]), make_records("Mine", BETTER[:2]))
    assert len(leaders.leaders(few)) == 2 and leaders.said_of(few).startswith("Nothing is tested yet")
    unfit = dataclasses.replace(few, ranked=(), not_for_ranking="a layer keeps 1 filter")
    assert leaders.said_of(unfit) == f"Nothing is ranked at level {table.level}: a layer keeps 1 filter."


def test_the_level_that_is_shown_is_that_at_which_most_is_settled(make_records):
    one, two = (field(make_records, level=level)[0] for level in ("50%", "90%"))
    assert leaders.leading([one, two]) is two  # as much: the harder one
    assert leaders.leading([one, dataclasses.replace(two, ranked=())]) is one


def test_another_task_keeps_what_is_pruned_and_the_setup_as_far_as_it_was_run():
    def table(granularity, pattern=""):
        return SimpleNamespace(granularity=granularity, pattern=pattern)

    tracks = {"a@1": ("a", "filter"), "a-w@1": ("a", "weight"), "b@1": ("b", "filter"), "b-w@1": ("b", "weight"),
              "b-other@1": ("b", "weight")}  # fmt: skip
    by_track = {id: {"S2": [table(kind)], "S4.2": [table(kind)]} for id, (_, kind) in tracks.items()}
    del by_track["b-w@1"]["S4.2"]
    terms = {id: SimpleNamespace(outcome=SimpleNamespace(track_terms={"dataset": data, "network": "n"}))
             for id, (data, _) in tracks.items()}  # fmt: skip
    here = SimpleNamespace(
        by_track=by_track, records_by_track={id: {"x": record} for id, record in terms.items()},
        urls=SimpleNamespace(track=lambda id, setup=None: f"{id} {setup or 'opening'}"),
    )  # fmt: skip
    task, pruned, setup = leaders.choosers(here, "a-w@1", "S4.2")
    assert task == ("Task", [("a, n", "a-w@1 S4.2", True), ("b, n", "b-w@1 opening", False)])
    assert pruned == ("Pruned", [("filters", "a@1 S4.2", False), ("weights", "a-w@1 S4.2", True)])
    assert setup == ("Setup", [("S2", "a-w@1 S2", False), ("S4.2", "a-w@1 S4.2", True)])
    _, pruned, _ = leaders.choosers(here, "b@1", "S2")
    assert [text for text, _, _ in pruned[1]] == ["filters", "weights, b-w@1", "weights, b-other@1"]


def test_every_verdict_is_explained_by_its_numbers_and_its_rule(make_records):
    (table,) = field(make_records)
    told = {row.name: compare_page.why(row, table) for row in table.ranked}
    assert told["L1-norm"] == ""
    p = labels.p_value(next(row.verdict.p_holm for row in table.ranked if row.name == "Mine"))
    assert f"A difference is shown: p {p} after correction for 3 comparisons is at most .05." in told["Mine"]
    assert "points above L1-norm" in told["Mine"] and "points below L1-norm" in told["Bad"]
    assert "It is shown to lie inside the margin of ±1 pp: p" in told["Same"]
    (wide,) = tables(make_records("L1-norm", ANCHOR), make_records("Wide", [97.0, 91.0, 96.0, 92.0, 95.0]))
    said = next(compare_page.why(row, wide) for row in wide.ranked if row.name == "Wide")
    assert "No difference is shown: p 1 after" in said and "Nor is it shown to lie inside the margin of ±1 pp" in said
    (few,) = tables(make_records("L1-norm", ANCHOR[:2]), make_records("Mine", BETTER[:2]))
    assert "So few seeds allow no verdict: no test (2 seeds)." in compare_page.why(few.ranked[0], few)
    rows = {row.name: row for row in table.ranked}
    longer = dataclasses.replace(rows["Mine"], more_epochs=30.0)
    assert "But it pruned with 30 more epochs, so this is not about the criterion" in compare_page.why(longer, table)


def test_a_pair_has_the_difference_on_shared_seeds_its_interval_and_the_p_of_the_ranks(make_records):
    (table,) = field(make_records)
    here = SimpleNamespace(method_of=lambda row: None)
    found = compare_page.level_of_pairs(here, table)
    names = [row[0] for row in found["rows"]]
    i, j = names.index("Mine"), names.index("Bad")
    pair = next(pair for pair in found["pairs"] if pair[:2] == [i, j])
    scores = {row.name: row.scores for row in table.ranked}
    differences = [float(a - b) for a, b in zip(scores["Mine"], scores["Bad"], strict=True)]
    assert pair[2] == pytest.approx(sum(differences) / 5, abs=1e-4) and pair[4:7] == [5, 5, 0]
    assert pair[3] == pytest.approx(interval(path_of(differences, quantum_percent=100 / table.examples)), abs=1e-4)
    assert pair[7] == pytest.approx(table.pairs["Mine", "Bad"], rel=1e-2) and pair[7] < 0.05 < pair[8]
    assert len(found["pairs"]) == 6


def test_a_pair_is_rounded_as_the_table_prints_it():
    """Rounded to five digits first, 0.19499... became 0.195 and then 0.20 in the browser, beside a table with 0.19."""
    rows = [SimpleNamespace(name=name, seeds=(0, 1), scores=scores, drawn=False)
            for name, scores in (("A", (0.389999999, 0.0)), ("B", (0.0, 0.0)))]  # fmt: skip
    table = SimpleNamespace(ranked=rows, anchor="B", examples=None, pairs={})
    assert compare_page._pair(table, 0, 1)[:2] == [0.19, None]


def test_the_command_of_a_verdict_asks_for_its_table(make_records):
    (table,) = field(make_records)
    assert compare_page.command_of(table).endswith(f"--track {table.track} --setup {table.setup} --level {table.level}")


def test_every_command_of_the_page_for_newcomers_is_one_that_the_documents_show():
    """Those are executed by test_docs.py."""
    shown = {command for page in PAGES for _, text in blocks(page) for command, _ in commands_of(text)}
    shown = {command.partition(" #")[0].strip() for command in shown}
    for commands in (start_page.QUICKSTART, start_page.SUBMIT, start_page.AUDIT, start_page.NETWORK):
        assert set(commands) <= shown


def test_the_documents_that_newcomers_are_sent_to_are_there():
    names = {str(page).partition("/docs/")[2] for page in PAGES}
    assert {path.removeprefix("docs/") for path in start_page.DOCUMENTS} <= names


def test_the_head_links_what_the_package_states_and_nothing_else(monkeypatch, tmp_path):
    def stating(lines):
        monkeypatch.setattr(context.metadata, "metadata", lambda _: SimpleNamespace(get_all=lambda _: lines))
        context.stated_links.cache_clear()
        return context.stated_links()

    try:
        assert stating(None) == ()
        found = stating(["Issues, https://example.org/i", "Repository, https://example.org/r"])
        assert found == (("https://example.org/r", "Repository"),)
        text = (build(tmp_path / "site", loaded()) / "start.html").read_text()
        assert text.count('<a href="https://example.org/r">') == 2 and "Submit a method</a>" in text
    finally:
        context.stated_links.cache_clear()


def test_a_method_is_run_on_ones_own_network_by_a_command_that_the_command_line_reads(site):
    text = (site / "method_fpgm.html").read_text()
    assert "prunemark submit FPGM --track photos.toml --seeds 5 --data photos" in text
    assert "It runs with every submission." in (site / "method_random.html").read_text()


def test_releases_are_compared_by_tables_competitors_and_seeds(make_records):
    def release(id, found, rules="any-time"):
        return SimpleNamespace(id=id, fields=frozen_tables(SimpleNamespace(tables=found)), rules=rules)

    small = tables(make_records("L1-norm", ANCHOR[:4]), make_records("Old", BETTER[:4]))
    large = [*tables(make_records("L1-norm", ANCHOR), make_records("Mine", BETTER)),
             *tables(make_records("L1-norm", ANCHOR, level="50%"))]  # fmt: skip
    releases = [release("2026.1", small, "two-looks"), release("2026.2", large)]
    said = release_changes.changes(SimpleNamespace(release=None, tables=large), releases)
    assert said == {
        "2026.2": "Judged by any-time in place of two-looks; 1 table more, 1 competitor more: Mine, 1 competitor "
        "fewer: Old, 1 table with more seeds, 1 table that ranks others.",
        "": "The same field.",
    }
    assert "" not in release_changes.changes(SimpleNamespace(release="2026.2", tables=large), releases)


def test_releases_are_compared_by_their_verdicts_where_both_hold_them(make_records):
    def field(scores):
        return frozen_tables(
            SimpleNamespace(tables=tables(make_records("L1-norm", ANCHOR), make_records("Mine", scores)))
        )

    def said(before, after):
        both = [SimpleNamespace(id=id, fields=f, rules="any-time") for id, f in (("1", before), ("2", after))]
        return release_changes.changes(SimpleNamespace(release="2"), both)["2"]

    then, now = field([94.2, 95.1, 93.5, 95.0, 94.3]), field(BETTER)
    word = next(each.verdict for each in then[0].entrants if each.name == "Mine")
    assert word != "better"
    where = f"{then[0].track}, {then[0].setup}, {then[0].level}"
    assert said(then, now) == f"1 verdict changed: Mine from {word} to better on {where}."
    silent = tuple(replace(t, entrants=tuple(replace(e, verdict=None) for e in t.entrants)) for t in then)
    assert said(silent, now) == "The same field."
