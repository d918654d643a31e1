"""Revisions, remotes and targets that begin with '-' are no options of git, and none of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.scene import Scene
from tests.hostile.scene import build_template
from tests.support.cli import CommandLine

REVISIONS = ("--output=../marker", "-O../marker", "--exec=touch ../marker", "--upload-pack=touch ../marker")


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_revision_is_never_an_option(revision: str, tmp_path: Path) -> None:
    scene = Scene(build_template(tmp_path / "place"))
    cli = CommandLine(scene.theirs)
    for argv in (
        ("diff", "--", revision),
        ("diff", "--", "HEAD", revision),
        ("list", f"--rev={revision}"),
        ("log", f"--rev={revision}", "data"),
    ):
        ran = cli(*argv)
        assert ran.code in {2, 6}, (argv, ran)
        assert not scene.marker.exists()
        assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "url", ["ext::sh -c 'touch ../marker'", "fd::3", "simplecache::s3://b/x", "zip://x::file:///y", "-x"]
)
def test_a_url_is_never_a_command(url: str, tmp_path: Path) -> None:
    scene = Scene(build_template(tmp_path / "place"))
    ran = CommandLine(scene.theirs)("remote", "add", "new", "--", url)
    assert ran.code == 6, ran
    assert not scene.marker.exists()
