from __future__ import annotations

import os
from collections.abc import Mapping

import pytest

from dvtool.errors import ConfigError
from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.project import edit
from dvtool.project.config import Config
from dvtool.project.config import Level
from dvtool.project.config import display
from dvtool.project.config import level_path
from dvtool.project.init import init_project
from dvtool.project.layout import Layout
from dvtool.project.open import find_layout
from dvtool.project.open import open_project
from tests.unit.project.conftest import Place


@pytest.fixture
def project(repo: Place) -> Place:
    init_project(b".", repo.environment)
    return repo


def layout(place: Place) -> Layout:
    return find_layout(b".", place.environment)


def config(place: Place, overrides: Mapping[str, str] | None = None) -> Config:
    return open_project(b".", place.environment, overrides).config


def test_the_strongest_place_wins_and_says_where_it_is(project: Place) -> None:
    places = layout(project)
    assert config(project).origin("core.remote") is None
    for level in (Level.SYSTEM, Level.USER, Level.PROJECT, Level.LOCAL):
        path = edit.set_setting(places, level, "core.remote", level.value)
        origin = config(project).origin("core.remote")
        assert origin is not None
        assert (config(project).get("core.remote"), origin.level, origin.path) == (level.value, level, path)
    project.environ["DVTOOL_CORE_REMOTE"] = "from-env"
    origin = config(project).origin("core.remote")
    assert origin == (Level.ENVIRONMENT, b"DVTOOL_CORE_REMOTE", None)
    assert config(project, {"core.remote": "from-flag"}).text("core.remote") == "from-flag"


def test_defaults_and_types(project: Place) -> None:
    settings = config(project)
    assert settings.get("core.autostage") is False
    assert settings.choices("cache.type") == ("reflink", "copy")
    assert settings.count("dvtool.version") == 1
    assert settings.count("dvtool.version") == 1
    assert settings.path("cache.dir") is None
    with pytest.raises(ConfigError):
        settings.get("core.unknown")


def test_remotes_are_merged_from_all_places(project: Place) -> None:
    places = layout(project)
    edit.set_setting(places, Level.PROJECT, "remote.origin.url", "s3://bucket/x")
    edit.set_setting(places, Level.PROJECT, "remote.origin.region", "eu")
    edit.set_setting(places, Level.LOCAL, "remote.origin.region", "us")
    edit.set_setting(places, Level.LOCAL, "remote.origin.secret_access_key", "hidden")
    edit.set_setting(places, Level.LOCAL, "remote.no-url.region", "us")
    project.environ["DVTOOL_REMOTE_ORIGIN_JOBS"] = "3"
    project.environ["DVTOOL_REMOTE_ONLY_CI_URL"] = "/nas"
    remotes = config(project).remotes()
    assert {name: remote.url for name, remote in remotes.items()} == {"origin": "s3://bucket/x", "only_ci": "/nas"}
    assert remotes["origin"].options == {"region": "us", "secret_access_key": "hidden", "jobs": "3"}
    assert remotes["origin"].origins["url"].level is Level.PROJECT
    assert remotes["origin"].base_dir == project.top
    assert "hidden" not in " ".join(display(found) for found in config(project).all())


def test_choosing_a_remote(project: Place) -> None:
    places = layout(project)
    with pytest.raises(ConfigError, match="no remote is configured") as error:
        config(project).remote()
    assert "dvtool remote add -d" in (error.value.hint or "")
    edit.set_setting(places, Level.PROJECT, "remote.a.url", "/a")
    with pytest.raises(ConfigError, match="no default remote"):
        config(project).remote()
    edit.set_setting(places, Level.PROJECT, "core.remote", "a")
    assert config(project).remote().name == "a"
    with pytest.raises(ConfigError, match="no remote 'b'"):
        config(project).remote("b")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("remote.origin.secret_access_key", "hunter2"),
        ("remote.origin.url", "https://me:hunter2@host/x"),
        ("cache.dir", "/srv/cache"),
        ("remote.origin.trusted", "blake3:0"),
    ],
)
def test_what_must_not_be_committed_is_neither_written_nor_read(project: Place, key: str, value: str) -> None:
    before = project.read(b".dvtool/config")
    with pytest.raises(UnsafeInput) as error:
        edit.set_setting(layout(project), Level.PROJECT, key, value)
    assert "dvtool config --local" in (error.value.hint or "")
    assert project.read(b".dvtool/config") == before
    section = '[remote "origin"]' if key.startswith("remote") else "[cache]"
    project.write(b".dvtool/config", before + f"{section}\n{key.rpartition('.')[2]} = {value}\n".encode())
    with pytest.raises(UnsafeInput, match=r"config:\d+: ") as error:
        config(project)
    assert "hunter2" not in f"{error.value} {error.value.hint}"


def test_a_refused_setting_can_be_taken_out_by_command(project: Place) -> None:
    before = project.read(b".dvtool/config")
    project.write(b".dvtool/config", before + b"[cache]\n    dir = /x\n[core]\n    typo = 1\n")
    for key in ("cache.dir", "core.typo"):
        edit.unset_setting(layout(project), Level.PROJECT, key)
    assert config(project).get("cache.dir") is None


@pytest.mark.parametrize("level", [Level.LOCAL, Level.USER])
def test_private_files_are_private_also_when_they_were_not(project: Place, level: Level) -> None:
    path = level_path(layout(project), level)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    project.write(path, b"# mine\n")
    os.chmod(path, 0o644)
    edit.set_setting(layout(project), level, "remote.r.session_token", "x")
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert project.read(path).startswith(b"# mine\n")


def test_unset_names_what_is_not_set(project: Place) -> None:
    with pytest.raises(ConfigError, match=r"core\.remote is not set"):
        edit.unset_setting(layout(project), Level.LOCAL, "core.remote")
    edit.set_setting(layout(project), Level.LOCAL, "core.remote", "r")
    edit.unset_setting(layout(project), Level.LOCAL, "core.remote")
    assert config(project).get("core.remote") is None


def test_settings_of_the_project_stay_there(project: Place) -> None:
    with pytest.raises(UsageError):
        edit.set_setting(layout(project), Level.USER, "core.repo_id", "0" * 32)
    with pytest.raises(UsageError):
        edit.set_setting(layout(project), Level.ENVIRONMENT, "core.remote", "r")
    project.write(layout(project).local_config, b"[core]\nno_scm = true\n")
    with pytest.raises(ConfigError, match="no_scm"):
        config(project)


def test_remotes_are_renamed_and_removed_per_file(project: Place) -> None:
    places = layout(project)
    edit.set_setting(places, Level.PROJECT, "remote.a.url", "/a")
    assert edit.rename_remote(places, Level.PROJECT, "a", "b") == places.project_config
    assert edit.rename_remote(places, Level.LOCAL, "a", "b") is None
    assert list(config(project).remotes()) == ["b"]
    assert edit.remove_remote(places, Level.PROJECT, "b") == places.project_config
    assert edit.remove_remote(places, Level.PROJECT, "b") is None
    assert config(project).remotes() == {}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b"[core]\nremot = x\n", ConfigError),
        (b"[core]\nautostage = perhaps\n", ConfigError),
        (b"nonsense\n", FormatError),
    ],
)
def test_mistakes_in_a_file_come_with_file_and_line(project: Place, text: bytes, kind: type[Exception]) -> None:
    path = layout(project).user_config
    project.write(path, text)
    with pytest.raises(kind, match=rf"^{os.fsdecode(path)}:\d: "):
        config(project)


def test_mistakes_in_the_environment_name_the_variable(project: Place) -> None:
    project.environ["DVTOOL_CORE_AUTOSTAGE"] = "perhaps"
    with pytest.raises(ConfigError, match="DVTOOL_CORE_AUTOSTAGE"):
        config(project)
    project.environ["DVTOOL_CORE_AUTOSTAGE"] = ""
    project.environ["DVTOOL_NO_SUCH_THING"] = "x"
    assert config(project).get("core.autostage") is False
