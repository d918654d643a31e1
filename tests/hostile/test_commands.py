"""The rule for values in commands against a real shell: what is let through starts nothing of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from dvtool.errors import ConfigError
from dvtool.model.paths import DEFINITION_NAME
from dvtool.pipeline.definition import parse

COMMANDS = (
    ": <<E\n'${v}'\nE",
    ": <<E\ndon't ${v}\nE",
    ": $'a ${v}'",
    ": \\${x:-'${v}'}",
    ": \"\\${x:-'${v}'}\"",
    ': `: "${v}"`',
    ": ${v}",
    ': "${v}"',
    ": '${v}'",
    ": a${v}b \"c\" 'd'",
    ": \\' ${v}",
    ': "\\" ${v}"',
    ": '\"' ${v}",
    ': "\'" ${v}',
    ': "$(: ${v})"',
    ': "$(: "${v}")"',
    ": $(: '${v}')",
    ": `: ${v}`",
    ": `: '${v}'`",
    "sh -c ': ${v}'",
    "sh -c \": '${v}'\"",
    "eval : '${v}'",
    ": $${v}",
    ": x # it's\n: ${v}",
    ": ${v} # ${v}",
    ": '${v}'${v}\"${v}\"",
    ": <<E\n${v}\nE",
    ": \\${x:-${v}}",
    ": $((1)) ${v}",
    "(: ${v})",
    ": && : ${v}",
    ": ${m}",
    ': "${m}"',
    ": '${m}'",
    "sh -c ': ${m}'",
    "case x in y) : ${v};; *) : '${v}';; esac",
    "x=${v}",
    'x="${v}"; : "$x"',
    ": >/dev/null ${v}",
    "! : ${v}",
    "true;: ${v}",
)
PIECES = (
    "touch P", "touch P", ";", "&", "|", "\n", "$(", "`", ")", "(", "'", "\"", "\\", "#", "=", " ", "a", ">P",
    "{", "}", "$", "<", "!", "*", "~", "\t", "\r", "\u0085", "${IFS}", "touch${IFS}P", "-", ",", "%", "EOF",
    "\nE\n", "x=", "&&", "$((", "))", "$'", "]", "[",
)  # fmt: skip
PAYLOADS = (
    "; touch P",
    "& touch P",
    "| touch P",
    "&& touch P",
    "\ntouch P\n",
    "\rtouch P",
    "\x85touch P",
    "$(touch P)",
    "`touch P`",
    ">P",
    "> P",
    "x;touch${IFS}P;",
    "'; touch P; '",
    "' ; touch P #",
    '"; touch P; "',
    '" ; touch P #',
    "\\'; touch P; '",
    ") ; touch P; (",
    "x)touch P;;",
    "}; touch P",
    "a[$(touch P)]",
    "\nE\ntouch P\n",
    "<(touch P)",
    "#'\ntouch P",
    "''; touch P",
    "\\\ntouch P",
)
"""Each would start something in one command or the other."""
EXAMPLES = 6_000 if os.environ.get("DVTOOL_TORTURE") == "1" else 250
_SHELLS = [shell for shell in ("sh", "bash") if shutil.which(shell) is not None]


@pytest.mark.parametrize("command", COMMANDS)
def test_no_payload_becomes_a_command(tmp_path: Path, command: str) -> None:
    for payload in PAYLOADS:
        run_if_taken(tmp_path, command, payload)


@given(
    command=st.sampled_from(COMMANDS),
    before=st.lists(st.sampled_from(PIECES), max_size=2),
    payload=st.sampled_from(PAYLOADS),
    behind=st.lists(st.sampled_from(PIECES), max_size=2),
)
@settings(
    max_examples=EXAMPLES,
    derandomize=EXAMPLES < 1_000,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_value_becomes_a_command(
    tmp_path: Path, command: str, before: list[str], payload: str, behind: list[str]
) -> None:
    run_if_taken(tmp_path, command, "".join([*before, payload, *behind]))


def run_if_taken(place: Path, command: str, value: str) -> None:
    """The shells run what *command* comes to, unless the definition is refused."""
    text = f"stages:\n  a:\n    cmd: [{json.dumps(command)}]\n"
    params = json.dumps({"v": value, "m": {"k": value, "l": [value], "b": True}})
    try:
        found = parse(text.encode(), DEFINITION_NAME, lambda path: params.encode())
    except ConfigError:
        return
    for shell in _SHELLS:
        for each in found.stages[0].commands:
            subprocess.run([shell, "-c", each], cwd=place, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        assert not (place / "P").exists(), (shell, found.stages[0].commands)


@pytest.mark.parametrize("command", [": ${v}; touch P", "touch '${v}'"])
def test_the_author_of_a_definition_may_do_so(tmp_path: Path, command: str) -> None:
    text = f"stages:\n  a: {{cmd: {json.dumps(command)}}}\n"
    (found,) = parse(text.encode(), DEFINITION_NAME, lambda path: b"v: P").stages
    subprocess.run(["sh", "-c", found.commands[0]], cwd=tmp_path, check=True)
    assert (tmp_path / "P").exists()
