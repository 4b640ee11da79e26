"""Reading a run beside its search: whole lines only, nothing written."""

import json

import pytest
from toy_search import open_arms

from slaf_automl.driver import RunFolder, read_studies
from slaf_automl.driver.reading import ReadJournal
from slaf_automl.errors import StudyError


@pytest.fixture
def journal(tmp_path):
    path = tmp_path / "journal"
    path.write_text("".join(json.dumps({"n": i}) + "\n" for i in range(5)))
    return path


def numbers(reader, start):
    return [record["n"] for record in reader.read_logs(start)]


def test_every_look_takes_in_what_is_whole(journal):
    reader = ReadJournal(journal)
    assert numbers(reader, 3) == [3, 4]
    assert numbers(reader, 0) == [0, 1, 2, 3, 4]
    with journal.open("a") as file:
        file.write('{"n": 5}\n{"n": ')
    assert numbers(reader, 5) == [5]
    assert numbers(ReadJournal(journal), 4) == [4, 5]
    with journal.open("a") as file:
        file.write("6}\n")
    assert numbers(reader, 6) == [6]
    assert numbers(reader, 7) == []


def test_nothing_can_be_written(journal):
    before = journal.read_bytes()
    with pytest.raises(StudyError, match="open for reading only"):
        ReadJournal(journal).append_logs([{"n": 5}])
    assert journal.read_bytes() == before


def test_a_search_that_holds_the_folder_is_followed(tmp_path):
    with RunFolder(tmp_path) as run:
        arms = open_arms(run)
        found = read_studies(tmp_path)
        assert list(found.arms) == ["mix", "relu"]
        assert found.identities["mix"]["metric"] == "rmse"
        trial = arms[0].study.ask()
        trial.set_user_attr("seen", True)
        assert [t.user_attrs for t in found.arms["mix"].trials] == [{"seen": True}]
        with pytest.raises(StudyError, match="open for reading only"):
            found.arms["mix"].set_user_attr("more", 1)
