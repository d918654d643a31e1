"""Google Drive, as far as a stub can tell (`tests.support.drivestub`): the real service was not there."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dvtool.errors import AccessDenied
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.remote.address import Address
from dvtool.remote.drivers.gdrive import upload
from dvtool.remote.drivers.gdrive.api import DriveApi
from dvtool.remote.failures import TransientError
from dvtool.remote.table import open_bare
from dvtool.remote.table import open_remote
from dvtool.testing.remote_suite import OpenClient
from dvtool.testing.remote_suite import RemoteSuite
from tests.support.drivehttp import ROBOT
from tests.support.drivehttp import DriveServer
from tests.support.drivehttp import Fault
from tests.support.drivestub import FOLDER
from tests.support.drivestub import UNIT
from tests.support.gdrive import Open
from tests.support.gdrive import drive
from tests.support.gdrive import opened
from tests.support.gdrive import robot_key
from tests.support.gdrive import user
from tests.support.remotestory import noise

__all__ = ["drive", "opened", "robot_key", "user"]

MIB = 1 << 20


class TestDrive(RemoteSuite):
    large = 12 * MIB
    many = 150

    @pytest.fixture
    def address(self, drive: DriveServer) -> Address:
        drive.drive.page = 40
        return Address("origin", drive.folder_url("/some/path"), drive.settings, b"/", {})

    @pytest.fixture
    def open_absent(self, drive: DriveServer) -> OpenClient:
        return lambda: open_bare(Address("origin", "gdrive://no-such-folder/x", drive.settings, b"/", {}))


def file_of(tmp_path: Path, data: bytes) -> bytes:
    (tmp_path / "sent").write_bytes(data)
    return bytes(tmp_path / "sent")


class TestNames:
    def test_the_oldest_of_several_files_with_one_name_counts(self, drive: DriveServer, opened: Open) -> None:
        opened().put("data/ab/k", b"first")
        [folder] = drive.drive.named("data")
        drive.drive.make("ab/k", "application/octet-stream", (folder.id,), b"second")
        reader = opened()
        assert reader.get("data/ab/k") == b"first"
        assert [(item.key, item.size) for item in reader.list("data/")] == [("data/ab/k", 5)]
        reader.delete("data/ab/k")
        assert opened().stat("data/ab/k") is None
        assert drive.drive.named("ab/k") == []

    def test_folders_with_one_name_are_read_as_one(self, drive: DriveServer, opened: Open) -> None:
        opened().put("data/ab/k", b"x")
        twin = drive.drive.make("data", FOLDER, (drive.drive.shared,), None)
        drive.drive.make("cd/l", "application/octet-stream", (twin.id,), b"yy")
        reader = opened()
        assert [item.key for item in reader.list("data/")] == ["data/ab/k", "data/cd/l"]
        assert opened().get("data/cd/l") == b"yy"
        opened().put("data/ef/m", b"z")
        assert drive.drive.named("ef/m")[0].parents == (drive.drive.named("data")[0].id,)

    def test_names_that_differ_in_case_alone_are_different(self, opened: Open) -> None:
        opened().put("data/AB", b"upper")
        opened().put("data/ab", b"lower")
        assert opened().get("data/AB") == b"upper"
        assert opened().get("data/ab") == b"lower"

    def test_what_google_does_not_find_by_name_yet_is_there(self, drive: DriveServer, opened: Open) -> None:
        drive.drive.indexing = False
        writer = opened()
        writer.put("roots/a", b"value")
        for remote in (writer, opened()):
            item = remote.stat("roots/a")
            assert item is not None and item.size == 5
            assert remote.get("roots/a") == b"value"
        assert not opened().put("roots/a", b"other", create_only=True)
        writer.put("roots/a", b"replaced")
        assert opened().get("roots/a") == b"replaced"
        assert len(drive.drive.named("a")) == 1
        opened().delete("roots/a")
        assert opened().stat("roots/a") is None

    def test_two_at_once_create_one_value(self, drive: DriveServer, opened: Open) -> None:
        clients = [opened() for _ in range(6)]
        barrier = threading.Barrier(len(clients))

        def create(number: int) -> bool:
            barrier.wait()
            return clients[number].put("store.json", b"%d" % number, create_only=True)

        with ThreadPoolExecutor(len(clients)) as pool:
            won = list(pool.map(create, range(len(clients))))
        assert sum(won) == 1
        assert opened().get("store.json") == b"%d" % won.index(True)
        assert len(drive.drive.named("store.json")) == 1

    def test_folders_and_documents_of_google_are_no_values(self, drive: DriveServer, opened: Open) -> None:
        opened().put("data/k", b"x")
        [folder] = drive.drive.named("data")
        drive.drive.make("notes", "application/vnd.google-apps.document", (folder.id,), None)
        drive.drive.make("l", FOLDER, (folder.id,), None)
        assert [item.key for item in opened().list("data/")] == ["data/k"]
        assert opened().stat("data/l") is None


class TestTrash:
    def test_what_lies_in_the_trash_is_absent(self, drive: DriveServer, opened: Open) -> None:
        before = opened()
        before.put("data/k", b"x")
        drive.drive.named("k")[0].trashed = True
        for remote in (before, opened()):
            assert remote.stat("data/k") is None
            assert list(remote.list("data/")) == []
        with pytest.raises(MissingData):
            opened().get("data/k")
        before.put("data/k", b"new")
        assert opened().get("data/k") == b"new"

    def test_a_folder_of_the_remote_in_the_trash_is_made_anew(self, drive: DriveServer, opened: Open) -> None:
        remote = opened()
        remote.put("data/k", b"x")
        drive.drive.named("data")[0].trashed = True
        assert list(remote.list("data/")) == []
        remote.put("data/l", b"y")
        assert [item.key for item in opened().list("")] == ["data/l"]

    @pytest.mark.parametrize("use", ["list", "stat", "get", "put"])
    def test_the_whole_remote_in_the_trash_is_an_error(self, drive: DriveServer, opened: Open, use: str) -> None:
        folder = drive.drive.make("store", FOLDER, (drive.drive.shared,), None)
        folder.trashed = True
        remote = opened(f"gdrive://{folder.id}")
        calls: dict[str, Callable[[], object]] = {
            "list": lambda: list(remote.list("data/")),
            "stat": lambda: remote.stat("data/k"),
            "get": lambda: remote.get("data/k"),
            "put": lambda: remote.put("data/k", b"x"),
        }
        with pytest.raises(StorageError, match="in the trash") as caught:
            calls[use]()
        assert not isinstance(caught.value, TransientError)

    def test_deleting_into_the_trash(self, drive: DriveServer, opened: Open) -> None:
        drive.robot = type(drive.robot)(ROBOT, "fileOrganizer", is_service=True)
        remote = opened()
        remote.put("data/k", b"x")
        with pytest.raises(AccessDenied) as caught:
            remote.delete("data/k")
        assert "gdrive_trash_only" in str(caught.value.hint)
        opened(gdrive_trash_only="true").delete("data/k")
        assert drive.drive.named("k")[0].trashed
        assert opened().stat("data/k") is None


class TestListing:
    def test_pages_are_followed_to_the_end(self, drive: DriveServer, opened: Open) -> None:
        drive.drive.page = 7
        remote = opened()
        for number in range(20):
            remote.put(f"data/{number:02}", b"x")
        assert [item.key for item in opened().list("data/")] == [f"data/{number:02}" for number in range(20)]

    def test_a_search_that_google_cut_short_is_an_error(self, drive: DriveServer, opened: Open) -> None:
        opened().put("data/k", b"x")
        drive.drive.incomplete = True
        with pytest.raises(StorageError, match="did not list all"):
            list(opened().list("data/"))

    def test_a_listing_costs_one_request_once_the_folder_is_known(self, drive: DriveServer, opened: Open) -> None:
        remote = opened()
        for number in range(20):
            remote.put(f"data/{number:02}", b"x")
        drive.asked.clear()
        assert len(list(remote.list("data/"))) == 20
        assert drive.methods() == ["GET files"]
        drive.asked.clear()
        assert remote.get("data/07") == b"x"
        assert drive.methods() == ["GET files"]

    def test_a_new_value_costs_two_requests(self, drive: DriveServer, opened: Open) -> None:
        remote = opened()
        remote.put("data/a", b"x")
        drive.asked.clear()
        remote.put("data/b", b"x")
        assert drive.methods() == ["GET files", "POST files"]


class TestUpload:
    @pytest.fixture(autouse=True)
    def small_chunks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(upload, "CHUNK", 4 * UNIT)

    def test_a_large_value_goes_in_chunks(self, drive: DriveServer, opened: Open, tmp_path: Path) -> None:
        data = noise("large", 6 * MIB + 5)
        opened().put_file("data/k", file_of(tmp_path, data))
        assert drive.drive.named("k")[0].content == data
        sent = [each.headers["content-range"] for each in drive.asked if each.method == "PUT"]
        assert sent[0] == f"bytes 0-{MIB - 1}/{len(data)}"
        assert sent[-1] == f"bytes {6 * MIB}-{6 * MIB + 4}/{len(data)}"
        assert len(sent) == 7

    @pytest.mark.parametrize("arrived", [0, 1, UNIT - 1, UNIT, 3 * UNIT + 7])
    def test_after_a_cut_it_goes_on_where_google_is(
        self, drive: DriveServer, opened: Open, tmp_path: Path, arrived: int
    ) -> None:
        data = noise("cut", 6 * MIB)
        drive.faults.append(Fault("PUT", "/upload/session", times=1, cut=arrived))
        opened().put_file("data/k", file_of(tmp_path, data))
        assert drive.drive.named("k")[0].content == data
        ranges = [each.headers["content-range"] for each in drive.asked if each.method == "PUT"]
        kept = arrived // UNIT * UNIT
        assert ranges[1] == f"bytes */{len(data)}"
        assert ranges[2].startswith(f"bytes {kept}-")

    def test_an_answer_that_is_lost_is_asked_for_again(self, drive: DriveServer, opened: Open, tmp_path: Path) -> None:
        data = noise("lost", 5 * MIB + 1)
        drive.faults.append(Fault("PUT", "/upload/session", times=0, drop_answer=True))
        last = drive.faults[0]
        real = drive.asked.append

        def watch(asked: Any) -> None:
            real(asked)
            if asked.headers.get("content-range", "").endswith(f"-{len(data) - 1}/{len(data)}"):
                last.times = 1

        drive.asked = type("Watched", (list,), {"append": lambda self, asked: watch(asked)})()
        opened().put_file("data/k", file_of(tmp_path, data))
        assert [each.content for each in drive.drive.named("k")] == [data]

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_it_waits_and_goes_on(self, drive: DriveServer, opened: Open, tmp_path: Path, status: int) -> None:
        data = noise("busy", 6 * MIB)
        drive.faults.append(Fault("PUT", "/upload/session", times=3, status=status, reason="backendError"))
        opened().put_file("data/k", file_of(tmp_path, data))
        assert drive.drive.named("k")[0].content == data

    def test_five_failures_in_a_row_are_the_end(self, drive: DriveServer, opened: Open, tmp_path: Path) -> None:
        drive.faults.append(Fault("PUT", "/upload/session", times=99, status=503, reason="backendError"))
        with pytest.raises(TransientError):
            opened().put_file("data/k", file_of(tmp_path, noise("dead", 6 * MIB)))
        assert sum(each.method == "PUT" for each in drive.asked) == 5
        assert drive.drive.named("k") == []

    def test_a_session_that_google_forgot_is_given_up_at_once(
        self, drive: DriveServer, opened: Open, tmp_path: Path
    ) -> None:
        drive.faults.append(Fault("PUT", "/upload/session", times=1, status=404, reason="notFound"))
        with pytest.raises(TransientError, match="forgot"):
            opened().put_file("data/k", file_of(tmp_path, noise("old", 6 * MIB)))
        assert sum(each.method == "PUT" for each in drive.asked) == 1

    def test_other_bytes_than_were_sent_are_taken_back(self, drive: DriveServer, opened: Open) -> None:
        drive.faults.append(Fault("POST", "/upload/", flip=True))
        with pytest.raises(TransientError, match="other bytes"):
            opened().put("data/k", b"12345")
        assert drive.drive.named("k") == []

    def test_a_retry_after_a_lost_answer_makes_no_second_file(self, drive: DriveServer, opened: Open) -> None:
        drive.faults.append(Fault("POST", "/upload/", drop_answer=True))
        address = Address("origin", drive.folder_url(), drive.settings, b"/", {})
        remote = open_remote(address)
        assert remote.put("data/k", b"12345")
        assert [each.content for each in drive.drive.named("k")] == [b"12345"]
        remote.close()

    def test_a_file_that_shrinks_meanwhile_is_no_fault_of_the_network(
        self, drive: DriveServer, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = file_of(tmp_path, noise("shrinks", 6 * MIB))
        begin = DriveApi.begin_upload

        async def shrink(*args: Any) -> str:
            os.truncate(path, MIB)
            return await begin(*args)

        monkeypatch.setattr(DriveApi, "begin_upload", shrink)
        with pytest.raises(StorageError, match="became shorter") as caught:
            opened().put_file("data/k", path)
        assert not isinstance(caught.value, TransientError)
        assert drive.drive.named("k") == []

    def test_an_upload_is_never_sent_to_another_place(self, drive: DriveServer, opened: Open, tmp_path: Path) -> None:
        remote = opened()
        remote.put("data/a", b"x")
        drive.url = "http://127.0.0.1:1"
        with pytest.raises(StorageError, match="to another place"):
            remote.put_file("data/k", file_of(tmp_path, noise("elsewhere", 6 * MIB)))


class TestDownload:
    def test_a_cut_download_leaves_a_beginning_and_goes_on(
        self, drive: DriveServer, opened: Open, tmp_path: Path
    ) -> None:
        data = noise("down", 3 * MIB)
        opened().put("data/k", data)
        drive.faults.append(Fault("GET", "/drive/v3/files/", times=2, cut=2 * MIB))
        remote = opened()
        list(remote.list("data/"))
        with pytest.raises(TransientError):
            remote.get_file("data/k", bytes(tmp_path / "back"), len(data))
        left = (tmp_path / "back").read_bytes()
        assert left and data.startswith(left)
        again = open_remote(Address("origin", drive.folder_url(), drive.settings, b"/", {}))
        list(again.list("data/"))
        again.get_file("data/k", bytes(tmp_path / "back"), len(data))
        assert (tmp_path / "back").read_bytes() == data
        again.close()

    def test_a_value_that_was_replaced_under_another_id_is_found(self, drive: DriveServer, opened: Open) -> None:
        reader = opened()
        opened().put("data/k", b"old")
        assert reader.get("data/k") == b"old"
        other = opened()
        other.delete("data/k")
        other.put("data/k", b"new")
        assert reader.get("data/k") == b"new"

    def test_a_full_disk_is_not_taken_for_the_network(self, opened: Open) -> None:
        remote = opened()
        remote.put("data/k", b"12345")
        with pytest.raises(StorageError, match="No space left") as caught:
            remote.get_file("data/k", b"/dev/full", 5)
        assert not isinstance(caught.value, TransientError)


def test_shared_drives_are_listed_as_one_place(drive: DriveServer, opened: Open) -> None:
    opened().put("data/k", b"x")
    drive.asked.clear()
    list(opened().list("data/"))
    lists = [each.query for each in drive.asked if each.path.endswith("/files")]
    assert {(each["corpora"], each["driveId"]) for each in lists} == {("drive", drive.drive.shared)}


def test_closing_from_another_thread_ends_a_request(drive: DriveServer) -> None:
    """Also the one for the token, which google-auth makes in a thread of its own."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        key = json.loads(Path(drive.key_file).read_text())
        key["token_uri"] = f"http://127.0.0.1:{silent.getsockname()[1]}/token"
        Path(drive.key_file).write_text(json.dumps(key))
        remote = open_bare(Address("origin", drive.folder_url(), drive.settings, b"/", {}))
        told: list[Exception] = []

        def look() -> None:
            try:
                remote.stat("k")
            except StorageError as error:
                told.append(error)

        thread = threading.Thread(target=look)
        thread.start()
        connection, _ = silent.accept()
        with connection:
            connection.recv(1)
            remote.close()
            thread.join()
        assert len(told) == 1
        with pytest.raises(StorageError, match="is closed"):
            remote.stat("k")
