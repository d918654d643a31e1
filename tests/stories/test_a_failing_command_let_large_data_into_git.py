"""A command that failed took its ignore lines back, and `git add .` committed the data itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.clones import Clone
from tests.e2e.story import noise
from tests.faults.injector import FULL
from tests.faults.injector import KILL
from tests.faults.injector import Fault
from tests.faults.injector import Injector

pytestmark = [pytest.mark.e2e, pytest.mark.crash]


@pytest.mark.parametrize("fault", [KILL, FULL], ids=lambda fault: str(fault.name))
def test_data_with_a_pointer_is_always_ignored(ann: Clone, injector: Injector, tmp_path: Path, fault: Fault) -> None:
    ann.create({"first": {"a": noise("a", 150_000)}})
    ann.run("add", "first")
    ann.commit()
    ann.create({"first": {"a": noise("b", 150_000)}, "second": {"c": noise("c", 150_000)}, "third.bin": b"third"})
    at, code = 1, -1
    pointed: set[str] = set()
    while code:
        code = injector.run(("add", "first", "second", "third.bin"), ann.root, below=tmp_path, fault=fault, at=at).code
        visible = ann.git("ls-files", "--others", "--exclude-standard", "--directory").splitlines()
        pointed = {path.name.removesuffix(".dvt") for path in ann.root.glob("*.dvt")}
        assert not {name.rstrip("/") for name in visible} & pointed
        at += 5
    assert pointed == {"first", "second", "third.bin"}
