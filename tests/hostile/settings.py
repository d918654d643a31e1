"""Committed files that steer dvtool itself: config, ignore files, state that is not the user's own, programs."""

from __future__ import annotations

import shutil

from tests.hostile.case import Hostile
from tests.hostile.case import Step
from tests.hostile.scene import Scene
from tests.hostile.verbs import EVERY
from tests.hostile.verbs import READ_CONFIG

ORIGIN = '[remote "origin"]\n'
REFUSED = {
    "cache-dir-outside": ("[cache]\n    dir = ../outside\n", 6),
    "cache-dir-absolute": ("[cache]\n    dir = /tmp/elsewhere\n", 6),
    "durability": ("[core]\n    durability = none\n", 6),
    "access-key": (f"{ORIGIN}    access_key_id = AKIAIOSFODNN7EXAMPLE\n", 6),
    "secret-key": (f"{ORIGIN}    secret_access_key = wJalrXUtnFEMI\n", 6),
    "session-token": (f"{ORIGIN}    session_token = FQoGZXIvYXdz\n", 6),
    "password-in-url": ('[remote "b"]\n    url = s3://me:secret@bucket/x\n', 6),
    "signature-in-url": ('[remote "b"]\n    url = s3://bucket/x?X-Amz-Signature=abc\n', 6),
    "command": ("[core]\n    editor = touch ../marker\n", 9),
    "remote-command": (f"{ORIGIN}    command = touch ../marker\n", 9),
    "hook": ("[hook]\n    post-checkout = touch ../marker\n", 9),
    "plug-in": (f"{ORIGIN}    plugin = evil.module\n", 9),
    "newer": ("[dvtool]\n    version = 2\n", 9),
    "twice": ("[core]\n    remote = other\n", 9),
    "control-byte": ("[core]\n    ignore = \x1b]0;gitignore\n", 9),
    "conflict": ("<<<<<<< ours\n", 9),
    "name-that-climbs": ('[remote "../x"]\n    url = ../remote\n', 9),
    "name-like-an-option": ('[remote "-x"]\n    url = ../remote\n', 9),
    "megabytes": ("# x\n" * (300 << 10), 9),
}
NEED_TRUST = {
    "credential-file": "credentialpath = ../outside/secret",
    "aws-config-file": "configpath = ../outside/secret",
    "tls-off": "use_ssl = false",
    "certificates-unchecked": "ssl_verify = false",
    "own-certificates": "ssl_verify = ../outside/ca.pem",
}
"""Refused where the remote is used: its user may say `remote trust`."""
CONFIRMED = {
    "trusted-by-itself": f"{ORIGIN}    trusted = blake3:{'0' * 64}\n",
    "bound-by-itself": f"{ORIGIN}    bound_to = webdav://evil.example\n",
}
URLS = {
    "option": "--upload-pack=touch ../marker",
    "git-transport": "ext::sh -c 'touch ../marker'",
    "file-descriptor": "fd::17",
    "chained": "simplecache::s3://bucket/x",
    "chained-archive": "zip://a::s3://bucket/x.zip",
    "chained-reference": "reference://::s3://bucket/x",
}
"""Refused where the config is read. What has no driver is refused where the remote is opened."""
SCHEMES = {
    "gopher": ("gopher://127.0.0.1/x", 9),
    "git": ("git://../outside", 6),
    "memory": ("memory://x", 6),
    "archive": ("zip://x", 6),
    "cluster": ("dask://x", 6),
    "shell": ("sh://x", 9),
    "file-on-a-host": ("file://example.org/x", 9),
}
ASK_A_REMOTE = frozenset({"status --cloud", "fetch", "pull", "pull --force", "push", "push --all", "fsck --remote"})
DOCTOR = {"doctor": 1}
"""It goes on, says what it found, and ends with 1."""


def _config(text: str) -> Step:
    def build(scene: Scene) -> None:
        path = scene.theirs / ".dvtool/config"
        text_now = path.read_text()
        if "version = 2" in text:
            path.write_text(text_now.replace("version = 1", "version = 2"))
        else:
            path.write_text(text_now + text)

    return build


def _url(url: str) -> Step:
    def build(scene: Scene) -> None:
        path = scene.theirs / ".dvtool/config"
        path.write_text(path.read_text().replace("url = ../remote", f"url = {url}"))

    return build


def _without_git(scene: Scene) -> None:
    """A local config that Git carries, by claiming to work without Git."""
    _config("[core]\n    no_scm = true\n")(scene)
    scene.write(".dvtool/config.local", "[cache]\n    dir = ../outside\n")


def _state_without_git(scene: Scene) -> None:
    _config("[core]\n    no_scm = true\n")(scene)
    scene.write(".dvtool/state/memo.sqlite", b"cos\nsystem\n(S'touch ../marker'\ntR.")


def _config_is_a_link(scene: Scene) -> None:
    shutil.move(scene.theirs / ".dvtool/config", scene.theirs / "real")
    (scene.theirs / ".dvtool/config").symlink_to("../real")


def _ignore_is_a_link(scene: Scene) -> None:
    (scene.theirs / ".dvtoolignore").unlink()
    (scene.theirs / ".dvtoolignore").symlink_to("../outside/secret")


def _ignore_is_a_device(scene: Scene) -> None:
    (scene.theirs / ".dvtoolignore").unlink()
    (scene.theirs / ".dvtoolignore").symlink_to("/dev/zero")


def _ignore(text: str) -> Step:
    return lambda scene: scene.write(".dvtoolignore", text)


def _modules(scene: Scene) -> None:
    """What Python, Git or a shell might pick up from the directory that a command runs in."""
    code = "import pathlib\npathlib.Path(__file__).parent.parent.joinpath('marker').touch()\n"
    for name in ("yaml", "click", "git", "zstandard", "sitecustomize", "usercustomize", "dvtool", "encodings"):
        scene.write(f"{name}.py", code)
    for name in ("git", "sh", "aws"):
        scene.write(name, "#!/bin/sh\ntouch ../marker\n")
        (scene.theirs / name).chmod(0o755)
    scene.write(".gitattributes", "*.dvt filter=evil diff=evil merge=evil\n* text=auto\n")
    scene.write(".gitconfig", '[filter "evil"]\n    smudge = touch ../marker\n')
    scene.write(".gitmodules", '[submodule "x"]\n    path = x\n    url = ext::sh -c "touch ../marker"\n')
    scene.write("setup.cfg", "[aliases]\n")
    scene.write(".git-hooks/post-checkout", "#!/bin/sh\ntouch ../marker\n")


def _refs(scene: Scene) -> None:
    """Names of refs that look like options."""
    for name in ("tags/--output=marker", "heads/--upload-pack=touch marker"):
        scene.git("update-ref", f"refs/{name.replace(' ', '-')}", "HEAD", at=scene.mine)


def cases() -> list[Hostile]:
    where = r"\.dvtool/config"
    return [
        *(
            Hostile(f"config-{name}", _config(text), code, READ_CONFIG, where, ends=DOCTOR)
            for name, (text, code) in REFUSED.items()
        ),
        *(
            Hostile(f"config-{name}", _config(f"{ORIGIN}    {text}\n"), 6, ASK_A_REMOTE, "remote origin")
            for name, text in NEED_TRUST.items()
        ),
        *(
            Hostile(f"config-{name}", _config(text), 6, READ_CONFIG, where, ends=DOCTOR)
            for name, text in CONFIRMED.items()
        ),
        *(Hostile(f"config-url-{name}", _url(url), 6, READ_CONFIG, where, ends=DOCTOR) for name, url in URLS.items()),
        *(
            Hostile(f"config-scheme-{name}", _url(url), code, ASK_A_REMOTE, "origin")
            for name, (url, code) in SCHEMES.items()
        ),
        Hostile("config-is-a-link", _config_is_a_link, 6, READ_CONFIG, where, ends=DOCTOR),
        Hostile("config-local-in-git", _without_git, 6, READ_CONFIG, "config.local", ends=DOCTOR),
        Hostile("state-in-git", _state_without_git, 6, READ_CONFIG, "state", ends=DOCTOR),
        Hostile("ignore-is-a-link", _ignore_is_a_link, 6, frozenset({"check-ignore"}), r"\.dvtoolignore"),
        Hostile("ignore-is-a-device", _ignore_is_a_device, 6, frozenset({"check-ignore"}), r"\.dvtoolignore"),
        Hostile("ignore-megabytes", _ignore("*.x\n" * (300 << 10)), 9, frozenset({"check-ignore"}), r"\.dvtoolignore"),
        Hostile("modules-and-programs", _modules, 0, EVERY - {"check-ignore", "whereused"}),
        Hostile("refs-like-options", lambda scene: None, 0, frozenset({"push --all", "log"}), after=_refs),
    ]
