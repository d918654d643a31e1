"""What `plan` says of each stage is what the run right after it does."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project

ALLOWED = {
    "run": {"ran"},
    "may run": {"ran", "skipped", "restored"},
    "restore": {"restored"},
    "skip": {"skipped"},
}
STEPS = 7


class _Pipeline:
    """Stages in a random graph: some pass on what they read, some lose what they read, one reads parameters."""

    def __init__(self, cli: CommandLine, dice: random.Random) -> None:
        self.cli = cli
        self.dice = dice
        self.count = dice.randint(3, 6)
        self.commands = [self._command(number) for number in range(self.count)]
        for name in ("raw0", "raw1"):
            self.write(name, "a")
        self.write("params.yaml", "lr: 1\n")
        self.frozen: set[int] = set()
        self.define()

    def write(self, name: str, text: str) -> None:
        (self.cli.at / name).write_text(text)

    def _command(self, number: int) -> tuple[list[str], str, bool]:
        makers = [f"out{before}" for before in range(number)]
        deps = self.dice.sample(["raw0", "raw1", *makers], k=min(1 + self.dice.randrange(2), 2 + number))
        how = self.dice.choice(["cat {deps} > {out}", "cat {deps} params.yaml > {out}", "echo same > {out}"])
        return deps, how.format(deps=" ".join(deps), out=f"out{number}"), "params" in how

    def define(self) -> None:
        lines = ["stages:"]
        for number, (deps, command, has_params) in enumerate(self.commands):
            lines += [f"  s{number}:", f"    cmd: {command}", f"    deps: [{', '.join(deps)}]"]
            lines += ["    params: [lr]"] if has_params else []
            lines += ["    frozen: true"] if number in self.frozen else []
            lines += [f"    outs: [out{number}]"]
        self.write("dvtool.yaml", "\n".join(lines) + "\n")

    def change(self) -> str:
        """Something that a person does between two runs."""
        number = self.dice.randrange(self.count)
        what = self.dice.choice(["raw", "param", "delete", "edit", "command", "freeze", "nothing"])
        if what == "raw":
            self.write(f"raw{self.dice.randrange(2)}", self.dice.choice("abc"))
        elif what == "param":
            self.write("params.yaml", f"lr: {self.dice.randrange(3)}\n")
        elif what == "delete":
            (self.cli.at / f"out{number}").unlink(missing_ok=True)
        elif what == "edit":
            self.write(f"out{number}", self.dice.choice(["edited", "a"]))
        elif what == "command":
            deps, command, has_params = self.commands[number]
            self.commands[number] = deps, self.dice.choice([command, f"true && {command}"]), has_params
            self.define()
        elif what == "freeze":
            self.frozen ^= {number}
            self.define()
        return f"{what} {number}"


@pytest.mark.parametrize("seed", range(6))
def test_a_run_does_what_the_plan_said(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    cli = git_project(tmp_path / "repo")
    pipeline = _Pipeline(cli, dice)
    story: list[str] = []
    for step in range(STEPS):
        if step:
            story += [pipeline.change() for _ in range(dice.randint(1, 3))]
        planned = {stage["stage"]: stage["action"] for stage in cli("plan", "--json").document["stages"]}
        dry = {each["stage"]: each["action"] for each in cli("repro", "--dry-run", "--json").document["plan"]}
        assert dry == planned
        ran = cli("repro", "--json")
        assert ran.code == 0, (story, ran.err)
        done = {stage["stage"]: stage["state"] for stage in ran.document["stages"]}
        assert planned.keys() == done.keys()
        for address, action in planned.items():
            assert done[address] in ALLOWED[action], (story, address, planned, done)
        story.append("repro")
    after = {stage["action"] for stage in cli("plan", "--json").document["stages"]}
    assert after == {"skip"}, story
