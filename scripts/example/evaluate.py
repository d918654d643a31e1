"""How many modules of the exam are given to the package that they are from."""

from __future__ import annotations

import json
from pathlib import Path

model = json.loads(Path("model.json").read_text())
exam = json.loads(Path("exam.json").read_text())
right = 0
for package, words in exam:
    likely = {
        name: sum(times * weights.get(word, 0) for word, times in words.items()) for name, weights in model.items()
    }
    right += max(likely, key=lambda name: likely[name]) == package
Path("metrics.json").write_text(json.dumps({"modules": len(exam), "right": round(right / len(exam), 3)}) + "\n")
