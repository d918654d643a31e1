"""What the committed file may decide alone: secrets stay with their server, doubtful settings wait for trust."""

from __future__ import annotations

import pytest

from dvtool.errors import UnsafeInput
from dvtool.project.config import Level
from dvtool.project.confirm import set_confirmed
from dvtool.project.confirm import unset_confirmed
from dvtool.project.edit import set_setting
from dvtool.project.init import init_project
from dvtool.project.open import find_layout
from dvtool.project.open import open_project
from dvtool.project.trust import VARIABLE
from dvtool.project.trust import Standing
from dvtool.project.trust import require
from dvtool.project.trust import standing_of
from tests.unit.project.conftest import Place

HOST, OTHER = "https://minio.example:9000", "https://evil.example"


@pytest.fixture
def project(repo: Place) -> Place:
    """``origin`` is a bucket on a server that the committed file names."""
    init_project(b".", repo.environment)
    commit(repo, "url", "s3://bucket/x")
    commit(repo, "endpointurl", HOST)
    return repo


def commit(place: Place, key: str, value: str) -> None:
    """As Git brings it: nothing but the committed file changes."""
    layout = find_layout(b".", place.environment)
    set_setting(layout, Level.PROJECT, f"remote.origin.{key}", value, with_trust=True)


def say(place: Place, key: str, value: str | None, level: Level = Level.LOCAL) -> None:
    """As the user does by a command."""
    layout = find_layout(b".", place.environment)
    name = f"remote.origin.{key}"
    if value is None:
        unset_confirmed(layout, place.environment, level, name)
    else:
        set_confirmed(layout, place.environment, level, name, value)


def standing(place: Place) -> Standing:
    return standing_of(open_project(b".", place.environment).config, place.environ, "origin")


def refused(place: Place) -> str:
    with pytest.raises(UnsafeInput) as error:
        require(standing(place))
    assert error.value.hint == "look at it, and if it is right: dvtool remote trust origin"
    return error.value.message


def test_a_secret_is_bound_to_the_server_that_is_named_when_it_is_set(project: Place) -> None:
    say(project, "secret_access_key", "hush")
    require(standing(project))
    commit(project, "endpointurl", OTHER)
    message = refused(project)
    assert HOST in message
    assert OTHER in message
    assert "hush" not in message


def test_a_server_that_appears_later_does_not_get_it(project: Place) -> None:
    say(project, "endpointurl", None, Level.PROJECT)
    say(project, "secret_access_key", "hush")
    require(standing(project))
    commit(project, "endpointurl", OTHER)
    assert "stands for no server" in refused(project)


def test_another_kind_of_url_is_another_server(project: Place) -> None:
    say(project, "secret_access_key", "hush")
    commit(project, "url", "s3://another-bucket/y")
    require(standing(project))
    commit(project, "url", "file://evil.example/x")
    assert "file://evil.example" in refused(project)


def test_where_the_user_names_the_server_the_committed_file_decides_nothing(project: Place) -> None:
    say(project, "secret_access_key", "hush")
    say(project, "endpointurl", "https://mine.example")
    commit(project, "endpointurl", OTHER)
    require(standing(project))
    say(project, "endpointurl", None)
    assert OTHER in refused(project)


def test_who_changes_the_server_by_a_command_has_said_so(project: Place) -> None:
    say(project, "secret_access_key", "hush")
    say(project, "endpointurl", OTHER, Level.PROJECT)
    require(standing(project))
    commit(project, "endpointurl", HOST)
    say(project, "jobs", "3")
    say(project, "region", "eu", Level.PROJECT)
    refused(project)
    say(project, "endpointurl", "https://third.example", Level.PROJECT)
    refused(project)


def test_a_second_secret_does_not_take_the_first_one_along(project: Place) -> None:
    say(project, "secret_access_key", "hush")
    commit(project, "endpointurl", OTHER)
    with pytest.raises(UnsafeInput, match="secret_access_key in the same file belongs to") as error:
        say(project, "session_token", "hush hush")
    assert error.value.hint is not None
    assert "remote trust origin" in error.value.hint
    say(project, "secret_access_key", "new")  # the only one there: now it is for this server
    require(standing(project))


def test_a_secret_of_the_user_serves_no_repository_that_uses_the_same_name(project: Place) -> None:
    say(project, "secret_access_key", "hush", Level.USER)
    require(standing(project))
    commit(project, "endpointurl", OTHER)
    refused(project)


def test_keys_in_variables_only_sign_so_ci_needs_no_more(project: Place) -> None:
    project.environ["DVTOOL_REMOTE_ORIGIN_SECRET_ACCESS_KEY"] = "hush"
    require(standing(project))


def test_credentials_that_travel_are_not_found_for_a_committed_server(project: Place) -> None:
    commit(project, "url", "gs://bucket/x")
    assert "this machine's own credentials would go to a server" in refused(project)
    commit(project, "allow_anonymous_login", "true")
    require(standing(project))


@pytest.mark.parametrize("way", ["clone", "variable"])
def test_trust_is_for_those_values_and_no_others(project: Place, way: str) -> None:
    commit(project, "ssl_verify", "ca.pem")
    commit(project, "use_ssl", "false")
    assert "sets ssl_verify and use_ssl, which a repository must not decide alone" in refused(project)
    digest = standing(project).digest
    if way == "clone":
        say(project, "trusted", digest)
    else:
        project.environ[VARIABLE] = f"blake3:{'0' * 64}, {digest}"
    require(standing(project))
    commit(project, "region", "eu")
    require(standing(project))
    commit(project, "ssl_verify", "other.pem")
    refused(project)


def test_one_or_true_is_no_digest(project: Place) -> None:
    commit(project, "use_ssl", "false")
    for text in ("1", "true", "origin", "blake3:"):
        project.environ[VARIABLE] = text
        refused(project)


def test_what_the_user_overrules_needs_no_trust(project: Place) -> None:
    commit(project, "use_ssl", "false")
    say(project, "use_ssl", "true")
    require(standing(project))


@pytest.mark.parametrize("key", ["trusted", "bound_to"])
def test_the_committed_file_cannot_confirm_itself(project: Place, key: str) -> None:
    text = project.read(b".dvtool/config")
    project.write(b".dvtool/config", text + f'[remote "origin"]\n    {key} = x\n'.encode())
    with pytest.raises(UnsafeInput, match=f"remote.origin.{key} must not be set by the committed"):
        open_project(b".", project.environment)
