"""Files are complete or not there, and what cannot be written is known beforehand."""

from __future__ import annotations

import errno
import os
import resource
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastw2v.errors import OutputError
from fastw2v.system.files import (
    atomic_folder,
    atomic_writer,
    remove_folder,
    remove_temporaries,
    require_writable,
)

ROOT = Path(__file__).parent.parent
OLD = b"the old bytes"
NEW = b"the new bytes"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def existing(tmp_path: Path) -> Path:
    path = tmp_path / "vectors.txt"
    path.write_bytes(OLD)
    return path


@pytest.fixture
def small_disk() -> Iterator[int]:
    """Writes beyond this many bytes of a file fail, as on a full disk."""
    size = 1 << 16
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    yield size
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_atomic_writer__writes_the_file_and_nothing_else(tmp_path: Path) -> None:
    with atomic_writer(tmp_path / "v.bin") as file:
        file.write(b"one ")
        file.write(b"two")
    assert (tmp_path / "v.bin").read_bytes() == b"one two"
    assert names(tmp_path) == ["v.bin"]


def test_atomic_writer__target_is_unchanged_until_the_end(existing: Path) -> None:
    with atomic_writer(existing) as file:
        file.write(b"new" * 1_000_000)
        assert existing.read_bytes() == OLD
    assert existing.read_bytes() == b"new" * 1_000_000


@pytest.mark.parametrize("error", [RuntimeError("stop"), KeyboardInterrupt()])
def test_atomic_writer__failing_block_leaves_the_old_file(existing: Path, error: BaseException) -> None:
    def write_half() -> None:
        with atomic_writer(existing) as file:
            file.write(b"half")
            raise error

    with pytest.raises(type(error)):
        write_half()
    assert existing.read_bytes() == OLD
    assert names(existing.parent) == ["vectors.txt"]


def test_atomic_writer__full_disk_names_path_and_missing_bytes(existing: Path, small_disk: int) -> None:
    needed = 3 * small_disk
    with (
        pytest.raises(OutputError, match=rf"vectors\.txt: disk full .* {2 * small_disk:,} bytes missing"),
        atomic_writer(existing, size=needed) as file,
    ):
        file.write(b"x" * needed)
    assert existing.read_bytes() == OLD
    assert names(existing.parent) == ["vectors.txt"]


def test_atomic_writer__full_disk_found_on_the_last_flush(existing: Path, small_disk: int) -> None:
    with pytest.raises(OutputError, match="disk full"), atomic_writer(existing) as file:
        file.write(b"x" * (small_disk + 1))  # stays in the buffer until the block ends
    assert existing.read_bytes() == OLD
    assert names(existing.parent) == ["vectors.txt"]


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.replace"])
def test_atomic_writer__failing_system_call_leaves_the_old_file(
    existing: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(call, fail)
        with (
            pytest.raises(OutputError, match=r"vectors\.txt: .*Input/output error"),
            atomic_writer(existing) as file,
        ):
            file.write(b"new")
    assert existing.read_bytes() == OLD
    assert names(existing.parent) == ["vectors.txt"]


def test_atomic_writer__leaves_no_descriptor_open(existing: Path) -> None:
    def fail() -> None:
        with atomic_writer(existing):
            raise RuntimeError

    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(RuntimeError):
        fail()
    with atomic_writer(existing):
        pass
    require_writable(existing)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_atomic_writer__follows_links(tmp_path: Path, existing: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(existing)
    with atomic_writer(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert existing.read_bytes() == b"new"


def test_atomic_writer__keeps_permissions_of_an_existing_file(existing: Path) -> None:
    existing.chmod(0o640)
    with atomic_writer(existing):
        pass
    assert stat.S_IMODE(existing.stat().st_mode) == 0o640


def test_atomic_writer__new_file_gets_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    with atomic_writer(tmp_path / "new"):
        pass
    expected = (tmp_path / "plain").stat().st_mode
    assert (tmp_path / "new").stat().st_mode == expected


def test_atomic_writer__name_of_the_greatest_length(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    require_writable(path)
    with atomic_writer(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"


def test_atomic_writer__full_device() -> None:
    with (
        pytest.raises(OutputError, match="/dev/full: disk full; free some space"),
        atomic_writer(Path("/dev/full")) as file,
    ):
        file.write(b"x")
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


def test_atomic_writer__pipe_is_written_directly(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    with atomic_writer(pipe) as file:
        file.write(b"through the pipe")
    reader.join()
    assert received == [b"through the pipe"]
    assert names(tmp_path) == ["pipe"]


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_atomic_writer__standard_output_keeps_appending(existing: Path, name: str) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from fastw2v.system.files import atomic_writer, require_writable\n"
        "path = Path(sys.argv[1]); require_writable(path)\n"
        "with atomic_writer(path) as file: file.write(b' and more')"
    )
    with existing.open("ab") as stdout:
        subprocess.run([sys.executable, "-c", program, name], stdout=stdout, check=True, cwd=ROOT)
    assert existing.read_bytes() == OLD + b" and more"


@pytest.mark.parametrize("check", [require_writable, lambda path: atomic_writer(path).__enter__()])
class TestUnwritable:
    """What cannot be written, before training and when it is tried all the same."""

    def refused(self, check: object, path: Path, reason: str) -> None:
        assert callable(check)
        with pytest.raises(OutputError, match=reason) as caught:
            check(path)
        assert str(path) in str(caught.value) or repr(str(path)) in str(caught.value)
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 5

    def test_require_writable__missing_folder(self, tmp_path: Path, check: object) -> None:
        self.refused(check, tmp_path / "no" / "v.txt", "there is no folder .*no; make it")

    def test_require_writable__folder(self, tmp_path: Path, check: object) -> None:
        self.refused(check, tmp_path, "is a folder; give the name of a file")

    def test_require_writable__below_a_file(self, existing: Path, check: object) -> None:
        self.refused(check, existing / "v.txt", "there is no folder")

    def test_require_writable__name_too_long(self, tmp_path: Path, check: object) -> None:
        self.refused(check, tmp_path / ("n" * 256), "File name too long")

    def test_require_writable__null_byte(self, tmp_path: Path, check: object) -> None:
        self.refused(check, tmp_path / "a\0b", "null byte")

    def test_require_writable__closed_descriptor(self, check: object) -> None:
        self.refused(check, Path("/dev/fd/987654"), "Bad file descriptor")

    def test_require_writable__socket(self, tmp_path: Path, check: object) -> None:
        path = tmp_path / "socket"
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            self.refused(check, path, "neither a file nor a pipe")
        assert stat.S_ISSOCK(path.stat().st_mode)

    def test_require_writable__loop_of_links(self, tmp_path: Path, check: object) -> None:
        (tmp_path / "a").symlink_to(tmp_path / "b")
        (tmp_path / "b").symlink_to(tmp_path / "a")
        self.refused(check, tmp_path / "a", "symbolic links")

    @pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs /sys, where even root cannot write")
    def test_require_writable__folder_nobody_may_write(self, check: object) -> None:
        self.refused(check, Path("/sys/kernel/v.txt"), "cannot be written")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_require_writable__read_only_folder(self, tmp_path: Path, check: object) -> None:
        tmp_path.chmod(0o500)
        self.refused(check, tmp_path / "v.txt", "Permission denied")
        tmp_path.chmod(0o700)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_require_writable__read_only_file(existing: Path) -> None:
    existing.chmod(0o400)
    with pytest.raises(OutputError, match="Permission denied"):
        require_writable(existing)


def test_require_writable__leaves_nothing_behind(existing: Path) -> None:
    before = existing.stat()
    require_writable(existing)
    require_writable(existing.parent / "new.txt")
    assert names(existing.parent) == ["vectors.txt"]
    assert existing.read_bytes() == OLD
    assert existing.stat().st_mtime_ns == before.st_mtime_ns


def test_require_writable__special_files() -> None:
    for name in ("/dev/null", "/dev/full", "/dev/stdout", "/dev/stderr"):
        require_writable(Path(name))


# --- folders, and what killed processes leave --------------------------------------------------------------


def test_atomic_folder__is_there_once_complete(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "kept") as folder:
        with atomic_writer(folder / "a") as file:
            file.write(b"one")
        assert "kept" not in names(tmp_path)
    assert names(tmp_path) == ["kept"]
    assert (tmp_path / "kept" / "a").read_bytes() == b"one"


@pytest.mark.parametrize("error", [RuntimeError("stop"), KeyboardInterrupt()])
def test_atomic_folder__failing_block_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), atomic_folder(tmp_path / "kept"):
        raise error
    assert names(tmp_path) == []


def test_atomic_folder__full_disk_names_the_final_path(tmp_path: Path, small_disk: int) -> None:
    wanted = rf"{tmp_path}/kept/a: disk full .* {small_disk:,} bytes missing"
    with (
        pytest.raises(OutputError, match=wanted),
        atomic_folder(tmp_path / "kept") as folder,
        atomic_writer(folder / "a", size=2 * small_disk) as file,
    ):
        file.write(b"x" * 2 * small_disk)
    assert names(tmp_path) == []


def test_atomic_folder__that_is_there_already_stays(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "a").write_bytes(OLD)
    with pytest.raises(OutputError, match="kept: cannot be written"), atomic_folder(tmp_path / "kept"):
        pass
    assert (tmp_path / "kept" / "a").read_bytes() == OLD
    assert names(tmp_path) == ["kept"]


def test_atomic_folder__takes_the_place_of_one_that_is_there(tmp_path: Path) -> None:
    for content in (OLD, NEW):
        with atomic_folder(tmp_path / "kept", replaces=True) as folder:
            (folder / content.decode()[4:7]).write_bytes(content)
    assert names(tmp_path) == ["kept"]
    assert [file.read_bytes() for file in (tmp_path / "kept").iterdir()] == [NEW]


def test_atomic_folder__that_fails_leaves_the_one_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "a").write_bytes(OLD)

    def fail() -> None:
        with atomic_folder(tmp_path / "kept", replaces=True) as folder:
            (folder / "a").write_bytes(NEW)
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="kept: disk full"):
        fail()
    assert names(tmp_path) == ["kept"]
    assert (tmp_path / "kept" / "a").read_bytes() == OLD


def test_require_writable__removes_folders_of_dead_processes_only(tmp_path: Path) -> None:
    (tmp_path / ".fastw2v-0123456789ab.tmp").mkdir()
    with atomic_folder(tmp_path / "kept") as folder:
        require_writable(tmp_path / "v.txt")
        assert names(tmp_path) == [folder.with_suffix(".lock").name, folder.name]
    assert names(tmp_path) == ["kept"]


def test_remove_folder__removes_it_whole_and_forgives_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(OLD)
    remove_folder(tmp_path / "a")
    remove_folder(tmp_path / "b")
    assert names(tmp_path) == []


WRITE_AND_WAIT = """
import sys, time; from pathlib import Path; from fastw2v.system.files import atomic_writer
with atomic_writer(Path(sys.argv[1])) as file:
    print(flush=True)
    time.sleep(60)
"""


def test_require_writable__removes_leftovers_of_dead_processes_only(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE_AND_WAIT, str(tmp_path / "v.txt")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout
        process.stdout.readline()
        before = names(tmp_path)
        assert [Path(name).suffix for name in before] == [".lock", ".tmp"]
        require_writable(tmp_path / "other.txt")
        assert names(tmp_path) == before
        process.kill()
    assert names(tmp_path) == before
    require_writable(tmp_path / "other.txt")
    assert names(tmp_path) == []


def test_require_writable__leaves_other_files_with_such_names(tmp_path: Path) -> None:
    (tmp_path / ".fastw2v-folder.tmp").mkdir()
    (tmp_path / ".fastw2v-link.tmp").symlink_to(tmp_path / "v.txt")
    (tmp_path / "fastw2v-mine.tmp").write_bytes(OLD)
    before = names(tmp_path)
    require_writable(tmp_path / "v.txt")
    assert names(tmp_path) == before


def test_remove_temporaries__removes_those_being_written(tmp_path: Path) -> None:
    def write() -> None:
        with atomic_writer(tmp_path / "v.txt"):
            remove_temporaries()
            assert names(tmp_path) == []

    with pytest.raises(OutputError):
        write()
