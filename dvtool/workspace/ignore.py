"""``.dvtoolignore``: which paths dvtool passes over, by the rules of ``.gitignore``.

A file counts for its directory and everything below. The last pattern that matches decides,
files further down before files further up, and nothing below an ignored directory comes back.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from dvtool.disk.beneath import open_dir
from dvtool.disk.beneath import open_file
from dvtool.disk.beneath import open_root
from dvtool.errors import FormatError
from dvtool.errors import storage_error
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.model.paths import split

IGNORE_FILE = b".dvtoolignore"
MAX_BYTES = 1 << 20

MAX_LINE = 1_024
MOST_ANY = 3
"""So many times a pattern may say "any directories" between names: each multiplies what a path costs by its depth."""
_STAR = b"[^/]*"
_ANY_DIRECTORIES = (b"(?:/.+)?", b"(?:.+/)?")
_TRAILING_SPACES = re.compile(rb"(?<!\\) +\Z")
_BOM = b"\xef\xbb\xbf"


class Rule(NamedTuple):
    """The pattern that decided: its file (relative to the root), its line from 1, its text."""

    file: bytes
    line: int
    pattern: bytes

    @property
    def negated(self) -> bool:
        return self.pattern.startswith(b"!")


@dataclass(frozen=True, slots=True)
class _Pattern:
    """``regex`` is pathspec's. It may end before the path does: for pathspec, what lies below counts too.

    ``any_depth``: there is no slash in the pattern, so that the name alone decides.
    """

    rule: Rule
    regex: re.Pattern[bytes]
    only_directories: bool
    everything_below: bool
    any_depth: bool

    def matches(self, path: bytes, name: bytes, is_dir: bool) -> bool:  # noqa: FBT001
        """Whether the pattern means *path* itself, not just a directory above it."""
        if self.only_directories and not is_dir:
            return False
        subject = name if self.any_depth else path
        found = self.regex.match(subject)
        return found is not None and (self.everything_below or found.end() == len(subject))


class IgnoreRules:
    """The rules of one project. The file of a directory is read when something in it is first asked about.

    *read* gives the file of a directory where it is not the one below *root*; it raises as opening that would.
    *name*: of such files.
    """

    def __init__(self, root: bytes, read: Callable[[bytes], bytes] | None = None, *, name: bytes = IGNORE_FILE) -> None:
        self._read = read or partial(_content, root, name)
        self.name = name
        self._found = False
        self._chains: dict[bytes, tuple[_Chain, Rule | None]] = {}

    @classmethod
    def load(cls, root: bytes, name: bytes = IGNORE_FILE) -> IgnoreRules:
        """The rules of the project at *root*. Raises `FormatError` for a pattern that is none, `StorageError`."""
        rules = cls(root, name=name)
        rules.for_directory(b"")
        return rules

    def for_directory(self, directory: bytes) -> IgnoreRules:
        """The same rules, after the files from the root down to *directory* were read: `is_empty` counts them."""
        self._chain(directory)
        return self

    @property
    def is_empty(self) -> bool:
        """True: no pattern in any file read so far. Ask all the same about a directory with an ignore file in it."""
        return not self._found

    def is_ignored(self, path: bytes, is_dir: bool) -> bool:  # noqa: FBT001
        """Whether *path*, relative to the root, is passed over, itself or with a directory above it."""
        rule = self.explain(path, is_dir)
        return rule is not None and not rule.negated

    def explain(self, path: bytes, is_dir: bool) -> Rule | None:  # noqa: FBT001
        """The pattern that decides about *path*; it may be a negation. None: no pattern matches."""
        directory, name = split(path)
        chain, above = self._chain(directory)
        if above is not None:
            return above
        return _decide(chain, directory, name, is_dir=is_dir) if chain else None

    def _chain(self, directory: bytes) -> tuple[_Chain, Rule | None]:
        """Patterns that count in *directory*, and the rule that ignores all of it."""
        known = self._chains.get(directory)
        if known is not None:
            return known
        chain: _Chain = ()
        above: Rule | None = None
        if directory:
            parent, name = split(directory)
            chain, above = self._chain(parent)
            if above is None and chain:
                rule = _decide(chain, parent, name, is_dir=True)
                above = rule if rule is not None and not rule.negated else None
        if above is None:
            own = _patterns(self._read, join(directory, self.name))
            if own:
                self._found = True
                chain = ((len(directory) + 1 if directory else 0, own), *chain)
        self._chains[directory] = chain, above
        return chain, above


# Deepest directory first: how many bytes of a path stand before what its patterns are about, and the patterns.
_Chain = tuple[tuple[int, tuple[_Pattern, ...]], ...]


def _decide(chain: _Chain, directory: bytes, name: bytes, *, is_dir: bool) -> Rule | None:
    path = join(directory, name)
    for skip, patterns in chain:
        relative = path[skip:]
        for pattern in reversed(patterns):
            if pattern.matches(relative, name, is_dir):
                return pattern.rule
    return None


def _patterns(read: Callable[[bytes], bytes], file: bytes) -> tuple[_Pattern, ...]:
    try:
        data = read(split(file)[0])
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise storage_error(error, "read", file) from error
    if len(data) > MAX_BYTES:
        raise FormatError(f"{show(file)}: an ignore file is not larger than {MAX_BYTES} bytes", path=file)
    lines = [line.removesuffix(b"\r") for line in data.removeprefix(_BOM).split(b"\n")]
    return tuple(
        pattern
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.startswith(b"#")
        if (pattern := _compile(file, number, line)) is not None
    )


def _content(root: bytes, name: bytes, directory: bytes) -> bytes:
    root_fd = open_root(root)
    try:
        dir_fd = open_dir(root_fd, directory)
        try:
            with open(open_file(dir_fd, name, shown=join(directory, name)), "rb") as file:
                return file.read(MAX_BYTES + 1)
        finally:
            os.close(dir_fd)
    finally:
        os.close(root_fd)


def _tamed(source: bytes) -> bytes:
    """The same expression, which never tries again where a star could have ended: ten stars took hours for one name.

    What stands between two stars is taken where it comes first: what is skipped by that, the next star takes.
    """
    first, *pieces = source.split(_STAR)
    if not pieces:
        return source
    found = first
    for number, piece in enumerate(pieces[:-1]):
        if any(each in piece for each in _ANY_DIRECTORIES):
            found += _STAR + piece
        elif piece:
            # An atomic group, as Python 3.10 can have one.
            found += b"(?=(?P<s%d>[^/]*?%b))(?P=s%d)" % (number, piece, number)
    return found + _STAR + pieces[-1]


def _compile(file: bytes, number: int, line: bytes) -> _Pattern | None:
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    text = _TRAILING_SPACES.sub(b"", line)
    # pathspec reads "a/**/" as "a/"; without its last slash, for directories alone, it is what Git makes of it.
    body = text.removesuffix(b"/")
    if body in (b"", b"!"):
        return None
    with warnings.catch_warnings():
        # Of "[[]", which means to re what it means to Git.
        warnings.simplefilter("ignore", FutureWarning)
        try:
            compiled = GitIgnoreSpecPattern(body)
        except (ValueError, re.error) as error:
            raise FormatError(
                f"{show(file)}:{number}: {show(line)} is not a pattern",
                path=file,
                hint="the syntax is that of .gitignore: `git help gitignore`",
            ) from error
        if compiled.regex is None:
            return None
        source = _tamed(compiled.regex.pattern)
        if max(source.count(each) for each in _ANY_DIRECTORIES) > MOST_ANY or len(text) > MAX_LINE:
            raise FormatError(f"{show(file)}:{number}: a pattern with too much in it: {show(line[:40])}...", path=file)
        # pathspec's own flags know no line feed in a name.
        regex = re.compile(source, re.DOTALL)
    everything = source == b"." or body.endswith(b"/**")
    return _Pattern(Rule(file, number, text), regex, body != text, everything, b"/" not in body)
