"""A remote lost three packs, and one is damaged: `fsck --remote --repair` brings everything back."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from dvtool.model.ports import Remote
from dvtool.remote.address import Address
from dvtool.remote.table import open_remote
from tests.e2e.clones import Clone
from tests.e2e.clones import new_clone
from tests.e2e.story import noise
from tests.support.seaweed import Seaweed
from tests.support.trees import Tree

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.s3]

FILES: Tree = {
    "small": "text\n",
    "sub": {"middle.bin": noise("middle", 150_000)},
    "large.bin": noise("large", 4_300_000),
}


def test_a_bucket_lost_three_packs(seaweed: Seaweed, tmp_path: Path) -> None:
    url = seaweed.new_url()
    ann = new_clone(tmp_path / "ann", seaweed.environment)
    ann.run("remote", "add", "-q", "-d", "origin", url)
    ann.run("config", "-q", "remote.origin.endpointurl", seaweed.endpoint)
    versions = []
    for number in range(3):
        ann.create({"data": {**FILES, "version": noise(f"version {number}", 3_000)}})
        ann.run("add", "-q", "data")
        ann.commit(f"v{number}")
        ann.run("push", "-q")
        versions.append(ann.git("rev-parse", "HEAD").strip())
    settings = {**seaweed.settings}
    with closing(open_remote(Address("origin", url, settings, b"/", seaweed.environment))) as remote:
        assert ann.run("fsck", "--remote", "origin", "--deep", "-A").out.startswith("remote origin: sound")
        lose(remote)
        document = ann.run("fsck", "--remote", "origin", "-A", "--deep", "--json", code=3).document
    assert {finding["severity"] for finding in document["findings"]} >= {"damage", "missing"}
    assert {path["path"].split("/")[0] for finding in document["findings"] for path in finding["paths"]} == {"data"}
    ann.run("fsck", "--remote", "origin", "-A", "--deep", "--repair")
    assert ann.run("fsck", "--remote", "origin", "-A", "--deep").out.startswith("remote origin: sound")
    assert_everything_is_back(ann, tmp_path / "bob", versions)


def lose(remote: Remote) -> None:
    """Three packs are deleted, and one bit of a fourth is turned over."""
    packs = sorted(item.key for folder in ("data/", "meta/") for item in remote.list(folder))
    for key in packs[:3]:
        remote.delete(key)
    data = bytearray(remote.get(packs[3]))
    data[len(data) // 3] ^= 8
    remote.put(packs[3], bytes(data))


def assert_everything_is_back(ann: Clone, place: Path, versions: list[str]) -> None:
    bob = ann.clone(place)
    for number, commit in enumerate(versions):
        bob.git("checkout", "-q", commit)
        bob.run("pull", "-q")
        bob.assert_data({**FILES, "version": noise(f"version {number}", 3_000)})
