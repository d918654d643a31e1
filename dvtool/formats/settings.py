"""Every setting there is. One table drives checks and docs."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dvtool.errors import ConfigError
from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.formats.bytesizes import is_byte_size
from dvtool.formats.bytesizes import parse_byte_size
from dvtool.formats.config import VERSION
from dvtool.formats.config import Entry
from dvtool.formats.config import Key
from dvtool.formats.config import check_name
from dvtool.formats.durations import is_duration
from dvtool.formats.setting import Setting
from dvtool.formats.setting import Type
from dvtool.formats.setting import Value
from dvtool.formats.settings_remote import REMOTE_SETTINGS

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_USERINFO = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s@]*:[^/?#\s]*@")
_SIGNED = re.compile(
    r"(?P<name>[?&](?:sig|signature|token|access_token|password|x-amz-[a-z-]+)=)[^&#\s]*", re.IGNORECASE
)


LINK_TYPES = ("reflink", "copy", "hardlink", "symlink")

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "dvtool.version",
        Type.COUNT,
        "version of the formats in this repository; written by `init`",
        1,
        in_project=True,
        only_project=True,
    ),
    Setting(
        "core.repo_id",
        Type.ID,
        "names this repository on remotes, the same in every clone; written by `init`",
        in_project=True,
        only_project=True,
    ),
    Setting("core.remote", Type.NAME, "the remote used where none is named", in_project=True),
    Setting("core.push_mirrors", Type.FLAG, "`push` sends to the mirrors of a remote, too", False, in_project=True),
    Setting(
        "core.unchunked",
        Type.PATTERNS,
        "paths of large files that are cut into pieces of 4 MiB for every remote, as in `.gitignore`; "
        "for what changes all over at each change",
        in_project=True,
    ),
    Setting("core.autostage", Type.FLAG, "`git add` the files that a command writes", False, in_project=True),
    Setting(
        "core.no_scm",
        Type.FLAG,
        "work without Git; written by `init --no-scm`",
        False,
        in_project=True,
        only_project=True,
    ),
    Setting(
        "core.ignore",
        Type.CHOICE,
        "where tracked data is hidden from Git: `.gitignore` beside it, or `.git/info/exclude`",
        "gitignore",
        ("gitignore", "exclude"),
        in_project=True,
    ),
    Setting(
        "core.git_file_limit",
        Type.SIZE,
        "the pre-commit hook keeps larger files out of Git",
        "10Mi",
        in_project=True,
    ),
    Setting(
        "core.durability",
        Type.CHOICE,
        "what is synced to the disk before a pointer names it: nothing, or all of it",
        "commit",
        ("none", "commit"),
    ),
    Setting(
        "core.checksum_jobs",
        Type.COUNT,
        "processes that read or write many files together; default: one for each processor, 8 at most",
        in_project=True,
    ),
    Setting(
        "core.resources",
        Type.TEXT,
        "how much of each resource stages that run at once may use together, as `gpu=2, memory=64Gi, license=3`; "
        "default: what this machine has, and 1 of every other name",
    ),
    Setting(
        "core.sources",
        Type.PATTERNS,
        "directories, hosts and beginnings of URLs on this machine and in its network that imports may be read from; "
        "written by `import` for what you name there",
    ),
    Setting("core.jobs", Type.COUNT, "requests at once to a remote that has no `jobs` of its own", in_project=True),
    Setting(
        "core.bandwidth",
        Type.SIZE,
        "bytes a second that a transfer may take, both ways together; default: no limit",
        in_project=True,
    ),
    Setting("gc.grace", Type.DURATION, "`gc` leaves files of the cache alone that are younger", "1d"),
    Setting("gc.trash", Type.DURATION, "how long the trash keeps what `gc` took, for `dvtool undo`", "14d"),
    Setting("cache.dir", Type.PATH, "where the cache is; a relative path starts at the project's root"),
    Setting(
        "cache.type",
        Type.CHOICES,
        "how files come from the cache, the first that the file system can; default: reflink, then copy",
        ("reflink", "copy"),
        LINK_TYPES,
        in_project=True,
    ),
    Setting(
        "cache.shared",
        Type.CHOICE,
        "`group`: the group may write, whatever the umask",
        None,
        ("group",),
        in_project=True,
    ),
    *REMOTE_SETTINGS,
)

_BY_KEY = {setting.key: setting for setting in SETTINGS}
_INSTEAD = {
    "ask_password": "it is kept in ~/.netrc, in the keyring or by `--local`: docs/how-to/credentials.md",
    "ask_passphrase": "give the key to ssh-agent, or set `passphrase` with `--local`: docs/how-to/remote-ssh.md",
    "verify": "there is nothing to turn on: everything that arrives is verified",
    "checksum_jobs": "`core.checksum_jobs` holds for all of them",
    "shared": "`cache.shared group`, and directories of the remote take the mode of their parents",
    "version_aware": "a remote holds packs of many files; the server's own versions are not used",
    "worktree": "a remote holds packs of many files, never a copy of the directory",
    "analytics": "there is nothing to turn off: nothing is collected about you",
}
"""Names that users of DVC may look for, and what takes their place."""


def setting_of(key: Key) -> Setting:
    """The row for a key; raises `ConfigError` with similar keys."""
    general = str(key) if key.subsection is None else f"{key.section}.*.{key.name}"
    setting = _BY_KEY.get(general)
    if setting is None:
        raise ConfigError(f"there is no setting {key}", hint=_similar(key))
    return setting


def parse_value(key: Key, text: str) -> Value:
    """The typed value of a setting; raises `ConfigError`, or `UnsafeInput` for a URL that starts something."""
    setting = setting_of(key)
    kind = setting.type
    if kind is Type.FLAG and text.lower() in _TRUE | _FALSE:
        return is_true(text)
    if kind is Type.COUNT and re.fullmatch(r"[1-9][0-9]{0,8}", text, re.ASCII):
        return int(text)
    if kind is Type.SECONDS and re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,6})?", text, re.ASCII) and float(text) > 0:
        return float(text)
    if kind is Type.DURATION and is_duration(text):
        return text
    if kind is Type.SIZE and is_byte_size(text) and parse_byte_size(text) > 0:
        return text
    if kind is Type.ID and re.fullmatch(r"[0-9a-f]{32}", text, re.ASCII):
        return text
    if kind is Type.CHOICE and text in setting.choices:
        return text
    if kind is Type.CHOICES:
        parts = tuple(part.strip() for part in text.split(","))
        if set(parts) <= set(setting.choices) and len(set(parts)) == len(parts):
            return parts
    if kind in (Type.NAMES, Type.PATTERNS):
        items = tuple(part.strip() for part in text.split(","))
        if all(items) and len(set(items)) == len(items):
            return items if kind is Type.PATTERNS else tuple(map(check_name, items))
    if kind is Type.URL:
        _check_url(key, text)
    if kind in (Type.TEXT, Type.PATH, Type.NAME, Type.URL) and text:
        return text
    raise ConfigError(f"{key} = {shown(key, text)!r} is not {expected(setting)}", hint=f"dvtool config {key} VALUE")


def is_true(text: str) -> bool:
    """Whether a flag is on; any text that is no flag is off."""
    return text.lower() in _TRUE


def expected(setting: Setting) -> str:
    """What a value must be, in words."""
    return " ".join([setting.type.value, ", ".join(setting.choices)]).strip()


def carries_secret(key: Key, text: str) -> bool:
    """Whether this value must not get into a committed file: a secret key, or a URL with a password or a signature."""
    setting = setting_of(key)
    return setting.secret or (setting.type is Type.URL and bool(_USERINFO.match(text) or _SIGNED.search(text)))


def check_version(entries: Iterable[Entry], where: str) -> None:
    """Raise `FormatError` if the committed file says that it was written for a newer dvtool."""
    for entry in entries:
        if str(entry.key) == "dvtool.version" and parse_value(entry.key, entry.value) != VERSION:
            raise FormatError(
                f"{where}:{entry.line}: this repository has format version {entry.value}, this dvtool knows {VERSION}",
                path=where,
                hint="upgrade: pip install --upgrade dvtool",
            )


def needs_trust(key: Key, text: str) -> bool:
    """Whether the committed file may say it of a remote, but it counts only for those who trust the remote."""
    setting = setting_of(key)
    allowed = setting.in_project or setting.only_user or carries_secret(key, text)
    return setting.key.startswith("remote.*.") and not allowed


def directs(key: Key) -> bool:
    """Whether it says which server gets the requests."""
    setting = setting_of(key)
    return setting.directs or (setting.type is Type.URL and setting.key.startswith("remote.*."))


def check_in_project(key: Key, text: str) -> None:
    """Raise `UnsafeInput` unless the committed file may hold this setting."""
    setting = setting_of(key)
    if carries_secret(key, text):
        hint = f"dvtool config --local {key} VALUE (kept in the Git directory, where it cannot be committed)"
        raise UnsafeInput(f"{key} is a secret and must not be in the committed .dvtool/config", hint=hint)
    if not setting.in_project:
        raise UnsafeInput(
            f"{key} must not be set by the committed .dvtool/config, since a cloned repository could misuse it",
            hint=f"each user sets it: dvtool config --local {key} VALUE{_for_all(key, text)}",
        )


def _for_all(key: Key, text: str) -> str:
    if not needs_trust(key, text):
        return ""
    name = key.subsection
    return f"; or, for those who then say `remote trust {name}`: dvtool remote modify --project {name} {key.name} VALUE"


def shown(key: Key, text: str) -> str:
    """The value as it may be printed."""
    try:
        setting = setting_of(key)
    except DvtoolError:
        return text
    if setting.secret:
        return "***"
    if setting.type is not Type.URL:
        return text
    return _SIGNED.sub(r"\g<name>***", re.sub(r"://[^/?#\s]*@", "://***@", text))


def settings_table(settings: Iterable[Setting] = SETTINGS) -> str:
    """The table of the docs, in Markdown."""
    rows = ["| key | value | committed | what |", "|---|---|---|---|"]
    for each in settings:
        trusted = each.key.startswith("remote.*.") and not each.secret and not each.only_user
        committed = (
            "only there" if each.only_project else "yes" if each.in_project else "if trusted" if trusted else "no"
        )
        note = "secret: never shown; " if each.secret else ""
        default = "" if each.default is None else f" (default `{_default(each.default)}`)"
        key = each.key.replace("*", "NAME")
        rows.append(f"| `{key}` | {expected(each)}{default} | {committed} | {note}{each.doc} |")
    return "\n".join(rows) + "\n"


def _default(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _check_url(key: Key, text: str) -> None:
    # "[::1]" is a host; any other "::" chains file systems (simplecache::, ext::).
    if text.startswith("-") or "::" in re.sub(r"//\[[0-9A-Fa-f:.]+\]", "//host", text):
        raise UnsafeInput(f"{key}: {shown(key, text)!r} is refused as a URL", hint="chained URLs are not supported")


def _similar(key: Key) -> str:
    if key.name in _INSTEAD:
        return _INSTEAD[key.name]
    import difflib

    known = [each.key.replace("*", key.subsection or "NAME") for each in SETTINGS]
    near = difflib.get_close_matches(str(key), known, n=2) or [
        each for each in known if each.rpartition(".")[2] == key.name
    ]
    if near:
        return "did you mean " + " or ".join(f"`{each}`" for each in near) + "?"
    return "docs/formats/config.md lists all settings"
