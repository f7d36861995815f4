"""Files appear whole or not at all."""

import errno
import os
import resource
import signal
import subprocess
import sys
import time

import pytest

from elusive.data.atomic import atomic_write, remove_leftovers, write_json, write_text
from elusive.errors import FolderError


def names_in(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_file_appears_only_when_the_block_ends(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with atomic_write(path) as temporary:
        assert temporary.parent == tmp_path
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names_in(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_everything_as_it_was(tmp_path, error):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(error), atomic_write(path) as temporary:  # noqa: PT012
        temporary.write_text("new")
        raise error
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT])
def test_a_full_disk_is_told_with_what_to_do(tmp_path, code):
    message = r"cannot write .*a\.txt: .*; free space and run the same command again"
    with pytest.raises(FolderError, match=message), atomic_write(tmp_path / "a.txt"):
        raise OSError(code, "full")
    assert not names_in(tmp_path)


def test_other_errors_of_the_block_pass_through(tmp_path):
    with pytest.raises(PermissionError), atomic_write(tmp_path / "a.txt"):
        raise PermissionError(errno.EACCES, "the caller's own")


def test_a_folder_that_cannot_be_written_is_found_out_first(tmp_path):
    with pytest.raises(FolderError, match=r"cannot write .*a\.txt: No such file"):
        write_text(tmp_path / "nowhere" / "a.txt", "x")


def test_text_is_written_as_it_is_and_json_in_order(tmp_path):
    write_text(tmp_path / "a.txt", "é\r\n\r\x00")
    assert (tmp_path / "a.txt").read_bytes() == "é\r\n\r\x00".encode()
    write_json(tmp_path / "a.json", {"b": "é", "a": [1]})
    assert (tmp_path / "a.json").read_text("utf-8") == '{\n  "b": "é",\n  "a": [\n    1\n  ]\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", float("nan"))


def test_permissions_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_a_file_size_limit_ends_in_one_line_and_no_file(tmp_path):
    code = (
        "import resource, sys, pathlib\n"
        "import pyarrow as pa\n"
        "from elusive.data.dataset_folder import write_rows\n"
        "from elusive.errors import FolderError\n"
        "rows = pa.table({'text': [str(hash(i)) * 9 for i in range(20000)]})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))\n"
        "for format in ('parquet', 'jsonl', 'csv'):\n"
        "    try:\n"
        "        write_rows(pathlib.Path(sys.argv[1]) / f'a.{format}', rows, format=format)\n"
        "        sys.exit('written')\n"
        "    except FolderError as error:\n"
        "        assert 'free space' in str(error), error\n"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code, tmp_path], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not names_in(tmp_path)


def test_a_killed_writer_leaves_the_old_file_and_a_leftover_that_can_be_removed(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    code = (
        "import sys, time, pathlib\n"
        "from elusive.data.atomic import atomic_write\n"
        "with atomic_write(pathlib.Path(sys.argv[1]) / 'a.txt') as temporary:\n"
        "    temporary.write_text('new')\n"
        "    time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], env=environment) as writer:
        while len(names_in(tmp_path)) < 2 and writer.poll() is None:
            time.sleep(0.01)
        writer.send_signal(signal.SIGKILL)
    assert (tmp_path / "a.txt").read_text() == "old"
    assert len(names_in(tmp_path)) == 2
    write_text(tmp_path / "a.txt", "newer")
    remove_leftovers(tmp_path)
    assert names_in(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "newer"
