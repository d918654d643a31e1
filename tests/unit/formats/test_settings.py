from __future__ import annotations

from pathlib import Path

import pytest

from dvtool.errors import ConfigError
from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.formats import settings
from dvtool.formats.config import parse_config
from dvtool.formats.config import parse_key
from dvtool.formats.setting import Value


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("core.autostage", "Yes", True),
        ("core.no_scm", "0", False),
        ("remote.r.jobs", "8", 8),
        ("remote.r.read_timeout", "2.5", 2.5),
        ("cache.type", "hardlink, copy", ("hardlink", "copy")),
        ("core.durability", "none", "none"),
        ("remote.r.endpointurl", "http://[::1]:8333", "http://[::1]:8333"),
        ("remote.r.url", "../data store", "../data store"),
    ],
)
def test_values_are_typed(key: str, text: str, value: Value) -> None:
    assert settings.parse_value(parse_key(key), text) == value


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("core.autostage", "maybe"),
        ("remote.r.jobs", "0"),
        ("remote.r.jobs", "٣"),
        ("remote.r.read_timeout", "0"),
        ("cache.type", "hardlink,hardlink"),
        ("cache.type", ""),
        ("core.ignore", "Exclude"),
        ("core.repo_id", "abc"),
        ("core.remote", ""),
    ],
)
def test_wrong_values_name_what_is_expected(key: str, text: str) -> None:
    with pytest.raises(ConfigError) as error:
        settings.parse_value(parse_key(key), text)
    assert settings.expected(settings.setting_of(parse_key(key))) in error.value.message


@pytest.mark.parametrize("url", ["ext::sh -c x", "simplecache::s3://b", "zip://a::s3://b", "-oProxyCommand=x"])
def test_urls_that_start_something_are_refused(url: str) -> None:
    with pytest.raises(UnsafeInput):
        settings.parse_value(parse_key("remote.r.url"), url)


@pytest.mark.parametrize(
    ("key", "near"),
    [("core.remot", "core.remote"), ("remote.my.one.ulr", "remote.my.one.url"), ("x.endpointurl", "endpointurl")],
)
def test_unknown_settings_come_with_similar_ones(key: str, near: str) -> None:
    with pytest.raises(ConfigError) as error:
        settings.setting_of(parse_key(key))
    assert near in (error.value.hint or "")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("remote.r.secret_access_key", "abcdef"),
        ("remote.r.access_key_id", "abcdef"),
        ("remote.r.session_token", "abcdef"),
        ("remote.r.url", "https://me:abcdef@host/x"),
        ("remote.r.endpointurl", "https://host/?sig=abcdef"),
    ],
)
def test_secrets_are_refused_in_the_committed_file_and_never_shown(key: str, text: str) -> None:
    with pytest.raises(UnsafeInput) as error:
        settings.check_in_project(parse_key(key), text)
    assert f"dvtool config --local {key}" in (error.value.hint or "")
    assert "abcdef" not in f"{error.value} {error.value.hint}"
    assert "abcdef" not in settings.shown(parse_key(key), text)


@pytest.mark.parametrize("key", ["cache.dir", "remote.r.credentialpath", "remote.r.use_ssl", "remote.r.ssl_verify"])
def test_what_reaches_outside_is_refused_in_the_committed_file(key: str) -> None:
    with pytest.raises(UnsafeInput):
        settings.check_in_project(parse_key(key), "x")


@pytest.mark.parametrize("key", ["core.remote", "remote.r.url", "remote.r.profile", "cache.type", "cache.shared"])
def test_what_a_clone_needs_may_be_committed(key: str) -> None:
    settings.check_in_project(parse_key(key), "s3://user@bucket/path")


def test_a_newer_version_is_refused_with_one_line() -> None:
    settings.check_version(parse_config(b"[dvtool]\nversion = 1\n", "f"), "f")
    with pytest.raises(FormatError, match=r"^f:2: .*version 2.*knows 1$") as error:
        settings.check_version(parse_config(b"[dvtool]\nversion = 2\n[new]\nthing = 1\n", "f"), "f")
    assert "upgrade" in (error.value.hint or "")


def test_no_secret_may_be_committed_and_every_default_fits_its_type() -> None:
    for setting in settings.SETTINGS:
        assert not (setting.secret and setting.in_project)
        assert setting.in_project or not setting.only_project
        if setting.default is not None:
            key = parse_key(setting.key.replace("*", "r"))
            assert settings.parse_value(key, settings._default(setting.default)) == setting.default


@pytest.mark.parametrize("key", ["remote.r.ask_password", "remote.r.version_aware", "core.analytics"])
def test_what_dvc_calls_otherwise_is_explained(key: str) -> None:
    with pytest.raises(ConfigError, match="there is no setting") as error:
        settings.setting_of(parse_key(key))
    assert "did you mean" not in (error.value.hint or "did you mean")


def test_what_is_explained_is_no_setting() -> None:
    assert not {each.key.rpartition(".")[2] for each in settings.SETTINGS if each.key.startswith("remote.")} & set(
        settings._INSTEAD
    )


def test_the_docs_hold_the_table() -> None:
    page = Path(__file__).parents[3] / "docs/formats/config.md"
    assert settings.settings_table() in page.read_text(encoding="utf-8")
