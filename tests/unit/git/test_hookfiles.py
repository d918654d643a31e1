from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dvtool.disk import durable
from dvtool.errors import StorageError
from dvtool.git import hookfiles
from dvtool.git.hookfiles import HOOKS
from dvtool.git.hookfiles import hook_text


@pytest.mark.parametrize("name", HOOKS)
@pytest.mark.parametrize("program", ["dvtool", "/a place/with 'quotes'/dvtool", "$(touch HIT)", "-rf"])
def test_every_shell_reads_it(tmp_path: Path, name: str, program: str) -> None:
    path = tmp_path / name
    path.write_bytes(hook_text(name, program))
    for shell in ("sh", "bash"):
        subprocess.run([shell, "-n", str(path)], check=True)
    subprocess.run(
        ["sh", str(path)], cwd=tmp_path, stdin=subprocess.DEVNULL, check=False, env={"PATH": "/usr/bin:/bin"}
    )
    assert not (tmp_path / "HIT").exists()


@pytest.mark.parametrize("name", HOOKS)
def test_the_program_gets_arguments_and_input(tmp_path: Path, name: str) -> None:
    program = tmp_path / "a program"
    program.write_text('#!/bin/sh\necho "$@"\ncat\nexit 7\n')
    program.chmod(0o755)
    hook = tmp_path / name
    hook.write_bytes(hook_text(name, str(program)))
    done = subprocess.run(
        ["sh", str(hook), "a b", "*"], input="line one\nline two\n", capture_output=True, text=True, check=False
    )
    assert done.returncode == 7
    assert done.stdout == f"git-hook {name} a b *\nline one\nline two\n"


def test_a_kill_in_between_leaves_a_hook_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy first, then ours over it: at no moment is the user's hook gone."""
    own = tmp_path / "pre-commit"
    own.write_text("#!/bin/sh\necho mine\n")
    own.chmod(0o755)
    edits = hookfiles.plan_hooks(os.fsencode(tmp_path), "dvtool")
    real = durable.write_file

    def fails_at_the_hook(path: bytes, data: bytes, *, mode: int = 0o644) -> None:
        if path == os.fsencode(own):
            raise OSError(28, "No space left on device")
        real(path, data, mode=mode)

    monkeypatch.setattr(hookfiles, "write_file", fails_at_the_hook)
    with pytest.raises(StorageError):
        hookfiles.carry_out(os.fsencode(tmp_path), edits)
    assert own.read_text() == "#!/bin/sh\necho mine\n"


def test_a_kill_after_the_copy_of_a_hook_refuses_nothing(tmp_path: Path) -> None:
    """What stands beside it is its own copy, and no third hook."""
    for name in ("pre-commit", "mine"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / f"{name}.before-dvtool").write_text("#!/bin/sh\n")
    (tmp_path / "post-merge").symlink_to("mine")
    (tmp_path / "post-merge.before-dvtool").symlink_to("mine")
    hookfiles.carry_out(bytes(tmp_path), hookfiles.plan_hooks(bytes(tmp_path), "dvtool"))
    assert hookfiles.plan_hooks(bytes(tmp_path), "dvtool") == []
    assert (tmp_path / "pre-commit.before-dvtool").read_text() == "#!/bin/sh\n"
    assert (tmp_path / "post-merge.before-dvtool").readlink() == Path("mine")
