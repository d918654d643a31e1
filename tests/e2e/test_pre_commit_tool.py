"""The tool pre-commit installs the hooks from a clone of their repository, and they do their work.

Only `language` is another: the tool would build an environment and download into it what these tests run with.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.hookrepo import BIN
from tests.support.hookrepo import HookRepo
from tests.support.hookrepo import make

pytestmark = pytest.mark.e2e

HERE = Path(__file__).resolve().parents[2]
STAGES = ["pre-commit", "pre-push", "post-checkout", "post-merge", "post-rewrite", "post-commit"]

if not (BIN / "pre-commit").exists():
    pytest.skip("the tool pre-commit is not installed", allow_module_level=True)


def tool(repo: HookRepo, *args: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    # Whoever asks for warnings of Python as errors does not mean those of the tool.
    env = {**os.environ, "PATH": path, "PYTHONWARNINGS": ""}
    command = [sys.executable, "-m", "pre_commit", *args]
    return subprocess.run(command, cwd=repo.at, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A repository with the hooks as this one offers them."""
    place = tmp_path_factory.mktemp("offered")
    shutil.copy(HERE / ".pre-commit-hooks.yaml", place)
    offered = HookRepo(place)
    offered.git("init", "-q")
    offered.git("add", "-A")
    offered.git("commit", "-q", "-m", "hooks")
    offered.git("tag", "v1")
    return str(place)


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HookRepo:
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "cache"))
    made = make(tmp_path / "here")
    made.cli.done("install", "--uninstall", "-q")
    return made


def save_on_both(repo: HookRepo) -> None:
    """The tool refuses to run on a branch that has no settings for it."""
    repo.save("tool")
    repo.git("switch", "-q", "other")
    repo.git("cherry-pick", "main")
    repo.git("switch", "-q", "main")


def through_all(repo: HookRepo) -> None:
    """A working day: each hook once, by what it keeps from happening or brings along."""
    repo.git("add", "-f", "m.bin")
    refused = repo.run("commit", "-m", "data")
    assert refused.code == 1
    assert "m.bin: m.bin.dvt stands for it" in refused.err
    repo.git("rm", "-q", "--cached", "m.bin")

    # The tool puts what is not staged aside, and with it the pointer of data that was just added.
    repo.write({"m.bin": "m2\n", "code.py": "2\n"})
    repo.cli.done("add", "-q", "m.bin")
    repo.git("add", "code.py")
    assert repo.run("commit", "-m", "code").code == 0
    assert repo.read("m.bin") == "m2\n"
    repo.git("commit", "-q", "-a", "-m", "data")

    pushed = repo.run("push", "origin", "main")
    assert pushed.code == 0, pushed
    other = repo.clone("fresh")
    other.cli.done("pull", "-q")
    assert other.read("m.bin") == "m2\n"

    assert repo.run("switch", "other").code == 0
    assert (repo.read("d/a"), repo.read("m.bin")) == ("a2\n", "m1\n")
    repo.git("switch", "main")
    assert (repo.read("d/a"), repo.read("m.bin")) == ("a1\n", "m2\n")
    repo.git("switch", "-q", "-c", "rebased")
    repo.git("rebase", "-q", "other")
    assert (repo.read("d/a"), repo.read("m.bin")) == ("a2\n", "m2\n")
    repo.git("switch", "-q", "main")
    repo.git("merge", "-q", "rebased")
    assert repo.read("d/a") == "a2\n"
    assert repo.is_clean()


def test_from_a_clone_of_the_hooks(repo: HookRepo, hooks: str) -> None:
    offered = yaml.safe_load((HERE / ".pre-commit-hooks.yaml").read_text())
    wanted = [{"id": hook["id"], "language": "system"} for hook in offered]
    config = {"default_install_hook_types": STAGES, "repos": [{"repo": hooks, "rev": "v1", "hooks": wanted}]}
    repo.write({".pre-commit-config.yaml": yaml.safe_dump(config)})
    save_on_both(repo)
    done = tool(repo, "install")
    assert done.returncode == 0, done
    through_all(repo)
    (repo.at / "d.dvt").write_text("<<<<<<< ours\n")
    checked = tool(repo, "run", "--all-files", "dvtool-lint")
    assert checked.returncode == 1
    assert "d.dvt: error: a Git merge left conflict markers in it" in checked.stdout


def test_from_entries_that_install_writes(repo: HookRepo) -> None:
    own = "repos:\n- repo: local   # ours\n  hooks:\n  - {id: own, name: own, entry: 'true', language: system}\n"
    repo.write({".pre-commit-config.yaml": own})
    assert "next: pre-commit install" in repo.cli.done("install", "--pre-commit-tool")
    written = repo.read(".pre-commit-config.yaml")
    assert written is not None
    assert "# ours" in written
    assert tool(repo, "validate-config").returncode == 0
    save_on_both(repo)
    assert tool(repo, "install").returncode == 0
    assert repo.cli("install").code == 9, "they would run twice"
    assert repo.run("switch", "other").code == 0
    assert repo.read("d/a") == "a2\n"
    repo.save("three", {"m.bin": "m3\n"}, "m.bin")
    assert "sent" in repo.run("push", "origin", "other").out
    repo.cli.done("install", "--uninstall")
    kept = repo.read(".pre-commit-config.yaml")
    assert kept is not None
    assert kept.endswith(own)


def test_beside_the_hooks_of_install(repo: HookRepo) -> None:
    """Whichever comes first keeps the other, and neither runs in a circle."""
    own = "repos:\n- repo: local\n  hooks:\n  - {id: own, name: own, entry: 'false', language: system}\n"
    repo.save("tool", {".pre-commit-config.yaml": own})
    tool(repo, "install")
    repo.cli.done("install")
    repo.write({"code.py": "2\n"})
    refused = repo.run("commit", "-a", "-m", "x")
    assert refused.code == 1
    assert "own" in refused.err + refused.out
    repo.write({".pre-commit-config.yaml": own.replace("'false'", "'true'")})
    repo.git("commit", "-q", "-a", "-m", "x")
    tool(repo, "install")
    repo.git("add", "-f", "m.bin")
    refused = repo.run("commit", "-m", "data")
    assert refused.code == 1
    assert "m.bin.dvt stands for it" in refused.err + refused.out
    assert "migration" not in refused.err + refused.out
