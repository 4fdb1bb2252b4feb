"""Two files with one identity do the same when they are run: whatever words are put where, and whatever reads them."""

import contextlib
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunemark.records.code import as_run, code_of

PROGRAM = """
import inspect, sys, traceback, linecache
said = []
class Empty:
@
class Score:
@
    scale = 3
@
    def line(self):
@
        return sys._getframe().f_lineno * self.scale
    def nothing(self):
@
def first(function):
@
    return function.__code__.co_firstlineno
async def later(
    x=1,
):
@
text = '''kept  @@
# not a comment

'''
if len(text) > 3:
@
    said.append(f"{len(text)=}")
try:
    raise ValueError("x")
except ValueError as problem:
@
    said.append(traceback.extract_tb(problem.__traceback__)[0].lineno)
said += [Score().line(), first(Score.nothing), first(later), first(first), Empty.__dict__.get('__d' + 'oc__')]
said.append([c for c in Score.nothing.__code__.co_consts if c])
said.append(repr(Score.__dict__.get('__do' 'c__')))
"""
INDENTS = {"class Empty:": 4, "class Score:": 4, "    def line(self):": 8, "    def nothing(self):": 8,
           "def first(function):": 4, "):": 4}  # fmt: skip
COMMENT = st.sampled_from(["", "", "# a word", "    # éü 'x'", '# """', "", "\x0c"])
DOCSTRING = st.sampled_from(['"doc"', "'''two\n\n  lines'''", 'r"""raw \\d"""', "u'x'", "('in brackets')", "'a' 'b'"])


@st.composite
def wordy(draw):
    """The program, with words of all kinds in every place for them."""
    lines, before = [], ""
    for line in PROGRAM.split("\n"):
        if line == "@":
            lines += draw(st.lists(COMMENT, max_size=3))
            bare = before in ("class Empty:", "    def nothing(self):", "):")
            if (indent := INDENTS.get(before)) and (bare or draw(st.booleans())):
                docstring = draw(DOCSTRING)
                if bare and draw(st.booleans()):
                    while lines[-1] != before:
                        lines.pop()
                    lines[-1] += " " + docstring
                else:
                    lines.append(" " * indent + docstring + draw(st.sampled_from(["", "  # why", "  "])))
            continue
        lines.append(line.replace("@@", ""))
        before = line
    head = draw(st.sampled_from(["", '"""Of the module."""\n', "# one\n\n# two\n", "#!/usr/bin/python\n"]))
    return (head + "\n".join(lines)).replace("\n", draw(st.sampled_from(["\n", "\r\n"]))).encode()


def outcome(content):
    names = {"__name__": "mine"}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(as_run(content)[0], "mine.py", "exec"), names)
    return names["said"]


@given(wordy(), wordy())
@settings(max_examples=150, deadline=None)
def test_words_change_neither_the_identity_nor_what_is_run(one, two):
    assert code_of(one) == code_of(two)
    assert as_run(one)[0] == as_run(two)[0]
    assert outcome(one) == outcome(two)


def test_a_body_of_words_takes_no_line_of_its_own():
    inline = b"def f(): 'words'\nimport sys\nx = sys._getframe().f_lineno\n"
    below = b"def f():\n    '''words'''\nimport sys\nx = sys._getframe().f_lineno\n"
    assert code_of(inline) == code_of(below)
    assert as_run(inline)[0] == as_run(below)[0] == b"def f(): pass\nimport sys\nx = sys._getframe().f_lineno"
    assert as_run(below)[1] == (1, 3, 4)


@pytest.mark.parametrize(
    "content",
    [
        b"x = 1 \\\n\n+ 2\n",  # without its blank line the second would go on where the first stopped
        b"'doc'; x = 1\n",
        b"class A:\n    'doc'; x = 1\n",
        b"def f():\\\n    'doc'\n",
    ],
)
def test_what_would_do_something_else_without_its_words_is_refused(content):
    with pytest.raises(SyntaxError):
        as_run(content)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf# words and x = 1\ny = 2\n",
        b"\xef\xbb\xbf'''doc'''\ny = 2\n",
        b"x = 1\r'''doc'''\r# words\ry = 2\n",
        b"class A:\r    'doc'\r\r\r\r\n",
    ],
)
def test_where_lines_or_columns_are_counted_otherwise_every_byte_counts(content):
    assert code_of(content) == as_run(content)[0] == content
