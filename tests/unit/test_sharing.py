"""Which files the workers begin with."""

from pathlib import Path

from tests.support.sharing import PAGE, SECONDS, rank

ROOT = Path(__file__).resolve().parent.parent.parent


def test_every_second_worker_begins_with_the_page_and_each_with_what_takes_longest() -> None:
    files = [f"{PAGE}test_short.py", "tests/unit/test_short.py", *SECONDS]
    for worker in range(4):
        order = sorted(files, key=lambda file: rank(worker, file))
        begun = [file.startswith(PAGE) for file in order]
        assert begun == sorted(begun, reverse=worker % 2 == 0)
        for page in (True, False):
            seconds = [SECONDS.get(file, 0) for file in order if file.startswith(PAGE) == page]
            assert seconds == sorted(seconds, reverse=True)


def test_files_that_are_known_to_take_long_are_there() -> None:
    assert [file for file in SECONDS if not (ROOT / file).is_file()] == []
