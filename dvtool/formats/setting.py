"""What a setting is: its type, who may set it, whether it is secret."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

Value = str | bool | int | float | tuple[str, ...]


class Type(Enum):
    """What a value is, with the words that errors and docs use for it."""

    TEXT = "text"
    FLAG = "true or false"
    COUNT = "a whole number from 1"
    SECONDS = "a number of seconds"
    SIZE = "a number of bytes such as 500k, 2.5M or 64Mi"
    DURATION = "a length of time such as 12h, 14d or 0"
    NAME = "the name of a remote"
    URL = "a URL or a directory"
    PATH = "a path"
    CHOICE = "one of"
    CHOICES = "a comma-separated list of"
    NAMES = "a comma-separated list of remotes"
    PATTERNS = "a comma-separated list of patterns"
    ID = "32 hexadecimal digits"


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table. ``*`` in *key* stands for the name of a remote.

    ``in_project``: the committed file may set it, since it can neither reach outside the
    repository nor weaken a promise. ``only_project``: no other place may. ``only_user``: the committed
    file never may, not even trusted. ``directs``: it says which server gets the requests or how, as a URL does.
    ``signs``: a secret that never travels, for it only signs what is sent.
    """

    key: str
    type: Type
    doc: str
    default: Value | None = None
    choices: tuple[str, ...] = ()
    in_project: bool = False
    only_project: bool = False
    secret: bool = False
    only_user: bool = False
    directs: bool = False
    signs: bool = False
