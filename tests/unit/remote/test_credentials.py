"""Which credential was tried: named with its place, never shown."""

from __future__ import annotations

from dvtool.remote.address import Address
from dvtool.remote.credentials import denied
from dvtool.remote.credentials import tried

ADDRESS = Address(
    "origin",
    "s3://bucket/x",
    {"secret_access_key": "hush", "profile": "me", "region": ""},
    b"/",
    {},
    {"secret_access_key": "the local config", "profile": "the committed config"},
)


def test_each_setting_is_named_with_its_place_and_no_secret_is_shown() -> None:
    said = tried(ADDRESS, ("profile", "access_key_id", "secret_access_key"), "nothing")
    assert said == "profile me (the committed config), secret_access_key *** (the local config)"


def test_without_any_the_driver_says_what_it_takes_instead() -> None:
    assert tried(ADDRESS, ("region", "access_key_id"), "~/.aws") == "~/.aws"


def test_the_error_names_the_remote_what_failed_what_was_tried_and_the_next_step() -> None:
    error = denied(ADDRESS, "cannot list: 403 for https://me:hush@host/", ("secret_access_key",), "nothing")
    assert error.message == "remote origin: cannot list: 403 for https://***@host/"
    assert error.hint is not None
    assert error.hint.startswith("tried secret_access_key *** (the local config); ")
    assert "dvtool remote modify --local origin secret_access_key" in error.hint
    assert "hush" not in error.message + error.hint


def test_a_setting_that_is_not_known_is_not_shown() -> None:
    address = Address("origin", "x://y", {"odd": "hush"}, b"/", {})
    assert tried(address, ("odd",), "nothing") == "odd ***"
