"""What DVC makes of every case, as JSON. Run by the interpreter that DVC is installed for.

``PYTHON tests/equivalence/ask_dvc.py tests/equivalence/answers.json`` records the answers anew.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
for _name in ("GLOBAL_CONFIG_DIR", "SYSTEM_CONFIG_DIR", "SITE_CACHE_DIR"):
    os.environ[f"DVC_{_name}"] = tempfile.gettempdir() + "/none"
os.environ["DVC_NO_ANALYTICS"] = "1"

from tests.equivalence.cases import Files  # noqa: E402
from tests.equivalence.cases import all_cases  # noqa: E402
from tests.equivalence.cases import write  # noqa: E402


def answer(files: Files, root: Path) -> dict[str, Any]:
    from dvc.dvcfile import load_file
    from dvc.repo import Repo

    write(files, root)
    os.chdir(root)
    repo = Repo.init(str(root), no_scm=True)
    try:
        index = repo.index
        stages = {stage.addressing: _stage(stage, root) for stage in index.stages}
        graph = [[upper.addressing, lower.addressing] for upper, lower in index.graph.edges]
        tops = {}
        for path in sorted(files):
            if path.endswith("dvc.yaml"):
                file = load_file(repo, str(root / path))
                top = {"params": file.params, "metrics": file.metrics, "plots": file.plots, "artifacts": file.artifacts}
                tops[path] = {key: value for key, value in top.items() if value}
        told: dict[str, Any] = {
            "list": sorted(_run("stage", "list", "--all", "--names-only")[1]),
            "dag": sorted(_run("dag", "--dot")[1]),
        }
        _make_inputs(index.stages)
        status, lines = _run("repro", "--dry", "--all-pipelines")
        # A dry run that stops for a parameter which is nowhere tells nothing.
        told["dry"] = None if status else sorted(line[2:] for line in lines if line.startswith("> "))
        return {"stages": stages, "graph": sorted(graph), "tops": tops, "told": told}
    finally:
        repo.close()


def _stage(stage: Any, root: Path) -> dict[str, Any]:
    from dvc.stage.run import _enforce_cmd_list
    from dvc.stage.utils import split_params_deps

    params, deps = split_params_deps(stage)
    found = {
        "commands": _enforce_cmd_list(stage.cmd),
        "wdir": _relative(stage.wdir, root),
        "deps": [_relative(dep.fs_path, root) for dep in deps],
        "params": {_relative(dep.fs_path, root): list(dict.fromkeys(dep.params)) for dep in params},
        "outs": {_relative(out.fs_path, root): _out(out) for out in stage.outs},
        "frozen": stage.frozen,
        "always_changed": stage.always_changed,
        "desc": stage.desc,
        "meta": stage.meta,
        "uses": {_relative(file, root): sorted(keys) for file, keys in stage.tracked_vars.items()},
        "group": stage.raw_data.generated_from,
    }
    return {key: value for key, value in found.items() if value}


def _out(out: Any) -> dict[str, Any]:
    kind = "metrics" if out.metric else "outs" if out.plot is False else "plots"
    about = {**out.annot.to_dict(), **(out.plot if isinstance(out.plot, dict) else {})}
    options = {"cache": out.use_cache, "persist": out.persist, "push": out.can_push, "remote": out.remote}
    usual = {"cache": True, "persist": False, "push": True, "remote": None}
    found = {"kind": kind, **{key: value for key, value in options.items() if value != usual[key]}}
    return {**found, "about": about} if about else found


def _relative(path: str, root: Path) -> str:
    found = os.path.relpath(os.path.join(root, path), root)
    return "" if found == "." else found


def _make_inputs(stages: Any) -> None:
    """A dry run wants to see what no stage makes."""
    paths = {dep.fs_path for stage in stages for dep in stage.deps}
    for path in sorted(paths, reverse=True):
        if not os.path.lexists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            Path(path).write_text("{}", encoding="utf-8")


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.INFO:
            self.lines.append(record.getMessage())


def _run(*args: str) -> tuple[int, list[str]]:
    """The status of a command, and the lines that it prints and logs."""
    from dvc.cli import main

    out, log = io.StringIO(), _Lines()
    logging.getLogger("dvc").addHandler(log)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            status = main(list(args))
    finally:
        logging.getLogger("dvc").removeHandler(log)
    return status, [*out.getvalue().splitlines(), *log.lines]


def main() -> None:
    answers: dict[str, Any] = {}
    for name, files in all_cases().items():
        with tempfile.TemporaryDirectory() as root:
            try:
                answers[name] = answer(files, Path(root).resolve())
            except Exception as error:  # noqa: BLE001
                answers[name] = {"error": f"{type(error).__name__}: {error}"}
            os.chdir("/")
    import dvc

    text = json.dumps({"dvc": dvc.__version__, "answers": answers}, indent=1, sort_keys=True, ensure_ascii=False)
    Path(sys.argv[1]).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
