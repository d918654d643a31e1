"""Every parser as a function of bytes that may raise dvtool's own errors and nothing else, with seeds to start from."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import NamedTuple

from dvtool.api.plan import PlanRequest
from dvtool.api.plan import request_of
from dvtool.errors import ConfigError
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.formats import catalog
from dvtool.formats import checktimes
from dvtool.formats import config
from dvtool.formats import durations
from dvtool.formats import dvcconfig
from dvtool.formats import dvcfile
from dvtool.formats import dvclock
from dvtool.formats import dvcmanifest
from dvtool.formats import dvcsettings
from dvtool.formats import index
from dvtool.formats import lfspointer
from dvtool.formats import oplog
from dvtool.formats import planfile
from dvtool.formats import pointer
from dvtool.formats import recipe
from dvtool.formats import records
from dvtool.formats import settings
from dvtool.formats import trashrun
from dvtool.formats import tree
from dvtool.formats import yamltext
from dvtool.formats.lock import value_text
from dvtool.model import digest
from dvtool.model import paths
from dvtool.pipeline import edit
from dvtool.pipeline.definition import parse
from dvtool.pipeline.params import read_values
from dvtool.remote import keys
from dvtool.remote import redact
from dvtool.remote import table
from dvtool.store import names
from dvtool.store.fsck import choice
from dvtool.workspace.ignore import IGNORE_FILE
from dvtool.workspace.ignore import IgnoreRules
from tests.golden.cases import decode_pack
from tests.property.formats import FORMATS

OWN = (FormatError, IntegrityError, UnsafeInput, UsageError, ConfigError)
GOLDEN = Path(__file__).parent.parent / "golden/formats"
WHERE = "fuzzed"
_SEALED_AS = {
    "pack": "pack-ends",
    "index": "index",
    "store-file": "store",
    "root-record": "roots",
    "dead-list": "dead",
    "catalog": "dead",
    "operation": "store",
    "trash-run": "store",
}
"""Whose checksum is at the same place."""
_SEAL = {form.name: form.seal for form in FORMATS if form.seal is not None}
_SHORTEST_SEALED = 40


class Target(NamedTuple):
    """``parse`` is the parser; ``seeds`` are valid encodings, ``words`` bytes that mean something to it."""

    name: str
    parse: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...] = ()

    def __str__(self) -> str:
        return self.name


def harmless(target: Target, data: bytes) -> None:
    """Parse; anything but an error that a user can understand comes out."""
    message = "nothing"
    try:
        target.parse(data)
    except OWN as error:
        message = error.message
    assert message
    assert "\n" not in message


def sealed(target: Target, data: bytes) -> bytes:
    """The same with a checksum that is right, where the format has one."""
    seal = _SEAL.get(_SEALED_AS.get(target.name, ""))
    return data if seal is None or len(data) <= _SHORTEST_SEALED else seal(data)


def _golden(folder: str) -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in sorted((GOLDEN / folder).iterdir()))


def _text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: parse(data.decode("utf-8", "surrogateescape"))


def _index(data: bytes) -> None:
    reader = index.IndexReader(data, WHERE)
    reader.find(data[:32].ljust(32, b"\0"))
    reader.verify()
    for _ in zip(reader.packs, reader.tables()):
        pass


def _settings(data: bytes) -> None:
    """As a committed file is read: entries, their types, what may not stand there; then edited and read again."""
    entries = config.parse_config(data, WHERE)
    for entry in entries:
        settings.setting_of(entry.key)
        settings.check_in_project(entry.key, entry.value)
        settings.parse_value(entry.key, entry.value)
    settings.check_version(entries, WHERE)


def _edited(data: bytes) -> None:
    entries = config.parse_config(data, WHERE)
    key = config.parse_key("remote.new.url")
    written = config.set_value(data, key, "s3://bucket # x", WHERE)
    values = {entry.key: entry.value for entry in config.parse_config(written, WHERE)}
    assert values == {**{entry.key: entry.value for entry in entries}, key: "s3://bucket # x"}
    again = config.unset_value(written, key, WHERE)
    before = {entry.key: entry.value for entry in entries if entry.key != key}
    assert {entry.key: entry.value for entry in config.parse_config(again, WHERE)} == before


def _yaml(data: bytes) -> None:
    text = data.decode("utf-8", "replace").replace("\r", "")
    yamltext.check_yaml_mapping(text, WHERE, first_line=7, reserved=frozenset({"path"}))


def _ignore(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, IGNORE_FILE.decode()).write_bytes(data)
        rules = IgnoreRules.load(folder.encode())
        for path in (b"a", b"a/b.txt", b"build/x/y", b"\xff\n", b"[x]"):
            rules.is_ignored(path, False)
            rules.is_ignored(path, True)


def _names(data: bytes) -> None:
    problem = paths.name_problem(data)
    paths.check_path(data, WHERE)
    assert problem is None or b"/" in data
    assert not data.startswith(b"/")
    assert b".." not in data.split(b"/")
    assert paths.show(data).isprintable()


def _url(text: str) -> None:
    redact.redact(text)
    settings.parse_value(config.parse_key("remote.x.url"), text)
    table.scheme_of("x", text)


def _store_name(text: str) -> None:
    names.parse_pack_name(text)
    names.parse_loose_name(text)
    if keys.is_key(text):
        assert ".." not in keys.check_key(text).split("/")


def _operation() -> bytes:
    entry = oplog.parse_entry(f"file blake3:{'ab' * 32} 6", b"x")
    row = oplog.Row(b"d/x", entry, None)
    change = oplog.FileChange("project", b"x.dvt", b"old", None, 0o644)
    place = oplog.Place(b"d", None, entry, (row,))
    move = oplog.Move(b"a", b"b")
    return oplog.encode_operation(
        oplog.Operation("add", ("add", "d"), 1, "did", (change,), (row,), (place,), (move,), ("1",), is_staged=True)
    )


def _plan(data: bytes) -> None:
    """A saved plan, and the request in it."""
    saved = planfile.decode_plan(data, WHERE)
    assert planfile.decode_plan(planfile.encode_plan(saved), WHERE) == saved
    request_of(saved, WHERE)


def _dvc_file(data: bytes) -> None:
    for out in dvcfile.decode_dvcfile(data, WHERE, b"sub").outs:
        paths.check_path(out.path, WHERE)


def _dvc_manifest(data: bytes) -> None:
    files = dvcmanifest.decode_manifest(data)
    assert dvcmanifest.decode_manifest(dvcmanifest.encode_manifest(files)) == files
    assert not any(paths.name_problem(name) for file in files for name in file.path.split(b"/"))


def _dvc_settings(data: bytes) -> None:
    found = dvcconfig.decode_dvcconfig(data.decode("utf-8", "replace"), WHERE)
    for each in dvcsettings.translate(found, WHERE).settings:
        settings.parse_value(each.key, each.value)


def _lfs(data: bytes) -> None:
    found = lfspointer.decode_lfs_pointer(data)
    assert found is None or (len(found.digest) == 32 and 0 <= found.size < 1 << 63)
    assert not any(map(lfspointer.is_lfs_line, lfspointer.without_lfs(data).splitlines(keepends=True)))


def _of_dvc(name: str) -> tuple[bytes, ...]:
    found = tuple(path.read_bytes() for path in sorted((GOLDEN.parent / "dvc").glob(name)))
    assert found, f"no golden file is named {name}"
    return found


def _definition_edit(data: bytes) -> None:
    """Each way to edit a definition: what comes out can be read again, or nothing does."""
    text = data.decode("utf-8", "replace")
    changes: tuple[Callable[[str], str], ...] = (
        lambda name: edit.set_frozen(text, name, WHERE, frozen=True),
        lambda name: edit.remove_stage(text, name, WHERE),
        lambda name: edit.add_stage(text, name, {"cmd": "x", "deps": ["d"]}, WHERE, replace=True),
    )
    for name in [*edit.stage_names(text, WHERE)[:3], "new"]:
        for change in changes:
            with contextlib.suppress(*OWN):
                edit.stage_names(change(name), WHERE)


def _definition(data: bytes) -> None:
    """As it is, and as the file of values of one that uses them."""
    found = parse(data, b"d/dvtool.yaml", lambda path: data if path == b"d/params.yaml" else None)
    for stage in found.stages:
        for path in (*(dep.path for dep in stage.deps if dep.path), *(out.path for out in stage.outs)):
            paths.check_path(path, WHERE)
        assert bool(stage.commands) != bool(stage.argv)
        assert stage.name.isprintable()
        assert not any("\0" in text for text in (*stage.commands, *stage.argv))


def _values(suffix: str) -> Callable[[bytes], object]:
    return lambda data: value_text(read_values(data, f"params{suffix}".encode()))


_DEFINITION = (
    b"""vars: [{a: 1, l: [x, {y: z}]}]\nstages:\n  s:\n    cmd: run ${a} "${l[1].y}" ${l[1]} \\${b}\n    wdir: sub
    deps: [d, {glob: '*.c'}, {path: f, lines: 1-2}]\n    params: [p, q.json: [r]]\n    outs: [o: {cache: false}]
  t: {foreach: [1, 2], do: {cmd: 'x ${item}'}}\n  u: {matrix: {m: [1, '${a}']}, cmd: 'x ${key} ${item.m}'}\n""",
    b"stages:\n  a: &a {cmd: x}\n  b: {<<: *a, timeout: 3, retry: 2, resources: {cpu: 1}, env: {vars: {A: 1}}}\n",
    b"plots: [a: {x: b, y: [c]}]\nmetrics: [m]\nartifacts: {x: {path: y}}\nstages: {}\n",
)
_PLAN = planfile.encode_plan(
    planfile.SavedPlan(
        {**asdict(PlanRequest()), "targets": ["a"], "directory": "sub"},
        {"a": planfile.SavedStage("run", "00", "", {"d": "blake3:00", "u": None}, {"p.yaml": {"k": "1"}}, {"o": None})},
    )
)
_DEFINITION_WORDS = (
    b"${",
    b"}",
    b"\\${",
    b"${item}",
    b"foreach: ",
    b"matrix: ",
    b"..",
    b"/",
    b"@",
    b"\\u0000",
    b"trusted: ",
)
_LFS = lfspointer.VERSION + b"\noid sha256:" + b"ab" * 32 + b"\nsize 12\n"
_CONFIG = b"""# ours\n[dvtool]\n    version = 1\n[core]\n    remote = origin ; the one
    repo_id = 0123456789abcdef0123456789abcdef
[remote "origin"]\n    url = "s3://bucket/a\\tb"\n    jobs = 4\n['remote "b"']\r\nurl=../x # y\r\n"""
_YAML = (b"a: [1, {b: c}]\nd:\n  - e\n  - 'f'\n", b"# only\n", b"x: |\n  text\ny: 2024-01-01\n")
_YAML_WORDS = (
    b"&a ",
    b"*a",
    b"<<: ",
    b"!!int ",
    b"? ",
    b"- ",
    b"[",
    b"{",
    b"---\n",
    b"...\n",
    b"%YAML 1.1\n",
    b"|",
    b">",
)

TARGETS = [
    Target(
        "pointer", lambda data: pointer.decode_pointer(data, WHERE), _golden("pointer"), (b"path64: ", *_YAML_WORDS)
    ),
    Target("tree", lambda data: tree.decode_page(data, WHERE), _golden("tree"), (b"..", b".git", b"\x03")),
    Target("pack", decode_pack, _golden("pack"), (b"DVR1",)),
    Target("index", _index, _golden("index")),
    Target("recipe", lambda data: recipe.decode_recipe(data, WHERE), _golden("recipe")),
    *(
        Target(name, partial(parse, where=WHERE), _golden("remote"), (b"[]", b'"', b",", b"1e999", b"-1", b"null"))
        for name, parse in (
            ("store-file", records.decode_store_file),
            ("root-record", records.decode_root_record),
            ("dead-list", records.decode_dead_list),
            ("catalog", catalog.decode_catalog),
        )
    ),
    Target("operation", lambda data: oplog.decode_operation(data, WHERE), (_operation(),), (b"null", b"[]", b"=")),
    Target("trash-run", lambda data: trashrun.decode_trash_run(data, WHERE), _golden("trash"), (b"null", b"[]")),
    Target("check-times", lambda data: checktimes.decode_check_times(data, WHERE), _golden("fsck")),
    Target("config", _settings, (_CONFIG,), (b"[", b"]", b'"', b"\\", b"=", b"#", b"\r", b"cache.dir", b"ext::")),
    Target("config-edit", _edited, (_CONFIG,), (b"[", b"]", b'"', b"\\", b"=", b"#", b"\r\n", b'[remote "new"]\n')),
    Target("yaml", _yaml, _YAML, _YAML_WORDS),
    Target("dvc-file", _dvc_file, _of_dvc("*.dvc"), (b"md5: ", b".dir", b"repo:", b"wdir: ..", *_YAML_WORDS)),
    Target("dvc-lock", lambda data: dvclock.decode_dvclock(data, WHERE), _of_dvc("dvc.lock"), _YAML_WORDS),
    Target("dvc-run", lambda data: dvclock.decode_dvc_run(data, WHERE), _of_dvc("run"), _YAML_WORDS),
    Target("dvc-manifest", _dvc_manifest, _of_dvc("*.dir"), (b"[]", b'"relpath"', b"..", b"/", b"\\ud800", b".git")),
    Target("lfs-pointer", _lfs, (_LFS,), (b"ext-0-x sha256:", b"size -1", b"\\r\\n", b"9" * 20)),
    Target("dvc-config", _dvc_settings, _of_dvc("config"), (b"[", b"]", b'"', b"'", b"=", b"#", b",", b"remote://")),
    Target("plan", _plan, (_PLAN,), (b"null", b"[]", b'"', b"1e999", b'"..', b"\\ud800")),
    Target("definition-edit", _definition_edit, (*_DEFINITION, *_YAML), (*_YAML_WORDS, b"stages:", b"\r\n", b"\t")),
    Target("definition", _definition, _DEFINITION, (*_YAML_WORDS, *_DEFINITION_WORDS)),
    Target("params-yaml", _values(".yaml"), _YAML, (*_YAML_WORDS, b"1_0", b"0x", b".inf", b"9" * 5_000)),
    Target(
        "params-json",
        _values(".json"),
        (b'{"a": [1, 2.5, null, {"b": "c"}]}',),
        (b"[", b"\\ud800", b"NaN", b"9" * 5_000),
    ),
    Target("params-toml", _values(".toml"), (b"a = 1\n[b.c]\nd = [2024-01-01, 'x']\n",), (b"[[", b"=", b'"""', b"{")),
    Target(
        "params-py",
        _values(".py"),
        (b"A = 1\nclass B:\n    c = {'d': (1, [2])}\n    def __init__(self):\n        self.e = -1\n",),
        (b"(", b"not ", b"-", b"**", b"lambda: ", b"'\\ud800'", b"\n ", b"\x00", b"9" * 5_000),
    ),
    Target(
        "ignore", _ignore, (b"*.tmp\n!keep.tmp\n/build/\n**/x/**\n", b"[a-z]\\ \n"), (b"**", b"[", b"!", b"\\", b"[!")
    ),
    Target(
        "name", _names, (b"a/b.txt", b".gitx", b"C:x", b"git~1"), (b"..", b"/", b".git", b"\xe2\x80\x8c", b"~1", b":")
    ),
    Target("digest", _text(digest.parse_digest), (b"blake3:" + b"ab" * 32, b"md5:" + b"0" * 32), (b"sha256:", b"A")),
    Target(
        "url", _text(_url), (b"s3://b/k", b"file:///x", b"/a", b"s3://u:p@h/x?sig=1"), (b"::", b"@", b"[::1]", b"%00")
    ),
    Target("duration", _text(durations.parse_duration), (b"14d", b"2w", b"0"), (b"9" * 40, b".", b"e9", b"-")),
    Target("age", _text(choice.parse_age), (b"30d", b"12h"), (b"9" * 400, b".", b"e9")),
    Target("subset", _text(choice.parse_subset), (b"5%", b"2/7"), (b"9" * 5_000, b"0", b"/")),
    Target("store-name", _text(_store_name), (b"data/ab/" + b"ab" * 32 + b"-00000000",), (b"..", b"/", b"\n")),
]


def by_name(wanted: Iterable[str]) -> list[Target]:
    """The targets of those names, in the order asked."""
    known = {target.name: target for target in TARGETS}
    return [known[name] for name in wanted]
