"""The steps of CI templates, run with bash as the platforms run them.

Of a platform there is only what these templates use: conditions and values of GitHub's expressions, its files for
variables, paths and outputs; GitLab's inputs, ``extends`` and ``before_script``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import yaml

BIN = Path(sys.executable).parent
_VALUE = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")
_INPUT = re.compile(r"\$\[\[\s*inputs\.([\w-]+)\s*\]\]")


@dataclass(frozen=True)
class Step:
    """One step as it ended."""

    name: str
    code: int
    out: str
    err: str


@dataclass
class Runner:
    """A GitHub job in a clone at ``workspace``. ``github`` holds values as of the context of that name.

    A step with ``uses:`` is noted with its inputs in ``used`` and not run, but for those in ``local``: name to the
    directory of a composite action.
    """

    workspace: Path
    temporary: Path
    github: dict[str, str] = field(default_factory=dict)
    local: dict[str, Path] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    used: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.temporary.mkdir(parents=True, exist_ok=True)
        self.summary = self.temporary / "summary.md"

    def action(self, place: Path, given: Mapping[str, str]) -> tuple[list[Step], dict[str, str]]:
        """Run a composite action: its steps, the last one the first that failed, and its outputs."""
        action = yaml.safe_load((place / "action.yml").read_text())
        assert action["runs"]["using"] == "composite"
        assert set(given) <= set(action["inputs"]), "inputs that the action does not have"
        known = {
            **{f"github.{name}": value for name, value in self.github.items()},
            "github.action_path": str(place),
            "runner.os": "Linux",
        }
        for name, facts in action["inputs"].items():
            known[f"inputs.{name}"] = given.get(name, self._filled(str(facts.get("default", "")), known))
        done = self._steps(action["runs"]["steps"], known)
        outputs = {name: self._filled(facts["value"], known) for name, facts in action.get("outputs", {}).items()}
        return done, outputs

    def job(self, steps: list[dict[str, Any]]) -> list[Step]:
        """Run the steps of a workflow's job, up to the first that fails."""
        known = {f"github.{name}": value for name, value in self.github.items()}
        return self._steps(steps, {**known, "runner.os": "Linux"})

    def _steps(self, steps: list[dict[str, Any]], known: dict[str, str]) -> list[Step]:
        done: list[Step] = []
        for step in steps:
            if "if" in step and not self._holds(str(step["if"]), known):
                continue
            if "uses" in step:
                inputs = {name: self._filled(str(value), known) for name, value in step.get("with", {}).items()}
                self.used.append((step["uses"], inputs))
                place = self.local.get(step["uses"].partition("@")[0])
                if place is not None:
                    found, _ = self.action(place, inputs)
                    done += found
            else:
                done.append(self._run(step, known))
            if done and done[-1].code:
                break
        return done

    def _run(self, step: dict[str, Any], known: dict[str, str]) -> Step:
        files = {name: self.temporary / name.lower() for name in ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH")}
        for file in files.values():
            file.write_text("")
        own = {name: self._filled(str(value), known) for name, value in step.get("env", {}).items()}
        assert "${{" not in step["run"], "values go into a script through variables, never as text"
        ran = bash(
            step["run"],
            self.workspace / self._filled(str(step.get("working-directory", ".")), known),
            {
                "GITHUB_ACTIONS": "true",
                "RUNNER_TEMP": str(self.temporary),
                "GITHUB_STEP_SUMMARY": str(self.summary),
                **{name: str(file) for name, file in files.items()},
                **self.environ,
                **own,
            },
        )
        for line in files["GITHUB_ENV"].read_text().splitlines():
            name, _, value = line.partition("=")
            self.environ[name] = value
        for line in files["GITHUB_PATH"].read_text().splitlines():
            self.environ["PATH"] = f"{line}:{self.environ.get('PATH', path())}"
        for line in files["GITHUB_OUTPUT"].read_text().splitlines():
            name, _, value = line.partition("=")
            known[f"steps.{step['id']}.outputs.{name}"] = value
        return Step(step.get("name", step["run"]), ran.returncode, ran.stdout, ran.stderr)

    def _filled(self, text: str, known: Mapping[str, str]) -> str:
        return _VALUE.sub(lambda found: _first(found[1], known), text)

    def _holds(self, condition: str, known: Mapping[str, str]) -> bool:
        def holds(one: str) -> bool:
            left, operator, right = re.fullmatch(r"([\w.-]+) (==|!=) '(.*)'", one.strip()).groups()  # type: ignore[union-attr]
            return (known.get(left, "") == right) is (operator == "==")

        return all(holds(one) for one in condition.split("&&"))


def gitlab_jobs(text: str, inputs: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The jobs of a component, with its inputs filled in and ``extends`` resolved."""
    spec, _, body = text.partition("\n---\n")
    stated = yaml.safe_load(spec)["spec"]["inputs"]
    values = {name: inputs.get(name, (facts or {}).get("default")) for name, facts in stated.items()}
    assert None not in values.values() and set(inputs) <= set(values), "inputs that are missing, or unknown"
    jobs: dict[str, dict[str, Any]] = yaml.safe_load(_INPUT.sub(lambda found: str(values[found[1]]), body))
    return {
        name: {**jobs.get(job.get("extends", ""), {}), **job} for name, job in jobs.items() if not name.startswith(".")
    }


def run_gitlab_job(job: Mapping[str, Any], place: Path, environ: Mapping[str, str]) -> Step:
    """One job in a clone at *place*: all its lines are one script, as the runner makes them."""
    variables = {"CI": "true", "GITLAB_CI": "true", "CI_PROJECT_DIR": str(place), **environ}
    for name, value in job.get("variables", {}).items():
        variables[name] = re.sub(r"\$(\w+)", lambda found: variables.get(found[1], ""), value)
    script = "\n".join(["set -o pipefail", *job.get("before_script", []), *job["script"]])
    ran = bash(script, place, variables)
    return Step(str(job["script"][0]), ran.returncode, ran.stdout, ran.stderr)


def bash(script: str, place: Path, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """As both platforms start it: a failing command ends it."""
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script],
        cwd=place,
        env={**os.environ, "PATH": path(), "PYTHONWARNINGS": "", **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def path() -> str:
    """Programs, with the dvtool of these tests first."""
    return os.pathsep.join([str(BIN), os.environ["PATH"]])


def _first(expression: str, known: Mapping[str, str]) -> str:
    found = [known.get(name.strip(), "") for name in expression.split("||")]
    return next((value for value in found if value), "")
