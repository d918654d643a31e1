"""Count the words of the modules of the largest packages; every fourth module is for the exam."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

wanted = json.loads(Path("params.json").read_text())["prepare"]["packages"]
packages = [path for path in Path("data/stdlib").iterdir() if path.is_dir()]
modules = {path.name: sorted(path.rglob("*.py")) for path in packages}
largest = sorted(modules, key=lambda name: (-len(modules[name]), name))[:wanted]
learn: list[list[object]] = []
exam: list[list[object]] = []
for package in largest:
    for number, module in enumerate(modules[package]):
        words = Counter(re.findall(r"[A-Za-z]{3,}", module.read_text(errors="replace")))
        (exam if number % 4 == 0 else learn).append([package, words])
Path("learn.json").write_text(json.dumps(learn))
Path("exam.json").write_text(json.dumps(exam))
