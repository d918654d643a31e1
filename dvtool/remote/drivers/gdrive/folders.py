"""Folders of Google Drive by name: several may have the same one."""

from __future__ import annotations

import asyncio

from dvtool.errors import AccessDenied
from dvtool.errors import StorageError
from dvtool.remote.drivers.gdrive.api import FOLDER
from dvtool.remote.drivers.gdrive.api import DriveApi
from dvtool.remote.drivers.gdrive.api import Entry
from dvtool.remote.drivers.gdrive.options import DriveOptions

_SHORTCUT = "application/vnd.google-apps.shortcut"


class Folders:
    """The folders below the one of the URL.

    Two clients that make the same folder at the same moment make two. All of them are read; who writes takes the
    oldest, and so do both of these.
    """

    def __init__(self, name: str, words: str, options: DriveOptions, api: DriveApi) -> None:
        self.drive: str | None = None
        self._name = name
        self._words = words
        self._options = options
        self._api = api
        self._known: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._making = asyncio.Lock()

    async def open(self) -> None:
        """Look at the folder of the URL; raises `StorageError` unless it is one and not in the trash."""
        folder = self._options.folder
        entry = await self._api.info(folder)
        if entry is None:
            raise AccessDenied(
                f"remote {self._name}: there is no folder {folder} on {self._options.host} that you may see",
                hint=f"tried {self._words}; share the folder with that account, "
                f"or check `dvtool config remote.{self._name}.url`",
            )
        if entry.kind != FOLDER or entry.trashed:
            what = "in the trash" if entry.trashed else "a shortcut" if entry.kind == _SHORTCUT else "a file"
            raise StorageError(
                f"remote {self._name}: {folder} is {what}, not a folder",
                hint=f"check `dvtool config remote.{self._name}.url`",
            )
        self.drive = entry.drive
        self._known[()] = (entry.id,)

    async def find(self, path: tuple[str, ...], *, anew: bool = False) -> tuple[str, ...]:
        """The ids of every folder at *path* below the URL's, the oldest first. *anew*: believe nothing seen before."""
        if not anew and (known := self._known.get(path)):
            return known
        if not path:
            await self.open()
            return self._known[()]
        found = [
            entry for parent in await self.find(path[:-1], anew=anew) for entry in await self._named(path[-1], parent)
        ]
        ids = tuple(entry.id for entry in sorted(found, key=lambda entry: entry.age))
        self._known[path] = ids
        return ids

    async def make(self, path: tuple[str, ...]) -> str:
        """The id of the folder at *path* to write into, made if it is not there."""
        if known := self._known.get(path):
            return known[0]
        if not path:
            return (await self.find(path))[0]
        parent = await self.make(path[:-1])
        async with self._making:
            if ids := await self.find(path):
                return ids[0]
            made = await self._api.make_folder(path[-1], parent)
            ids = await self.find(path) or (made.id,)
            self._known[path] = ids
            return ids[0]

    async def _named(self, name: str, parent: str) -> list[Entry]:
        children = await self._api.children(parent, self.drive, folders=True)
        return [entry for entry in children or () if entry.name == name]
