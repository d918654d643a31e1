"""What `action.yml`, `templates/dvtool.yml` and the workflows of the documentation do, in clean clones."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar
from urllib.parse import parse_qs

import pytest
import yaml

from tests.support.cli import CommandLine
from tests.support.cli import git_project
from tests.support.workflows import Runner
from tests.support.workflows import Step
from tests.support.workflows import gitlab_jobs
from tests.support.workflows import path
from tests.support.workflows import run_gitlab_job

pytestmark = pytest.mark.e2e

TOP = Path(__file__).resolve().parents[2]
COMPONENT = (TOP / "templates" / "dvtool.yml").read_text()
STAGES = """\
stages:
  train:
    cmd: sh train.sh
    deps: [train.sh, data]
    params: [lr]
    outs: [model]
    metrics: [metrics.json]
"""
TRAIN = """\
cat data/* > model
printf '{"acc": 0.%s}' $(wc -c < model) > metrics.json
"""


def git(place: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=place, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose branch ``more`` has new data and new results; its metrics are in the cache, not in Git."""
    place = tmp_path_factory.mktemp("ci") / "repo"
    cli = git_project(place)
    cli.done("remote", "add", "-q", "-d", "origin", str(place.parent / "store"))
    (place / "data").mkdir()
    (place / "data" / "a.csv").write_text("1,2\n")
    (place / "params.yaml").write_text("lr: 0.1\n")
    (place / "dvtool.yaml").write_text(STAGES)
    (place / "train.sh").write_text(TRAIN)
    cli.done("add", "-q", "data")
    _save(cli, "first")
    git(place, "checkout", "-q", "-b", "more")
    (place / "data" / "b.csv").write_text("3,4\n")
    (place / "params.yaml").write_text("lr: 0.25\n")
    cli.done("add", "-q", "data")
    _save(cli, "more data")
    return place


def _save(cli: CommandLine, message: str) -> None:
    cli.done("repro", "-q")
    git(cli.at, "add", "-A")
    git(cli.at, "commit", "-q", "-m", message)
    cli.done("push", "-q")


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Path:
    """As a platform makes it: a detached commit, ``origin/main`` beside it."""
    place = tmp_path / "work"
    git(tmp_path, "clone", "-q", "--no-local", str(origin), str(place))
    git(place, "checkout", "-q", "--detach", "origin/more")
    return place


@pytest.fixture
def runner(clone: Path, tmp_path: Path) -> Runner:
    github = {"workspace": str(clone), "repository": "owner/birds", "token": "t0ken", "event_name": "pull_request"}
    return Runner(clone, tmp_path / "runner", {**github, "event.pull_request.number": "7"})


def names(steps: list[Step]) -> list[str]:
    return [step.name for step in steps]


def test_the_action_reports_verifies_and_pulls(runner: Runner, clone: Path) -> None:
    given = {"install": "none", "report": "origin/main", "pull": "all"}
    steps, outputs = runner.action(TOP, given)
    assert names(steps) == ["Name the cache", "Report", "Verify", "Pull"]
    assert [step.code for step in steps] == [0, 0, 0, 0], steps
    assert (clone / "model").read_text() == "1,2\n3,4\n"
    report = Path(outputs["report"]).read_text()
    assert "| metrics.json | acc | 0.4 | 0.8 | 0.4 |" in report
    assert runner.summary.read_text() == report
    (used,) = runner.used
    assert used[0].startswith("actions/cache@")
    assert used[1]["key"] == f"Linux-{outputs['cache-key']}"
    assert used[1]["key"].startswith(used[1]["restore-keys"])
    assert (Path(used[1]["path"]) / "dvtool-store.json").exists()
    assert git(clone, "status", "--porcelain") == ""


def test_the_action_pulls_what_it_is_asked_for(runner: Runner, clone: Path) -> None:
    steps, _ = runner.action(TOP, {"install": "none", "verify": "false", "pull": "data/b.csv\nmetrics.json\n"})
    assert names(steps) == ["Name the cache", "Pull"] and steps[-1].code == 0, steps
    assert (clone / "data" / "b.csv").exists() and (clone / "metrics.json").exists()
    assert not (clone / "data" / "a.csv").exists() and not (clone / "model").exists()


def test_the_action_stops_where_a_lock_is_old(runner: Runner, clone: Path) -> None:
    (clone / "train.sh").write_text(TRAIN + "true\n")
    git(clone, "commit", "-q", "-a", "-m", "not run")
    steps, _ = runner.action(TOP, {"install": "none", "pull": "all"})
    assert names(steps)[-1] == "Verify" and steps[-1].code == 1, steps
    assert "::error file=dvtool.yaml,line=2,title=dvtool%3A outdated::stage train " in steps[-1].out
    assert not (clone / "model").exists()


def test_the_action_writes_one_comment(runner: Runner, tmp_path: Path) -> None:
    """`gh` is a stub here: it keeps comments in a file."""
    place = tmp_path / "bin"
    place.mkdir()
    stub = place / "gh"
    stub.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$*" >> {tmp_path}/calls\n'
        f'case "$*" in *--paginate*) cat {tmp_path}/found 2>/dev/null || true ;; esac\n'
    )
    stub.chmod(0o755)
    runner.environ["PATH"] = f"{place}:{path()}"
    given = {"install": "none", "verify": "false", "report": "origin/main", "comment": "true"}
    steps, outputs = runner.action(TOP, given)
    assert names(steps)[-1] == "Comment" and steps[-1].code == 0, steps
    (tmp_path / "found").write_text("4711\n4712\n")
    assert runner.action(TOP, given)[0][-1].code == 0
    calls = (tmp_path / "calls").read_text().splitlines()
    assert f"--method POST repos/owner/birds/issues/7/comments --field body=@{outputs['report']}" in calls[1]
    assert "--method PATCH repos/owner/birds/issues/comments/4711 " in calls[3]


def test_the_action_installs_itself_beside_the_jobs_python(runner: Runner, tmp_path: Path) -> None:
    """The registry is not asked: `pip` is told to take nothing but the wheel of a package of the same name."""
    package = tmp_path / "package"
    (package / "dvtool").mkdir(parents=True)
    (package / "dvtool" / "__init__.py").write_text("def main():\n    print('dvtool-1-0')\n")
    (package / "backend.py").write_text(_BACKEND)
    (package / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "dvtool"\nversion = "0"\n'
    )
    runner.environ["PIP_NO_INDEX"] = "1"
    steps, outputs = runner.action(TOP, {"install": str(package), "verify": "false"})
    assert [step.code for step in steps] == [0, 0], steps
    assert outputs["cache-key"] == "dvtool-1-0"
    own = runner.temporary / "dvtool" / "bin"
    assert sorted(each.name for each in own.iterdir()) == ["dvtool", "git-dvtool"]


_BACKEND = """\
import zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = "dvtool-0-py3-none-any.whl"
    files = {
        "dvtool/__init__.py": open("dvtool/__init__.py").read(),
        "dvtool-0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: dvtool\\nVersion: 0\\n",
        "dvtool-0.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        "dvtool-0.dist-info/entry_points.txt": "[console_scripts]\\ndvtool = dvtool:main\\ngit-dvtool = dvtool:main\\n",
    }
    files["dvtool-0.dist-info/RECORD"] = "".join(f"{each},,\\n" for each in files)
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as wheel:
        for each, text in files.items():
            wheel.writestr(each, text)
    return name
"""


class Notes(BaseHTTPRequestHandler):
    """The three calls of GitLab's API for the notes of a merge request."""

    kept: ClassVar[list[dict[str, object]]] = []
    tokens: ClassVar[set[str]] = set()

    def do_GET(self) -> None:
        self._answer(self.kept)

    def do_POST(self) -> None:
        assert self.path == "/api/v4/projects/5/merge_requests/9/notes"
        self.kept.append({"id": 100 + len(self.kept), "body": self._body()})
        self._answer(self.kept[-1])

    def do_PUT(self) -> None:
        note = next(each for each in self.kept if self.path.endswith(f"/notes/{each['id']}"))
        note["body"] = self._body()
        self._answer(note)

    def _body(self) -> str:
        return parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())["body"][0]

    def _answer(self, value: object) -> None:
        self.tokens.add(self.headers["PRIVATE-TOKEN"])
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def notes() -> Iterator[str]:
    Notes.kept[:] = [{"id": 1, "body": "looks good"}]
    Notes.tokens.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Notes) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/api/v4"
        finally:
            server.shutdown()
            thread.join()


def test_the_component_verifies(clone: Path) -> None:
    jobs = gitlab_jobs(COMPONENT, {"install": "none"})
    assert sorted(jobs) == ["dvtool-report", "dvtool-verify"]
    done = run_gitlab_job(jobs["dvtool-verify"], clone, {})
    assert done.code == 0, done
    assert json.loads((clone / "gl-code-quality-report.json").read_text()) == []
    (clone / "train.sh").write_text(TRAIN + "true\n")
    git(clone, "commit", "-q", "-a", "-m", "not run")
    done = run_gitlab_job(jobs["dvtool-verify"], clone, {})
    assert done.code == 1, done
    assert "dependency train.sh changed" in done.err
    (finding,) = json.loads((clone / "gl-code-quality-report.json").read_text())
    assert finding["location"] == {"path": "dvtool.yaml", "lines": {"begin": 2}}
    assert finding["severity"] == "major" and re.fullmatch("[0-9a-f]{32}", finding["fingerprint"])


def test_the_component_leaves_nothing_for_git_add(clone: Path) -> None:
    jobs = gitlab_jobs(COMPONENT, {"install": "none", "job-prefix": "data"})
    assert run_gitlab_job(jobs["data-verify"], clone, {}).code == 0
    assert (clone / ".dvtool-ci" / "cache").is_dir()
    assert git(clone, "status", "--porcelain") == "?? gl-code-quality-report.json"


def test_the_components_cache_is_named_by_every_pointer_and_lock(clone: Path) -> None:
    jobs = gitlab_jobs(COMPONENT, {"install": "none"})
    (clone / "deep" / "er").mkdir(parents=True)
    for name in ("deep/er/dvtool.lock", "deep/x.dvt"):
        (clone / name).write_text("")
    git(clone, "add", "-A")
    files = jobs["dvtool-verify"]["cache"]["key"]["files"]
    assert len(files) <= 2, "GitLab takes no more"
    found = git(clone, "ls-files", *files).splitlines()
    assert found == ["data.dvt", "deep/er/dvtool.lock", "deep/x.dvt", "dvtool.lock"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the job calls curl")
def test_the_component_writes_one_note(clone: Path) -> None:
    """GitLab is a stub here: the three calls of its API."""
    job = gitlab_jobs(COMPONENT, {"install": "none"})["dvtool-report"]
    environ = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": git(clone, "rev-parse", "origin/main"), "CI_PROJECT_ID": "5"}
    assert run_gitlab_job(job, clone, environ).code == 0
    report = (clone / "dvtool-report.md").read_text()
    assert "| added | `data/b.csv` | 4 B |" in report
    with notes() as url:
        environ |= {"CI_API_V4_URL": url, "CI_MERGE_REQUEST_IID": "9", "DVTOOL_REPORT_TOKEN": "s3cret"}
        for _ in range(2):
            done = run_gitlab_job(job, clone, environ)
            assert done.code == 0, done
    assert [note["body"] for note in Notes.kept] == ["looks good", report]
    assert Notes.tokens == {"s3cret"}


@pytest.mark.parametrize("page", ["github-actions.md"])
def test_the_workflows_of_the_pages_run(page: str, runner: Runner, clone: Path) -> None:
    """Each job of each workflow, with this action and a clone in the place of a checkout."""
    text = (TOP / "docs" / "how-to" / page).read_text()
    workflows = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]
    jobs = [job for workflow in workflows for job in workflow.get("jobs", {}).values()]
    assert jobs
    git(clone, "checkout", "-q", "-B", "more", "origin/more")
    git(clone, "config", "receive.denyCurrentBranch", "ignore")
    runner.local["OWNER/dvtool"] = TOP
    for job in jobs:
        steps = [_as_here(step) for step in job["steps"]]
        found = runner.job(steps)
        assert [step.code for step in found] == [0] * len(found), found
        assert found


def _as_here(step: dict[str, object]) -> dict[str, object]:
    uses = str(step.get("uses", ""))
    if not uses.startswith("OWNER/dvtool@"):
        return step
    given = step.get("with", {})
    assert isinstance(given, dict)
    return {**step, "with": {**given, "install": "none", "comment": "false"}}
