"""What is executed of a method: what its hash covers, and nothing that its hash leaves out."""

import ast
import runpy

import pytest

from prunemark.benchmark.submission.as_run import files_sha256, laid_out, original_places
from prunemark.benchmark.submission.locate import locate
from prunemark.records.code import as_run, code_of
from prunemark.setups.errors import InputError, WorkFailed

METHOD = '''"""Words."""

import sys  # a comment


class Mine:
    """More words,
    over two lines."""

    def line(self):
        """Words alone."""

    def where(self):
        # where it stands
        return sys._getframe().f_lineno
'''


def where(tmp_path, text):
    path = tmp_path / "ran.py"
    path.write_bytes(as_run(text.encode())[0])
    return runpy.run_path(str(path))["Mine"]().where()


def test_the_line_that_code_stands_on_is_no_news_to_it(tmp_path):
    longer = METHOD.replace("import sys", "# one\n# two\n\n\nimport sys")
    assert code_of(longer.encode()) == code_of(METHOD.encode())
    assert where(tmp_path, longer) == where(tmp_path, METHOD)


def test_what_is_run_is_what_is_hashed_but_for_bodies_of_words_alone():
    text, numbers = as_run(METHOD.encode())
    assert text.decode().splitlines() == [
        "import sys", "class Mine:", "    def line(self): pass", "    def where(self):",
        "        return sys._getframe().f_lineno",
    ]  # fmt: skip
    assert numbers == (3, 6, 10, 13, 15)
    assert text.replace(b" pass", b"") == code_of(METHOD.encode())


@pytest.mark.parametrize(
    "body",
    ['class A:\n    "words"\n', 'def f():\n    "words"\n', 'class A:\n    about = About(name="x")\n',
     'class A: "words"\n', 'async def f():\n    """two\n    lines"""\n\n\nx = 1\n',
     'class A:\n    """words"""\n    about = About(name="x")\n\nclass B(A):\n    y = """a\n\n    b"""\n'],
)  # fmt: skip
def test_bodies_of_words_alone_can_be_run(body):
    ast.parse(as_run(body.encode())[0])


def test_of_a_file_that_reads_its_own_words_every_byte_is_hashed_and_run():
    text = b"# words\nX = __doc__\n"
    assert as_run(text) == (text, (1, 2, 3))
    assert code_of(text) == text


def test_a_docstring_on_a_line_with_code_is_refused_in_words(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text('class Mine:\n    def f(self): "words"; return 1\n')
    with pytest.raises(InputError, match=r"mine\.py cannot be run without its docstrings"):
        laid_out(locate(f"{path}:Mine")[1], tmp_path / "out")


@pytest.fixture
def package(tmp_path):
    files = {
        "pkg/__init__.py": "", "pkg/sub/__init__.py": "X = 1\n",
        "pkg/sub/mine.py": "from .other import Y\n# c\nclass Mine: pass\n",
        "pkg/sub/other.py": '"""Words."""\nY = 2\n', "pkg/sub/weights.npz": "data",
    }  # fmt: skip
    for name, text in files.items():
        (path := tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return locate(f"{tmp_path / 'pkg/sub/mine.py'}:Mine")[1]


def test_a_package_is_laid_out_as_one_without_files_that_no_hash_names(package, tmp_path):
    found = laid_out(package, tmp_path / "out")
    laid = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert laid == {"pkg/__init__.py", "pkg/sub/__init__.py", "pkg/sub/mine.py", "pkg/sub/other.py"}
    assert (tmp_path / "out/pkg/sub/other.py").read_text() == "Y = 2"
    assert found.source.path == str(tmp_path / "out/pkg/sub/mine.py")


def test_an_error_names_the_line_in_the_authors_own_file(package, tmp_path):
    found = laid_out(package, tmp_path / "out")
    trace = f'  File "{found.source.path}", line 2, in prune\n  File "/usr/lib/x.py", line 2, in f\n'
    assert original_places(trace, found.originals) == (
        f'  File "{package.path}", line 3, in prune\n  File "/usr/lib/x.py", line 2, in f\n'
    )


def test_files_that_have_changed_since_are_not_run(package, tmp_path):
    (tmp_path / "pkg/sub/other.py").write_text("Y = 3\n")
    with pytest.raises(WorkFailed, match="has changed since"):
        laid_out(package, tmp_path / "out")


def test_every_byte_of_every_file_is_on_the_record(package, tmp_path):
    before = files_sha256(package)
    assert set(before) == {"__init__.py", "sub/__init__.py", "sub/mine.py", "sub/other.py"}
    (tmp_path / "pkg/sub/other.py").write_text('"""Other words."""\nY = 2\n')
    after = files_sha256(package)
    assert [name for name in before if before[name] != after[name]] == ["sub/other.py"]


def test_a_shipped_method_is_run_where_it_is(tmp_path):
    source = locate("L1-norm")[1]
    assert laid_out(source, tmp_path / "out").source == source
    assert not (tmp_path / "out").exists()
