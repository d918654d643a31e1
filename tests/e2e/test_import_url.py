"""Files and directories of servers: imported with their entity tag, updated only when that changed, and downloaded."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project
from tests.support.datarepo import DataRepo
from tests.support.nginx import Nginx
from tests.support.seaweed import Seaweed

ALLOWED = {"DVTOOL_CORE_SOURCES": "127.0.0.1"}


@pytest.fixture
def project(tmp_path: Path) -> DataRepo:
    cli = git_project(tmp_path / "project")
    return DataRepo(tmp_path / "project", CommandLine(cli.at))


def test_a_file_of_a_web_server(nginx: Nginx, project: DataRepo) -> None:
    place = nginx.new_place()
    file = nginx.directory(place) / "my rows.csv"
    file.write_text("a,b\n" * 100)
    url = f"{nginx.url(place)}/my%20rows.csv"
    project.cli.done("import-url", url, "rows.csv")
    assert (project.at / "rows.csv").read_text() == "a,b\n" * 100
    text = (project.at / "rows.csv.dvt").read_text()
    assert f'url: "{url}"' in text
    assert "etag:" in text
    project.commit("imported")

    before = len(nginx.requests(place))
    assert [one["changed"] for one in project.json("update")["items"]] == [False]
    assert [line.split()[0] for line in nginx.requests(place)[before:]] == ["HEAD"]
    assert project.git("status", "--porcelain") == ""

    file.write_text("a,b\n" * 101)
    assert "an update is available" in project.cli.done("update", "--dry-run")
    project.cli.done("update")
    assert (project.at / "rows.csv").read_text() == "a,b\n" * 101
    assert project.git("status", "--porcelain") == "M rows.csv.dvt"


def test_what_was_imported_by_url_is_pushed_and_may_come_from_the_url(
    nginx: Nginx, project: DataRepo, tmp_path: Path
) -> None:
    place = nginx.new_place()
    file = nginx.directory(place) / "rows.csv"
    file.write_text("x" * 200_000)
    (tmp_path / "store").mkdir()
    project.cli.done("remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    project.cli.done("import-url", f"{nginx.url(place)}/rows.csv")
    project.commit("imported")
    project.lose_cache()
    (project.at / "rows.csv").unlink()
    project.cli.done("pull")
    assert (project.at / "rows.csv").stat().st_size == 200_000
    project.cli.done("push")
    file.write_text("another")
    project.lose_cache()
    (project.at / "rows.csv").unlink()
    project.cli.done("pull")
    assert (project.at / "rows.csv").stat().st_size == 200_000
    shutil.rmtree(tmp_path / "store")
    (tmp_path / "store").mkdir()
    project.lose_cache()
    (project.at / "rows.csv").unlink()
    ran = project.cli("pull")
    assert ran.code in (4, 7), ran
    assert not (project.at / "rows.csv").exists()


def test_a_file_in_a_bucket_by_its_remote(seaweed: Seaweed, project: DataRepo) -> None:
    url = seaweed.new_url()
    key = url.removeprefix(f"s3://{seaweed.bucket}/") + "/raw/rows.csv"
    project.cli.done("remote", "add", "-q", "-d", "--local", "up", url)
    for name, value in seaweed.settings.items():
        project.cli.done("remote", "modify", "-q", "--local", "up", name, value)
    with seaweed.client() as client:
        client.put_object(Bucket=seaweed.bucket, Key=key, Body=b"1,2\n")
        project.cli.done("import-url", "remote://up/raw/rows.csv")
        assert (project.at / "rows.csv").read_text() == "1,2\n"
        assert 'url: "remote://up/raw/rows.csv"' in (project.at / "rows.csv.dvt").read_text()
        assert "up to date" in project.cli.done("update")
        client.put_object(Bucket=seaweed.bucket, Key=key, Body=b"3,4\n")
        project.cli.done("update")
        assert (project.at / "rows.csv").read_text() == "3,4\n"


def test_expired_credentials_write_nothing(seaweed: Seaweed, project: DataRepo) -> None:
    url = seaweed.new_url()
    prefix = url.removeprefix(f"s3://{seaweed.bucket}/")
    project.cli.done("remote", "add", "-q", "-d", "--local", "up", url)
    for name, value in seaweed.settings.items():
        project.cli.done("remote", "modify", "-q", "--local", "up", name, value)
    with seaweed.client() as client:
        client.put_object(Bucket=seaweed.bucket, Key=f"{prefix}/rows.csv", Body=b"1,2\n")
        project.cli.done("import-url", "remote://up/rows.csv")
        client.put_object(Bucket=seaweed.bucket, Key=f"{prefix}/rows.csv", Body=b"3,4\n")
    project.commit("imported")
    secret = seaweed.settings["secret_access_key"]
    project.cli.done("remote", "modify", "-q", "--local", "up", "secret_access_key", "expired")
    for words in (("update",), ("import-url", "remote://up/rows.csv", "again.csv")):
        ran = project.cli(*words)
        assert ran.code == 7, ran
        assert project.git("status", "--porcelain") == ""
        assert (project.at / "rows.csv").read_text() == "1,2\n"
        assert not (project.at / "again.csv").exists()
    project.cli.done("remote", "modify", "-q", "--local", "up", "secret_access_key", secret)
    project.cli.done("update")
    assert (project.at / "rows.csv").read_text() == "3,4\n"


def test_a_file_of_this_disk(project: DataRepo, tmp_path: Path) -> None:
    (tmp_path / "my file, 1").write_text("one")
    project.cli.done("import-url", "../my file, 1", "here")
    assert (project.at / "here").read_text() == "one"
    for number, url in enumerate((str(tmp_path / "my file, 1"), f"file://{tmp_path}/my%20file,%201")):
        project.cli.done("get-url", url, f"there {number}")
        assert (project.at / f"there {number}").read_text() == "one"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.1:1/rows.csv", 7),
        ("http://me:secret@127.0.0.1:1/rows.csv", 6),
        ("https://127.0.0.1:1/rows.csv?token=secret", 6),
        ("../nothing", 4),
        ("../", 2),
        ("remote://nope/rows.csv", 9),
        ("simplecache::http://127.0.0.1:1/x", 6),
        ("--", 2),
    ],
)
def test_what_cannot_be_had_writes_nothing(project: DataRepo, url: str, code: int) -> None:
    before = project.git("status", "--porcelain")
    ran = project.cli("import-url", url)
    assert ran.code == code, ran
    assert "secret@" not in ran.err
    assert "token=secret" not in ran.err
    assert project.git("status", "--porcelain") == before


def test_a_pointer_may_not_lead_into_the_network_of_this_machine(
    nginx: Nginx, project: DataRepo, tmp_path: Path
) -> None:
    place = nginx.new_place()
    (nginx.directory(place) / "rows.csv").write_text("x")
    project.cli.done("import-url", f"{nginx.url(place)}/rows.csv")
    project.commit("imported")
    project.git("clone", "-q", str(project.at), str(tmp_path / "theirs"))
    theirs = CommandLine(tmp_path / "theirs")
    before = len(nginx.requests(place))
    ran = theirs("update")
    assert ran.code == 6, ran
    assert "core.sources" in ran.err
    assert len(nginx.requests(place)) == before
    assert CommandLine(theirs.at, ALLOWED)("update").code == 0


def fill(folder: Path) -> None:
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/größe 1.csv").write_text("1,2\n")
    (folder / "rows.csv").write_text("a,b\n" * 100)


@pytest.mark.parametrize("ending", ["", "/"])
def test_a_directory_of_this_disk(project: DataRepo, tmp_path: Path, ending: str) -> None:
    fill(tmp_path / "photos")
    below = project.cli.below("data")
    assert "data/photos: 2 files" in below.done("import-url", f"../../photos{ending}")
    assert 'url: "../photos/"' in (project.at / "data/photos.dvt").read_text()
    assert (project.at / "data/photos/deep/größe 1.csv").read_text() == "1,2\n"
    project.commit("imported")
    assert "up to date" in project.cli.done("update")
    (tmp_path / "photos/rows.csv").unlink()
    project.cli.done("update")
    assert sorted(each.name for each in (project.at / "data/photos").iterdir()) == ["deep"]


def test_changes_of_ones_own_are_kept(project: DataRepo, tmp_path: Path) -> None:
    fill(tmp_path / "photos")
    project.cli.done("import-url", "../photos")
    project.commit("imported")
    (project.at / "photos/rows.csv").write_text("mine")
    (tmp_path / "photos/rows.csv").write_text("theirs")
    assert project.cli("update").code != 0
    assert (project.at / "photos/rows.csv").read_text() == "mine"
    project.cli.done("update", "--force")
    assert (project.at / "photos/rows.csv").read_text() == "theirs"


def test_a_directory_that_was_imported_is_pushed_and_may_come_from_the_url(project: DataRepo, tmp_path: Path) -> None:
    fill(tmp_path / "photos")
    (tmp_path / "store").mkdir()
    project.cli.done("remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    project.cli.done("import-url", "../photos")
    project.commit("imported")
    for push in (False, True):
        if push:
            project.cli.done("push")
            shutil.rmtree(tmp_path / "photos")
        project.lose_cache()
        shutil.rmtree(project.at / "photos")
        project.cli.done("pull")
        assert (project.at / "photos/deep/größe 1.csv").read_text() == "1,2\n"


def test_links_in_a_directory_are_not_followed(project: DataRepo, tmp_path: Path) -> None:
    fill(tmp_path / "photos")
    (tmp_path / "photos/secret").symlink_to("/etc/passwd")
    ran = project.cli("import-url", "../photos")
    assert ran.code == 6, ran
    assert "photos" not in project.git("status", "--porcelain")


def test_a_web_server_has_no_directories(nginx: Nginx, project: DataRepo) -> None:
    ran = project.cli("import-url", f"{nginx.url(nginx.new_place())}/")
    assert ran.code == 2, ran
    assert "does not say which files" in ran.err


def test_get_url_replaces_a_directory_only_by_force(project: DataRepo, tmp_path: Path) -> None:
    fill(tmp_path / "photos")
    (tmp_path / "plain/photos").mkdir(parents=True)
    (tmp_path / "plain/photos/mine").write_text("mine")
    cli = CommandLine(tmp_path / "plain")
    assert cli("get-url", "../photos").code == 2
    assert (tmp_path / "plain/photos/mine").read_text() == "mine"
    cli.done("get-url", "-f", "../photos")
    assert sorted(each.name for each in (tmp_path / "plain/photos").iterdir()) == ["deep", "rows.csv"]
    assert [each.name for each in (tmp_path / "plain").iterdir()] == ["photos"]


def test_get_url_needs_no_project(nginx: Nginx, tmp_path: Path) -> None:
    place = nginx.new_place()
    (nginx.directory(place) / "rows.csv").write_text("x")
    (tmp_path / "plain").mkdir()
    cli = CommandLine(tmp_path / "plain")
    cli.done("get-url", f"{nginx.url(place)}/rows.csv")
    assert (tmp_path / "plain/rows.csv").read_text() == "x"
    assert cli("get-url", f"{nginx.url(place)}/rows.csv").code == 2
    assert cli("get-url", f"{nginx.url(place)}/nope.csv").code == 4
    assert [each.name for each in (tmp_path / "plain").iterdir()] == ["rows.csv"]
