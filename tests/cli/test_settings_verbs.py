"""init, root, version, config, remote, cache dir: argv to files, text, JSON and exit codes."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from dvtool import __version__
from tests.support.cli import CommandLine
from tests.support.cli import git_project


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return git_project(tmp_path / "repo")


def committed(cli: CommandLine) -> str:
    return (cli.at / ".dvtool" / "config").read_text()


def local(cli: CommandLine) -> str:
    return (cli.at / ".git" / "dvtool" / "config").read_text()


def test_init_says_what_it_wrote_and_what_is_next(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    cli = CommandLine(tmp_path)
    assert cli.done("init").splitlines() == [
        f"dvtool is set up in {tmp_path}",
        "  written, staged in Git: .dvtool/config, .dvtoolignore",
        "next: git commit -m 'Set up dvtool', then dvtool add DATA",
    ]
    staged = subprocess.run(["git", "diff", "--cached", "--name-only"], cwd=tmp_path, capture_output=True, check=True)
    assert staged.stdout.split() == [b".dvtool/config", b".dvtoolignore"]


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (("init",), 2, "is a dvtool project already"),
        (("init", "-C", "sub"), 2, "is not the top of its Git repository"),
        (("init", "-C", "/"), 10, "is not inside a Git repository"),
        (("root", "-C", "/"), 10, "is not inside a dvtool project"),
    ],
)
def test_init_and_root_in_wrong_places(cli: CommandLine, argv: tuple[str, ...], code: int, message: str) -> None:
    (cli.at / "sub").mkdir()
    ran = cli(*argv)
    assert ran.code == code
    assert message in ran.err
    assert "\nhint: " in ran.err


def test_init_of_a_subdirectory_without_git_and_again(cli: CommandLine, tmp_path: Path) -> None:
    below = cli.below("sub")
    assert below("init", "--subdir", "--json").document["created"][0] == {"path": ".dvtool/config"}
    assert below("root", "--json").document["root"] == str(below.at)
    alone = CommandLine(tmp_path)
    document = alone("init", "--no-scm", "--json").document
    assert (document["schema"], document["staged"]) == ("dvtool/init/1", False)
    assert alone("init", "--no-scm", "-f", "--json").document["repo_id"] == document["repo_id"]


def test_version_names_everything(cli: CommandLine) -> None:
    document = cli("version", "--json").document
    assert document["dvtool"] == __version__
    assert document["git"].split(".")[0] == "2"
    assert None not in document["libraries"].values()
    assert cli.done("version").splitlines()[0].split() == ["dvtool", __version__]
    without = cli("version", "--json", environ={"PATH": ""}).document
    assert without["git"] is None


def test_config_set_get_unset(cli: CommandLine) -> None:
    assert cli.done("config", "core.autostage") == "false\n"
    assert cli.done("config", "core.autostage", "true") == ""
    assert "autostage = true" in committed(cli)
    assert cli.done("config", "core.autostage") == "true\n"
    assert cli.done("config", "--local", "core.autostage", "no") == ""
    assert cli.done("config", "core.autostage") == "no\n"
    assert cli.done("config", "--project", "core.autostage") == "true\n"
    cli.done("config", "-u", "--local", "core.autostage")
    cli.done("config", "--unset", "core.autostage")
    assert "autostage" not in committed(cli)


@pytest.mark.parametrize(
    ("argv", "code", "message", "hint"),
    [
        (("core.remoet",), 9, "there is no setting core.remoet", "did you mean `core.remote`"),
        (("core.remote",), 9, "core.remote is not set", "dvtool config core.remote VALUE"),
        (("cache.dir",), 9, "cache.dir is not set", "dvtool config --local cache.dir VALUE"),
        (("core.autostage", "perhaps"), 9, "is not true or false", "dvtool config"),
        (("remote.o.secret_access_key", "x"), 6, "is a secret", "dvtool config --local"),
        (("cache.dir", "/x"), 6, "must not be set by the committed", "--local cache.dir"),
        (("-u", "core.remote"), 9, "core.remote is not set in", "--show-origin"),
        (("-u", "core.remote", "x"), 2, "--unset takes no VALUE", "dvtool config --unset core.remote"),
        (("--list", "core.remote"), 2, "--list takes no KEY", "dvtool config --list"),
        ((), 2, "which setting?", "--list"),
        (("nonsense",), 2, "is not the name of a setting", "core.remote"),
    ],
)
def test_config_refuses(cli: CommandLine, argv: tuple[str, ...], code: int, message: str, hint: str) -> None:
    before = committed(cli)
    ran = cli("config", *argv)
    assert (ran.code, ran.out) == (code, "")
    error, _, advice = ran.err.partition("\nhint: ")
    assert message in error
    assert hint in advice
    assert committed(cli) == before


def test_config_list_with_origins_and_without_secrets(cli: CommandLine) -> None:
    cli.done("remote", "add", "-q", "-d", "o", "s3://bucket")
    cli.done("config", "--local", "remote.o.secret_access_key", "hunter2")
    cli.done("config", "--global", "core.autostage", "true")
    text = cli.done("config", "--list", "--show-origin")
    assert "hunter2" not in text
    rows = [line.split() for line in text.splitlines()]
    assert [row[0] for row in rows] == ["user", "project", "project", "project", "project", "local"]
    assert rows[-1] == ["local", f"{cli.at}/.git/dvtool/config:2", "remote.o.secret_access_key=***"]
    document = cli("config", "--list", "--json", "--local").document
    assert document["settings"] == [
        {
            "key": "remote.o.secret_access_key",
            "value": "***",
            "level": "local",
            "path": f"{cli.at}/.git/dvtool/config",
            "line": 2,
        }
    ]
    cli.done("config", "--global", "-u", "core.autostage")


def test_config_of_the_user_needs_no_project(tmp_path: Path) -> None:
    cli = CommandLine(tmp_path, {"XDG_CONFIG_HOME": str(tmp_path / "xdg")})
    cli.done("config", "--global", "core.durability", "none")
    assert cli.done("config", "core.durability") == "none\n"
    assert cli.done("config", "-l") == "core.durability=none\n"
    assert cli("config", "core.durability", "none").code == 10


def test_the_environment_beats_the_files(cli: CommandLine) -> None:
    ran = cli("config", "--show-origin", "core.autostage", environ={"DVTOOL_CORE_AUTOSTAGE": "true"})
    assert ran.out.split() == ["environment", "DVTOOL_CORE_AUTOSTAGE", "true"]


def test_remotes_from_first_to_last(cli: CommandLine) -> None:
    assert cli("remote", "list").err.startswith("no remote is configured; `dvtool remote add")
    added = "remote origin: s3://bucket/x (default)\nnext: git add .dvtool/config\n"
    assert cli.done("remote", "add", "-d", "origin", "s3://bucket/x") == added
    cli.below("sub").done("remote", "add", "nas", "../../store")
    assert cli.done("remote", "list") == "nas     ../store\norigin  s3://bucket/x  (default)\n"
    cli.done("remote", "modify", "--local", "origin", "access_key_id", "abc")
    cli.done("remote", "rename", "origin", "main")
    assert cli.done("remote", "default") == "main\n"
    assert '[remote "main"]' in local(cli)
    document = cli("remote", "list", "--json").document
    assert document["remotes"][0] == {
        "name": "main",
        "url": "s3://bucket/x",
        "default": True,
        "level": "project",
        "options": {"access_key_id": "***"},
        "secrets": {"access_key_id": "the local config"},
        "mirrors": [],
        "paths": [],
        "trust": "",
    }
    cli.done("remote", "remove", "main")
    assert "main" not in committed(cli) + local(cli)
    ran = cli("remote", "default")
    assert (ran.code, ran.err) == (9, "error: no default remote is chosen\nhint: dvtool remote default nas\n")
    cli.done("remote", "default", "nas")
    assert cli("remote", "default", "--json").document["name"] == "nas"
    cli.done("remote", "default", "-u")
    assert "remote = " not in committed(cli)


@pytest.mark.parametrize(
    ("url", "level", "stored"),
    [
        ("store", "--project", "sub/store"),
        ("../../store", "--local", "../store"),
        ("/mnt/nas/./x", "--project", "/mnt/nas/x"),
        ("../../store", "--global", "{above}/store"),
        ("file:///x/y", "--project", "file:///x/y"),
    ],
)
def test_a_directory_is_meant_from_where_one_is(cli: CommandLine, url: str, level: str, stored: str) -> None:
    below = cli.below("sub")
    expected = stored.format(above=cli.at.parent)
    assert below("remote", "add", level, "o", url, "--json").document["url"] == expected
    assert below("remote", "list", "--json").document["remotes"][0]["url"] == expected
    below.done("remote", "remove", level, "o")


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (("add", "o", "s3://u:pw@bucket"), 6, "is a secret"),
        (("add", "o", "gopher://host"), 9, "no driver for gopher://"),
        (("add", "o", "simplecache::s3://b"), 6, "chained URLs are refused"),
        (("add", "o", "~/x"), 2, "~ is not expanded"),
        (("add", "bad name", "/x"), 2, "cannot be a name"),
        (("add", "nas", "/x"), 9, "there is a remote 'nas' already"),
        (("modify", "nix", "url", "/x"), 9, "there is no remote 'nix'"),
        (("modify", "nas", "regoin", "x"), 9, "there is no setting remote.nas.regoin"),
        (("modify", "nas", "url"), 2, "which value for url?"),
        (("modify", "-u", "nas", "url", "x"), 2, "--unset takes no VALUE"),
        (("remove", "nix"), 9, "there is no remote 'nix'"),
        (("remove", "--local", "nas"), 9, "is configured elsewhere: project"),
        (("rename", "nix", "new"), 9, "there is no remote 'nix'"),
        (("rename", "nas", "other"), 9, "there is a remote 'other' already"),
        (("default", "nix"), 9, "there is no remote 'nix'"),
        (("default", "-u", "nas"), 2, "--unset takes no NAME"),
    ],
)
def test_remote_refuses(cli: CommandLine, argv: tuple[str, ...], code: int, message: str) -> None:
    cli.done("remote", "add", "-q", "nas", "/mnt/nas")
    cli.done("remote", "add", "-q", "other", "/mnt/other")
    before = committed(cli)
    ran = cli("remote", *argv)
    assert ran.code == code
    assert message in ran.err
    assert "pw@" not in ran.err
    assert committed(cli) == before


def test_force_starts_a_remote_anew(cli: CommandLine) -> None:
    cli.done("remote", "add", "o", "s3://one")
    cli.done("remote", "modify", "o", "region", "eu-west-1")
    cli.done("remote", "add", "-f", "o", "s3://two")
    assert cli("remote", "list", "--json").document["remotes"][0]["options"] == {}


def test_the_cache_directory(cli: CommandLine, tmp_path: Path) -> None:
    default = str(cli.at / ".git" / "dvtool" / "cache")
    assert cli.done("cache", "dir") == f"{default}\n"
    cli.below("sub").done("cache", "dir", "own", "-q")
    assert "dir = sub/own\n" in local(cli)
    assert cli.done("cache", "dir", "../shared").splitlines() == [
        f"the cache is {tmp_path}/shared",
        f"  what was cached before stays in {cli.at}/sub/own",
    ]
    assert f"dir = {tmp_path}/shared\n" in local(cli)
    document = cli("cache", "dir", "--json").document
    assert (document["dir"], document["level"]) == (f"{tmp_path}/shared", "local")
    cli.done("cache", "dir", "--unset")
    assert cli.done("cache", "dir") == f"{default}\n"
    assert cli("cache", "dir", "--project", "/x").code == 6
    assert cli("cache", "dir", "-u", "/x").code == 2


def test_a_broken_config_is_named_and_can_be_mended(cli: CommandLine) -> None:
    cli.done("config", "--local", "core.autostage", "true")
    path = cli.at / ".git" / "dvtool" / "config"
    path.write_text(path.read_text().replace("true", "perhaps"))
    ran = cli("config", "-l")
    assert ran.code == 9
    assert f"{path}:2: " in ran.err
    cli.done("config", "--local", "core.autostage", "false")
    assert cli.done("config", "core.autostage") == "false\n"


def test_a_path_that_is_no_text_comes_back_in_json(tmp_path: Path) -> None:
    place = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(place)
    cli = git_project(Path(os.fsdecode(place)))
    document = json.loads(cli.done("root", "--json"))
    assert document["root"].endswith("\ufffd")
    assert document["root_bytes"]
