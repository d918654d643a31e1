"""Naive Bayes over the most common words: how likely each word is in each package."""

from __future__ import annotations

import json
from collections import Counter
from collections import defaultdict
from math import log
from pathlib import Path

wanted = json.loads(Path("params.json").read_text())["train"]["words"]
total: Counter[str] = Counter()
by_package: defaultdict[str, Counter[str]] = defaultdict(Counter)
for package, words in json.loads(Path("learn.json").read_text()):
    total.update(words)
    by_package[package].update(words)
vocabulary = sorted(total, key=lambda word: (-total[word], word))[:wanted]
model = {}
for package, words in by_package.items():
    count = sum(words[word] + 1 for word in vocabulary)
    model[package] = {word: log((words[word] + 1) / count) for word in vocabulary}
Path("model.json").write_text(json.dumps(model))
