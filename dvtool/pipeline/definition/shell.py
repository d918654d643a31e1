"""Keeps values from other files from becoming commands.

A definition is its author's word, and so is every command in it. A value of a parameter file is often changed by
others: by hand, by a search over parameters, in a pull request that nobody reads as code. So where such a value is put
into a command for the shell, it may be words, but nothing that the shell acts on.
"""

from __future__ import annotations

import re

_HARMLESS = re.compile(r"[\w./:,@%+-]*", re.ASCII)
_PLAIN = re.compile(r"""[^\x00-\x08\x0a-\x1f"$&'();<>\\`|\x7f-\xa0]*""")
"""Without quotes around it: words, names of files, patterns for names of files."""
_SPLITS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
"""Ends a line, and with it a command, or is no character for one."""
_IN_DOUBLE = re.compile(r'["$`\\]')
_COMMENT = re.compile(r"(^|[ \t])#")
_NAME = re.compile(r"\w*", re.ASCII)
_INTERPRETS = re.compile(
    r"(?:^|[\s;&|(])(?:-[A-Za-z]*[ce]|--(?:command|eval|exec|execute)|eval|ssh|parallel|watch|su)(?=[\s=]|$)"
)
"""What is behind these words is read once more by a shell or another language: quotes in it are no protection."""
_CONFUSES = re.compile(r"<<|\$'|\$\{|\$\(\(")
"""Here-documents, ``$'...'``, parameter expansions, arithmetic: quotes mean something else in them."""

ADVICE = (
    "quote it in `cmd`, pass it as a word of `argv`, or name its file under `trusted` if all who change it are trusted"
)


def is_harmless(text: str) -> bool:
    """Whether *text* may stand anywhere in any command, but for right behind a ``$``."""
    return _HARMLESS.fullmatch(text) is not None


def reads_again(command: str) -> bool:
    """Whether a part of *command* is read once more by a shell or another language, so that quotes protect nothing."""
    return _INTERPRETS.search(command) is not None or _CONFUSES.search(command) is not None


class Command:
    """Follows a command from left to right, as its shell would, to know what quotes a value would stand in.

    *template*: the whole of it, with a word in place of each such value.
    """

    def __init__(self, template: str) -> None:
        self._is_strict = reads_again(template)
        self._stack: list[str] = []
        self._last = ""
        self._at_start = True
        self._in_comment = False

    def literal(self, text: str) -> str | None:
        """The definition's own text, or a value that its author wrote."""
        at = 0
        while at < len(text):
            at += self._step(text, at)
        self._last = text[-1:] or self._last
        return None

    def value(self, text: str, *, is_quoted: bool = False) -> str | None:
        """Why a value from elsewhere may not stand here; None if it may. *is_quoted*: by the rules of the shell."""
        before, self._last = self._last, text[-1:] or self._last
        at_start, self._at_start = self._at_start, self._at_start and not text.strip()
        if (found := _SPLITS.search(text)) is not None:
            return f"it holds {found[0]!r}, which ends a command"
        quote = self._stack[-1] if self._stack else ""
        if is_quoted and not self._is_strict and quote in ("", "("):
            return None
        if not self._is_strict and quote == "'":
            return "it holds a single quote, which ends the quoted text" if "'" in text else None
        if not self._is_strict and quote == '"':
            found = _IN_DOUBLE.search(text)
            return None if found is None else f"it holds {found[0]!r}, which the shell acts on in double quotes"
        where = " (quotes are no protection in this command)" if quote and self._is_strict else ""
        length = _PLAIN.match(text).end()  # type: ignore[union-attr]
        if length < len(text):
            return f"it holds {text[length]!r}, which the shell acts on{where}"
        if before == "$" and not _NAME.fullmatch(text):
            return "it stands behind a `$`"
        if at_start and "=" in text:
            return "it holds `=`, which sets a variable at the start of a command"
        if _COMMENT.search(text if before in ("", " ", "\t") else "_" + text):
            return "it holds `#`, which begins a comment"
        return None

    def _step(self, text: str, at: int) -> int:
        """Over one character, or over one with what belongs to it."""
        character = text[at]
        quote = self._stack[-1] if self._stack else ""
        if quote == "'":
            if character == "'":
                self._stack.pop()
            return 1
        if self._in_comment:
            self._in_comment = character != "\n"
            self._at_start = True
            return 1
        if character == "\\":
            self._at_start = False
            return 2
        if character == "`":
            self._is_strict = True
        elif character == '"':
            self._toggle(quote, '"')
        elif text.startswith("$(", at):
            self._stack.append("(")
            self._at_start = True
            return 2
        elif quote != '"':
            self._outside_quotes(character, quote, text[at - 1] if at else self._last)
        if character not in " \t":
            self._at_start = character in ";&|\n(" and quote != '"'
        return 1

    def _toggle(self, quote: str, kind: str) -> None:
        if quote == kind:
            self._stack.pop()
        else:
            self._stack.append(kind)

    def _outside_quotes(self, character: str, quote: str, before: str) -> None:
        if character == "'":
            self._stack.append("'")
        elif character == "(":
            self._stack.append("(")
        elif character == ")" and quote == "(":
            self._stack.pop()
        elif character == "#" and before in ("", " ", "\t", "\n", ";", "&", "|", "("):
            self._in_comment = True
