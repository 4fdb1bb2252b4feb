"""A method is identified by what its code does: words about it do not count, everything else does."""

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunemark.records.code import code_of, source_sha256

PLAIN = b"""
import torch


class Mine(FilterCriterion):
    retraining = OwnRecipe(epochs=20, lr="0:1e-3")

    def score(self, layer, context):
        return layer.weight.flatten(1).abs().sum(dim=1)
"""
WORDY = '''"""Of the module.

Two paragraphs, with an é.
"""
import torch  # why


class Mine(FilterCriterion):
    """Of the class."""

    about = About(
        paper="Somebody, 2020",
        passes=2,
    )
    retraining = OwnRecipe(epochs=20, lr="0:1e-3")

    # ä comment of its own
    def score(self, layer, context):
        """Scores."""
        return layer.weight.flatten(1).abs().sum(dim=1)  # (filters,), é
'''.encode()


def test_words_about_a_method_do_not_count():
    assert code_of(WORDY) == code_of(PLAIN)
    assert code_of(WORDY).decode().splitlines()[0] == "import torch"
    assert code_of(WORDY.replace(b"\n", b"\r\n")) == code_of(PLAIN)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"abs()", b"square()"), (b"20", b"30"), (b"dim=1", b"dim=0"), (b"import torch", b"import torch, os"),
        (b'lr="0:1e-3"', b'lr="0:1e-2"'), (b"retraining", b"pretraining"), (b"        return", b"        yield"),
    ],
)  # fmt: skip
def test_everything_else_counts(old, new):
    assert code_of(PLAIN.replace(old, new)) != code_of(PLAIN)


def test_a_hash_sign_or_a_blank_line_in_a_string_is_code():
    assert code_of(b'x = "# one"\n') != code_of(b'x = "# two"\n')
    assert code_of(b'x = """a\n\nb"""\n') != code_of(b'x = """a\nb"""\n')
    assert code_of(b'x = f"""a\n\n{b} # c"""\n') != code_of(b'x = f"""a\n{b} # c"""\n')
    assert code_of(b'x = """a  \nb"""\n') != code_of(b'x = """a\nb"""\n')


@pytest.mark.parametrize(
    "text",
    [
        b"def f():\n    # 3\n    return len(f.__doc__ or '')\n",
        b"# -*- coding: latin-1 -*-\nx = 1\n",
        b"def broken(:\n    # comment\n",
        b"import inspect\nn = len(inspect.getsource(f))  # one\n",
        b"class A:\n    about = About(ratio='1')\n\n    def f(self):\n        x = self.about\n        return x.ratio\n",
        b"class A:\n    about = About(criterion='1')\n\n    def f(self):\n        return getattr(self, 'about')\n",
        b"n = len(open(__file__).read())  # one\n",
    ],
)
def test_a_file_that_could_read_its_own_words_counts_byte_by_byte(text):
    assert code_of(text) == text


def test_the_word_about_in_words_alone_does_not_count():
    text = b'class A:\n    """All %s it."""\n\n    about = About(criterion="1")  # %s\n    x = 1\n'
    assert code_of(text % (b"about", b"about")) == code_of(text % (b"of", b"more"))


def test_about_counts_where_it_is_not_plain_literals():
    for inside in ("passes=f()", "passes=x", "**given", "'text'"):
        text = f"class A:\n    about = About({inside})\n    b = 1\n".encode()
        assert b"about" in code_of(text)


def test_names_and_order_of_files_count():
    assert source_sha256([("a.py", PLAIN)]) == source_sha256([("a.py", WORDY)])
    assert source_sha256([("a.py", PLAIN)]) != source_sha256([("b.py", PLAIN)])
    assert source_sha256([("a.py", PLAIN), ("b.py", b"")]) != source_sha256([("b.py", b""), ("a.py", PLAIN)])


WORDS = st.text(
    st.characters(codec="utf-8", exclude_characters='"\\\r\n\f', exclude_categories=("Cs", "Cc")), max_size=30
)


@settings(max_examples=150, deadline=None)
@given(WORDS, WORDS, st.integers(0, 9))
def test_any_words_leave_the_code_as_it_is(doc, comment, number):
    template = "def f(x):\n{}    y = x + {}{}\n    return y\n"
    bare = template.format("", number, "").encode()
    wordy = template.format(f'    """{doc}"""\n', number, f"  # {comment}").encode()
    if any(word in doc + comment for word in ("__doc__", "getsource", "getdoc", "about.", "coding")):
        return
    assert code_of(wordy) == code_of(bare)
    assert ast.dump(ast.parse(code_of(wordy))) == ast.dump(ast.parse(bare))
