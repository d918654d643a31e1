from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dvtool.errors import FormatError
from dvtool.errors import NotInRepository
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.project.environment import Environment
from dvtool.project.init import init_project
from dvtool.project.layout import subdirectory_name
from dvtool.project.locate import find_root
from dvtool.project.open import open_project
from tests.unit.project.conftest import Place


def test_root_is_the_nearest_ancestor_with_a_marker(repo: Place) -> None:
    init_project(b".", repo.environment)
    os.makedirs(repo.top + b"/a/b/.dvtool")
    os.makedirs(repo.top + b"/a/b/c")
    os.symlink(repo.top + b"/.dvtool", repo.top + b"/a/.dvtool")
    assert find_root(repo.top + b"/a/b/c") == repo.top + b"/a/b"
    assert find_root(repo.top + b"/a") == repo.top


def test_outside_of_a_project_the_next_step_is_init(place: Place) -> None:
    with pytest.raises(NotInRepository) as error:
        find_root(place.top)
    assert "dvtool init" in (error.value.hint or "")


def test_data_and_local_settings_lie_in_the_git_directory(repo: Place) -> None:
    init_project(b".", repo.environment)
    layout = open_project(b".", repo.environment).layout
    own = repo.top + b"/.git/dvtool"
    assert (layout.cache_dir, layout.local_config) == (own + b"/cache", own + b"/config")
    assert (layout.state_dir, layout.tmp_dir, layout.prefix) == (own, own + b"/tmp", b"")
    assert layout.user_config == repo.home + b"/.config/dvtool/config"
    assert layout.system_config == repo.home + b"/system/dvtool/config"


def test_linked_worktrees_share_cache_and_settings_but_no_state(repo: Place) -> None:
    init_project(b".", repo.environment)
    repo.git("commit", "-q", "-m", "init")
    linked = os.path.dirname(repo.top) + b"/linked"
    repo.git("worktree", "add", "-q", "--detach", linked)
    main, other = (open_project(top, repo.environment).layout for top in (repo.top, linked))
    assert (main.cache_dir, main.local_config) == (other.cache_dir, other.local_config)
    assert other.state_dir == repo.top + b"/.git/worktrees/linked/dvtool"


def test_subdirectory_projects_share_the_cache_only(repo: Place) -> None:
    names = [b"pkg", b"other/pkg", b"p k\xc3\xa9g"]
    for name in names:
        os.makedirs(os.path.join(repo.top, name))
        init_project(name, repo.environment, subdir=True)
    layouts = [open_project(name, repo.environment).layout for name in names]
    assert {layout.cache_dir for layout in layouts} == {repo.top + b"/.git/dvtool/cache"}
    assert len({layout.state_dir for layout in layouts}) == len({layout.local_config for layout in layouts}) == 3
    assert layouts[1].prefix == b"other/pkg/"
    assert layouts[1].to_git(b"data.dvt") == b"other/pkg/data.dvt"
    assert layouts[1].from_git(b"other/pkg/data.dvt") == b"data.dvt"
    with pytest.raises(UsageError):
        layouts[1].from_git(b"pkg/data.dvt")


@pytest.mark.parametrize("path", [b"..", b"a/..", b"x" * 300, b"\xff\n", b"-", b"a/b c"])
def test_name_of_a_subdirectory_is_one_safe_file_name(path: bytes) -> None:
    name = subdirectory_name(path)
    assert len(name) < 80
    assert not name.startswith((b".", b"-"))
    assert name.replace(b"-", b"").replace(b"_", b"").isalnum()


def test_exported_tree_without_git_works(repo: Place) -> None:
    init_project(b".", repo.environment)
    os.rename(repo.top + b"/.git", repo.home + b"/taken-away")
    project = open_project(b".", repo.environment)
    assert project.git is None
    assert project.layout.cache_dir == repo.top + b"/.dvtool/cache"


def test_opening_creates_nothing(repo: Place) -> None:
    init_project(b".", repo.environment)
    before = sorted(os.listdir(repo.top + b"/.git"))
    open_project(b".", repo.environment)
    assert sorted(os.listdir(repo.top + b"/.git")) == before


def test_cache_directory_follows_the_settings(repo: Place) -> None:
    init_project(b".", repo.environment)
    for stated, expected in (
        ("../shared cache", os.path.dirname(repo.top) + b"/shared cache"),
        ("~/cache", repo.home + b"/cache"),
        ("/srv/cache", b"/srv/cache"),
    ):
        repo.environ["DVTOOL_CACHE_DIR"] = stated
        assert open_project(b".", repo.environment).layout.cache_dir == expected


def test_newer_project_is_refused_before_its_other_settings_are_judged(repo: Place) -> None:
    repo.write(b".dvtool/config", b"[dvtool]\nversion = 2\n[future]\nkey = 1\n")
    with pytest.raises(FormatError, match="version 2"):
        open_project(b".", repo.environment)


def test_committed_config_that_is_a_link_is_not_read(repo: Place) -> None:
    repo.write(repo.home + b"/private", b"[core]\nremote = x\n")
    os.mkdir(repo.top + b"/.dvtool")
    os.symlink(repo.home + b"/private", repo.top + b"/.dvtool/config")
    with pytest.raises(UnsafeInput):
        open_project(b".", repo.environment)


def test_start_is_relative_to_the_stated_directory(repo: Place) -> None:
    init_project(b".", repo.environment)
    os.mkdir(repo.top + b"/deep")
    environment = Environment(repo.environ, repo.home, repo.top + b"/deep")
    assert open_project(b".", environment).root == repo.top


@pytest.mark.parametrize("name", ["config.local", "state/memo.sqlite", "cache/lock"])
def test_state_of_a_project_without_git_must_not_be_committed(tmp_path: Path, name: str) -> None:
    """Else a repository could set for whoever clones it what only a user may."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    environment = Environment(dict(os.environ), os.fsencode(os.environ["HOME"]), os.fsencode(tmp_path))
    init_project(b".", environment, no_scm=True)
    path = tmp_path / ".dvtool" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("")
    open_project(b".", environment)
    subprocess.run(["git", "add", "-f", path], cwd=tmp_path, check=True)
    with pytest.raises(UnsafeInput, match="is committed in Git"):
        open_project(b".", environment)
