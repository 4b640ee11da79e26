"""Files are whole or not there, and a failed write is one line that leaves the old file alone."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from slaf_automl.errors import SlafError
from slaf_automl.files import make_folder, read_json, replace_folder, write_bytes, write_json


def one_line(error):
    message = str(error.value)
    assert len(message.splitlines()) == 1
    return message


def test_written_bytes_are_what_is_read_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "model.bin"
    write_bytes(path, b"\x00\xff first")
    write_bytes(path, b"second")
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_reader_of_the_old_file_never_sees_a_part_of_the_new(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(b"the old content")
    with path.open("rb", buffering=0) as reader:
        start = reader.read(3)
        write_bytes(path, b"NEW")
        assert start + reader.read() == b"the old content"


@pytest.mark.parametrize("target", ["missing", "folder"])
def test_write_that_cannot_be_is_one_line_and_leaves_nothing(tmp_path, target):
    path = tmp_path / "missing" / "file" if target == "missing" else tmp_path / "folder"
    if target == "folder":
        path.mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SlafError) as error:
        write_bytes(path, b"content")
    message = one_line(error)
    assert f"cannot write {path}: " in message
    assert message.endswith("choose another folder or free some space")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("inner", ["inner", "deeper/inner"])
def test_write_below_a_file_is_one_line_and_keeps_the_file(tmp_path, inner):
    file = tmp_path / "taken"
    file.write_bytes(b"precious")
    with pytest.raises(SlafError, match="cannot write") as error:
        write_bytes(file / inner, b"content")
    assert f"cannot write {file / inner}: " in one_line(error)
    assert file.read_bytes() == b"precious"


def test_name_too_long_for_the_file_system_is_one_line(tmp_path):
    path = tmp_path / ("x" * 300)
    with pytest.raises(SlafError) as error:
        write_bytes(path, b"content")
    assert f"cannot write {path}: " in one_line(error)
    assert list(tmp_path.iterdir()) == []


LIMITED = """
import resource, sys
from pathlib import Path
from slaf_automl.errors import SlafError
from slaf_automl.files import write_bytes, write_json
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
path = Path(sys.argv[1])
try:
    if sys.argv[2] == "bytes":
        write_bytes(path, b"x" * 100_000)
    else:
        write_json(path, ["x" * 100_000])
except SlafError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@pytest.mark.parametrize("kind", ["bytes", "json"])
@pytest.mark.parametrize("old", [b"the old content", None])
def test_full_disk_leaves_the_old_file_and_no_part_of_the_new(tmp_path, kind, old):
    path = tmp_path / "file"
    if old is not None:
        path.write_bytes(old)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path), kind], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"cannot write {path}: File too large; ")
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""
    assert [p.read_bytes() for p in tmp_path.iterdir()] == ([] if old is None else [old])


def test_json_comes_back_and_is_readable(tmp_path):
    path = tmp_path / "metrics.json"
    document = {"b": [1, 2.5, None, True], "a": {"ü": "Größe"}}
    write_json(path, document)
    assert read_json(path) == document
    text = path.read_text(encoding="utf-8")
    assert '"ü": "Größe"' in text
    assert text.index('"a"') < text.index('"b"')
    assert text.endswith("}\n")


def test_same_document_gives_the_same_bytes_whatever_its_order(tmp_path):
    write_json(tmp_path / "1", {"a": 1, "b": 2})
    write_json(tmp_path / "2", {"b": 2, "a": 1})
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_has_not_are_refused_and_the_old_file_stays(tmp_path, number):
    path = tmp_path / "metrics.json"
    write_json(path, {"value": 1})
    with pytest.raises(SlafError, match="not JSON compliant"):
        write_json(path, {"value": number})
    assert json.loads(path.read_text()) == {"value": 1}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot read"),
        (b"", "is not JSON"),
        (b"{'a': 1}", "is not JSON"),
        (b"{\n\n  oops\n}", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
    ],
)
def test_unreadable_json_is_one_line_that_names_the_file(tmp_path, content, words):
    path = tmp_path / "run.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SlafError, match=words) as error:
        read_json(path)
    assert str(path) in one_line(error)


def test_folder_is_made_with_its_parents_and_left_empty(tmp_path):
    path = tmp_path / "a" / "b"
    make_folder(path)
    make_folder(path)
    assert list(path.iterdir()) == []


@pytest.mark.parametrize("inner", ["", "deeper", "deeper/still"])
def test_file_in_the_place_of_a_folder_is_refused_and_kept(tmp_path, inner):
    file = tmp_path / "taken"
    file.write_bytes(b"precious")
    with pytest.raises(SlafError, match="cannot write") as error:
        make_folder(file / inner)
    assert str(file) in one_line(error)
    assert file.read_bytes() == b"precious"


def filled(path: Path, name: str) -> Path:
    path.mkdir()
    (path / name).write_text(name)
    return path


@pytest.mark.parametrize("replaced", [True, False])
def test_folder_takes_the_place_of_the_old_one(tmp_path, replaced):
    final = tmp_path / "best"
    if replaced:
        filled(final, "old")
    replace_folder(filled(tmp_path / "partial", "new"), final)
    assert [p.name for p in final.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [final]


def test_remains_of_an_interrupted_replacement_do_not_matter(tmp_path):
    filled(tmp_path / ".best.old", "older")
    final = filled(tmp_path / "best", "old")
    replace_folder(filled(tmp_path / "partial", "new"), final)
    assert [p.name for p in final.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [final]


def test_missing_new_folder_is_one_line(tmp_path):
    with pytest.raises(SlafError, match="cannot write") as error:
        replace_folder(tmp_path / "partial", tmp_path / "best")
    assert str(tmp_path / "best") in one_line(error)


def test_missing_new_folder_leaves_the_old_one_in_place(tmp_path):
    final = filled(tmp_path / "best", "old")
    with pytest.raises(SlafError, match="cannot write") as error:
        replace_folder(tmp_path / "partial", final)
    assert str(final) in one_line(error)
    assert (final / "old").read_text() == "old"
    assert list(tmp_path.iterdir()) == [final]


@pytest.mark.parametrize("path", [".", "/"])
def test_a_path_without_a_name_is_no_file(path):
    with pytest.raises(SlafError, match="is a folder; expected a file"):
        write_bytes(Path(path), b"content")
