"""The commands that are swept, each with a small world in which it meets every kind of file."""

from __future__ import annotations

import shutil
import subprocess

from dvtool.formats.lock import Content
from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import encode_lock
from dvtool.formats.pointer import decode_pointer
from dvtool.formats.tree import encode_leaf
from dvtool.model.tree import link_entry
from dvtool.store.cache import Cache
from dvtool.store.cachewriter import CacheWriter
from dvtool.store.consolidate import SMALL_PACKS
from tests.crash.beginnings import CUT
from tests.crash.beginnings import LOOSE
from tests.crash.beginnings import V1
from tests.crash.beginnings import V2
from tests.crash.beginnings import begin
from tests.crash.beginnings import git_only
from tests.crash.beginnings import record
from tests.crash.beginnings import write
from tests.crash.others import imported
from tests.crash.others import of_dvc
from tests.crash.others import source
from tests.crash.settings import SETTINGS
from tests.faults.verdict import Case
from tests.faults.world import World
from tests.faults.world import content
from tests.support.trees import Tree
from tests.support.trees import create_tree


def _first(world: World) -> None:
    begin(world)
    write(world, V1)
    record(world, "v1")


def _second(world: World) -> None:
    _first(world)
    write(world, V2)
    record(world, "v2")


def _new_files(world: World) -> None:
    begin(world)
    (world.repo / ".gitignore").write_text("*.pyc\n")
    create_tree(world.repo, {"model.bin": content("model", LOOSE), "notes.csv": "a,b\n1,2\n"})


def _new_directory(world: World) -> None:
    begin(world)
    write(world, V1)


def _changed_directory(world: World) -> None:
    _first(world)
    write(world, V2)


def _changed_inside(world: World) -> None:
    _first(world)
    shutil.rmtree(world.repo / "data/turn")
    create_tree(
        world.repo / "data",
        {"a.txt": "edited\n", "more": {"x.bin": content("x", LOOSE)}, "turn": "a file in place of a directory"},
    )


def _shared_cache(world: World) -> None:
    begin(world)
    world.dvtool("cache", "dir", "--local", str(world.path / "cache"))
    write(world, V1)
    world.dvtool("add", "data")
    write(world, V2)


def _staged(world: World) -> None:
    begin(world)
    world.dvtool("config", "core.autostage", "true")
    write(world, V1)


def _crowded_cache(world: World) -> None:
    _first(world)
    cache = Cache(bytes(world.cache_dir))
    for number in range(SMALL_PACKS - 1):
        with CacheWriter(cache, what="test") as writer:
            writer.put_small(b"%d" % number)
            writer.put_tree(encode_leaf([link_entry(b"link", b"%d" % number)]))
            writer.commit()
    write(world, V2)


def _unmerged(world: World) -> None:
    """Git has merged the lines of a pointer, and left its markers in it."""
    _first(world)
    write(world, V2)
    record(world, "v2")
    world.git("checkout", "-q", "v1")
    world.dvtool("checkout")
    create_tree(world.repo / "data", {"a.txt": "ours\n", "ours.bin": content("ours", LOOSE)})
    record(world, "ours")
    subprocess.run(["git", "merge", "-q", "v2"], cwd=world.place, check=False, capture_output=True)


def _without_data(world: World) -> None:
    _first(world)
    shutil.rmtree(world.repo / "data")
    for name in world.repo.glob(".git/dvtool/memo.sqlite*"):
        name.unlink()


def _other_version(world: World) -> None:
    _second(world)
    world.git("checkout", "-q", "v1")


def _absent(world: World) -> None:
    """What the next version needs is not in the cache: a file and a directory would change places."""
    _second(world)
    world.dvtool("push")
    world.git("clone", "-q", str(world.repo), str(world.clone))
    world.place = world.clone
    world.dvtool("pull")
    world.git("checkout", "-q", "v1")


def _linked(world: World) -> None:
    _second(world)
    shutil.rmtree(world.repo / "data")
    world.dvtool("checkout", "--force")
    world.git("checkout", "-q", "v1")


def _edited(world: World) -> None:
    _other_version(world)
    data = world.repo / "data"
    for name in ("a.txt", "sub/e.bin", "big.bin"):
        (data / name).unlink(missing_ok=True)
    create_tree(data, {"a.txt": "my own\n", "mine.txt": "untracked\n", "sub": {"e.bin": content("my own", 900)}})
    (data / "big.bin").write_bytes(content("my own big", LOOSE))


def _edited_two(world: World) -> None:
    _first(world)
    (world.repo / "notes.csv").write_text("a,b\n")
    world.dvtool("add", "notes.csv")
    write(world, V2)
    (world.repo / "notes.csv").unlink()
    (world.repo / "notes.csv").write_text("a,b\n1,2\n")


def _edited_outputs(world: World) -> None:
    """What two stages made was changed by hand since."""
    begin(world)
    write(world, V1)
    (world.repo / "notes.csv").write_text("a,b\n")
    world.dvtool("add", "data", "notes.csv")
    stages = {}
    for name in ("data", "notes.csv"):
        pointer_file = world.repo / f"{name}.dvt"
        made = decode_pointer(pointer_file.read_bytes(), name)
        content_of = Content(made.kind, made.digest, made.size, made.files, made.executable)
        stages[f"make {name}"] = LockedStage(("make",), outs={name.encode(): content_of})
        pointer_file.unlink()
    (world.repo / "dvtool.lock").write_bytes(encode_lock(stages))
    world.git("add", ".")
    world.git("commit", "-q", "-m", "made")
    world.dvtool("status")
    for name in ("data/a.txt", "data/big.bin", "notes.csv"):
        (world.repo / name).unlink()
    edited: Tree = {"data": {"a.txt": "by hand\n", "big.bin": content("by hand", LOOSE)}, "notes.csv": "a,b\n1,2\n"}
    create_tree(world.repo, edited)


PIPELINE = """\
stages:
  first:
    cmd: tr a b < in > one
    deps: [in]
    outs: [one]
  second:
    cmd: mkdir many && cp one many/x && cp in many/y
    deps: [one]
    outs: [many]
  third:
    cmd: wc -c < one > score
    deps: [one]
    metrics:
    - score: {cache: false}
"""


def _defined(world: World) -> None:
    """Stages that never ran."""
    begin(world)
    (world.repo / "dvtool.yaml").write_text(PIPELINE)
    (world.repo / "in").write_text("banana\n")


def _ran_once(world: World) -> None:
    """Stages that ran; since then their input was changed, and one output by hand."""
    _defined(world)
    world.dvtool("repro")
    world.git("add", ".")
    world.git("commit", "-q", "-m", "made")
    (world.repo / "in").write_text("bananas and more\n")
    (world.repo / "one").write_text("by hand\n")


def _ran_twice(world: World) -> None:
    """Back at an input that the stages ran with before."""
    _ran_once(world)
    world.dvtool("repro")
    (world.repo / "in").write_text("banana\n")


def _edited_first(world: World) -> None:
    _first(world)
    for name in ("a.txt", "big.bin"):
        (world.repo / "data" / name).unlink()
    create_tree(world.repo / "data", {"a.txt": "my own\n", "big.bin": content("my own big", LOOSE)})


def _from_outside(world: World) -> None:
    begin(world)
    create_tree(world.outside / "source", V1)


def _forced(world: World) -> None:
    _edited_first(world)
    world.dvtool("checkout", "--force")


def _replaced(world: World) -> None:
    """The edits of the user, replaced by force, can be recovered."""
    _edited(world)
    world.dvtool("checkout", "--force")


def _to_push(world: World) -> None:
    _first(world)
    create_tree(world.repo, {"huge.bin": content("huge", CUT)})
    world.dvtool("add", "huge.bin")


def _to_push_more(world: World) -> None:
    _first(world)
    world.dvtool("push")
    write(world, V2)
    record(world, "v2")


def _to_pull(world: World) -> None:
    _to_push(world)
    world.git("add", ".")
    world.git("commit", "-q", "-m", "huge")
    world.dvtool("push")
    world.git("clone", "-q", str(world.repo), str(world.clone))
    world.place = world.clone


def _to_pull_more(world: World) -> None:
    _first(world)
    world.dvtool("push")
    world.git("clone", "-q", str(world.repo), str(world.clone))
    world.place = world.clone
    world.dvtool("pull")
    world.place = world.repo
    write(world, V2)
    record(world, "v2")
    world.dvtool("push")
    world.place = world.clone
    world.git("pull", "-q")


def _two_versions(world: World) -> None:
    """Of the first nothing is needed but what the second has too."""
    _second(world)
    world.git("checkout", "-q", "v2")


def _collected(world: World) -> None:
    _two_versions(world)
    world.dvtool(*GC)


def _pushed_twice(world: World) -> None:
    _first(world)
    world.dvtool("push")
    write(world, V2)
    record(world, "v2")
    world.dvtool("push")


def _pushed(world: World) -> None:
    _first(world)
    world.dvtool("push")


def _damaged(world: World) -> None:
    """A loose object is cut short, one byte of a pack is wrong; the remote has it all."""
    _pushed(world)
    loose = max((world.cache_dir / "objects").glob("*/*"))
    loose.chmod(0o600)
    loose.write_bytes(loose.read_bytes()[:-5])
    loose.chmod(0o444)
    pack = max((world.cache_dir / "data").glob("*/*"))
    data = bytearray(pack.read_bytes())
    data[len(data) // 3] ^= 1
    pack.chmod(0o600)
    pack.write_bytes(data)
    pack.chmod(0o444)


GC = ("gc", "--workspace", "--grace", "0", "--force")
CASES = (
    Case("init", ("init",), git_only, stages=True, once=True, plain=True),
    Case("add-files", ("add", "model.bin", "notes.csv"), _new_files, stores=True),
    Case("add-directory", ("add", "data"), _new_directory, stores=True),
    Case("add-again", ("add", "data"), _changed_directory, stores=True, warm=True),
    Case(
        "add-inside",
        ("add", "data/a.txt", "data/more", "data/turn"),
        _changed_inside,
        stores=True,
    ),
    Case("add-out", ("add", "-o", "scans", "../outside/source"), _from_outside, stores=True),
    Case("add-shared", ("add", "data"), _shared_cache, stores=True),
    Case("add-crowded", ("add", "data"), _crowded_cache, stores=True),
    Case("add-staged", ("add", "data"), _staged, stores=True, stages=True),
    Case("commit", ("commit",), _edited_two, stores=True, warm=True),
    Case("commit-outputs", ("commit",), _edited_outputs, stores=True),
    Case("repro-first", ("repro",), _defined, stores=True, aside=True, starts=True),
    Case("repro-again", ("repro",), _ran_once, stores=True, aside=True, starts=True),
    Case("repro-restored", ("repro",), _ran_twice, stores=True, aside=True),
    Case("resolve", ("resolve", "--theirs", "data"), _unmerged, stores=True, stages=True),
    Case("checkout-fresh", ("checkout",), _without_data),
    Case("checkout-switch", ("checkout",), _other_version, warm=True),
    Case("checkout-absent", ("checkout",), _absent, ends=(4,)),
    Case("checkout-linked", ("checkout",), _linked),
    Case("checkout-force", ("checkout", "--force"), _edited),
    Case("move", ("move", "data", "renamed"), _edited_first, stores=True, once=True, renames=True),
    Case("move-inside", ("move", "data/sub", "data/other"), _edited_first, stores=True, once=True, renames=True),
    Case("remove", ("remove", "data"), _first, once=True),
    Case("remove-outs", ("remove", "--outs", "data"), _first, once=True),
    Case("remove-force", ("remove", "--outs", "--force", "data"), _edited_first, once=True),
    Case("recover", ("recover", "--all", "found"), _replaced, once=True, refused="is there already"),
    Case("unprotect", ("unprotect", "data"), _linked),
    Case("push-first", ("push",), _to_push, pushes=True),
    Case("push-more", ("push",), _to_push_more, pushes=True),
    Case("fetch", ("fetch",), _to_pull),
    Case("pull-first", ("pull",), _to_pull, stores=True),
    Case("pull-more", ("pull",), _to_pull_more, stores=True),
    Case("gc", GC, _two_versions),
    Case("gc-cloud", (*GC, "--cloud"), _pushed_twice, pushes=True, drops=True),
    Case("undo-gc", ("undo",), _collected, once=True),
    Case("undo-checkout", ("undo",), _forced, once=True),
    Case("drop", ("drop", "data"), _pushed, pushes=True, drops=True),
    Case("import", ("import", "../outside/theirs", "data"), source, stores=True),
    Case("update", ("update",), imported, stores=True),
    Case("migrate", ("migrate",), of_dvc, stages=True, once=True, plain=True),
    Case("migrate-keep", ("migrate", "--keep"), of_dvc, stages=True, plain=True),
    Case("fsck-repair", ("fsck", "--deep", "--repair"), _damaged, ends=(0, 3), damaged=True),
    *SETTINGS,
)
LINKS = ("copy", "reflink", "hardlink", "symlink")
