from __future__ import annotations

import os
import re

import pytest

from dvtool.errors import NotInRepository
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.project.init import init_project
from dvtool.project.open import open_project
from tests.unit.project.conftest import Place


def everything(top: bytes) -> dict[bytes, bytes]:
    found = {}
    for directory, _, names in os.walk(top):
        for name in names:
            path = os.path.join(directory, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, top)] = file.read()
    return found


def test_init_stages_its_files_and_nothing_else_shows(repo: Place) -> None:
    result = init_project(b".", repo.environment)
    assert (result.root, result.staged) == (repo.top, True)
    assert repo.git("status", "--porcelain").splitlines() == ["A  .dvtool/config", "A  .dvtoolignore"]
    project = open_project(b".", repo.environment)
    assert project.repo_id == result.repo_id
    assert re.fullmatch(r"[0-9a-f]{32}", result.repo_id)


def test_two_projects_have_different_ids(place: Place) -> None:
    os.mkdir(place.top + b"/a")
    os.mkdir(place.top + b"/b")
    ids = {init_project(name, place.environment, no_scm=True).repo_id for name in (b"a", b"b")}
    assert len(ids) == 2


def test_second_init_is_refused_and_changes_nothing(repo: Place) -> None:
    init_project(b".", repo.environment)
    repo.git("commit", "-q", "-m", "init")
    before = everything(repo.top)
    with pytest.raises(UsageError) as error:
        init_project(b".", repo.environment)
    assert "init -f" in (error.value.hint or "")
    assert everything(repo.top) == before


def test_force_writes_the_config_anew_and_leaves_the_rest(repo: Place) -> None:
    first = init_project(b".", repo.environment)
    layout = open_project(b".", repo.environment).layout
    os.makedirs(layout.cache_dir)
    repo.write(layout.cache_dir + b"/object", b"data")
    repo.write(layout.local_config, b"[core]\nautostage = true\n")
    repo.write(b".dvtoolignore", b"*.tmp\n")
    repo.write(b".dvtool/config", b"[core]\nrepo_id = %s\nremote = gone\n" % first.repo_id.encode())
    result = init_project(b".", repo.environment, force=True)
    assert (result.repo_id, result.created) == (first.repo_id, (b".dvtool/config",))
    assert repo.read(layout.cache_dir + b"/object") == b"data"
    assert repo.read(b".dvtoolignore") == b"*.tmp\n"
    project = open_project(b".", repo.environment)
    assert (project.config.get("core.autostage"), project.config.get("core.remote")) == (True, None)


def test_force_heals_a_broken_config(repo: Place) -> None:
    repo.write(b".dvtool/config", b"\xff\xff")
    result = init_project(b".", repo.environment, force=True)
    assert open_project(b".", repo.environment).repo_id == result.repo_id


def test_init_after_a_killed_init_goes_on(repo: Place) -> None:
    os.mkdir(repo.top + b"/.dvtool")
    assert init_project(b".", repo.environment).created == (b".dvtool/config", b".dvtoolignore")


def test_outside_of_git_needs_no_scm(place: Place) -> None:
    with pytest.raises(NotInRepository) as error:
        init_project(b".", place.environment)
    assert "--no-scm" in (error.value.hint or "")
    assert os.listdir(place.top) == []
    result = init_project(b".", place.environment, no_scm=True)
    assert not result.staged
    project = open_project(b".", place.environment)
    assert (project.git, project.config.flag("core.no_scm")) == (None, True)


def test_no_scm_inside_git_leaves_git_alone_and_hides_its_cache(repo: Place) -> None:
    init_project(b".", repo.environment, no_scm=True)
    project = open_project(b".", repo.environment)
    assert project.git is None
    for path in (project.layout.cache_dir + b"/x", project.layout.local_config, project.layout.tmp_dir + b"/y"):
        repo.write(path, b"x")
    listed = repo.git("status", "--porcelain", "--untracked-files=all").splitlines()
    assert listed == ["?? .dvtool/.gitignore", "?? .dvtool/config", "?? .dvtoolignore"]


def test_a_subdirectory_must_be_meant(repo: Place) -> None:
    os.mkdir(repo.top + b"/pkg")
    with pytest.raises(UsageError) as error:
        init_project(b"pkg", repo.environment)
    assert "--subdir" in (error.value.hint or "")
    assert os.listdir(repo.top + b"/pkg") == []
    assert init_project(b"pkg", repo.environment, subdir=True).root == repo.top + b"/pkg"
    assert repo.git("diff", "--cached", "--name-only").split() == ["pkg/.dvtool/config", "pkg/.dvtoolignore"]


def test_a_marker_that_leads_elsewhere_is_refused(repo: Place) -> None:
    os.mkdir(repo.home + b"/elsewhere")
    os.symlink(repo.home + b"/elsewhere", repo.top + b"/.dvtool")
    with pytest.raises(UnsafeInput):
        init_project(b".", repo.environment, force=True)
    assert os.listdir(repo.home + b"/elsewhere") == []


def test_absent_directory_is_named(repo: Place) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        init_project(b"nowhere", repo.environment)
