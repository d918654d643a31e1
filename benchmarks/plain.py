"""One file with the library's own call, its parts tuned: ``plain.py VERB PATH URL [ENDPOINT]``.

Verbs: ``put``, ``get``, ``get-synced``, ``get-checked``. The last is the least for who says that the bytes are right
and will stay: they are hashed, from a local file on their way, else read back, and brought to the medium.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any
from typing import BinaryIO

from blake3 import blake3

PART = 8 << 20
AT_ONCE = 8


def main(verb: str, path: str, url: str, endpoint: str = "") -> None:
    file_system, tuned = _opened(endpoint)
    if verb == "put":
        file_system.put_file(path, url, **tuned)
    elif verb == "get-checked" and not endpoint:
        _copy_hashed(url, path)
    else:
        file_system.get_file(url, path, **tuned)
    if verb in ("get-synced", "get-checked"):
        with open(path, "rb") as file:
            if verb == "get-checked" and endpoint:
                _read(file, lambda _block: None)
            os.fsync(file.fileno())


def _copy_hashed(source: str, target: str) -> None:
    with open(source, "rb") as old, open(target, "wb") as new:
        _read(old, new.write)


def _read(file: BinaryIO, then: Callable[[memoryview], object]) -> bytes:
    hasher, buffer = blake3(), memoryview(bytearray(1 << 20))
    while count := file.readinto(buffer):  # type: ignore[attr-defined]
        hasher.update(buffer[:count])
        then(buffer[:count])
    return hasher.digest()


def _opened(endpoint: str) -> tuple[Any, dict[str, int]]:
    if not endpoint:
        from fsspec.implementations.local import LocalFileSystem

        return LocalFileSystem(), {}
    from s3fs import S3FileSystem

    checksums = {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
    file_system = S3FileSystem(
        endpoint_url=endpoint, skip_instance_cache=True, config_kwargs={"max_pool_connections": 32, **checksums}
    )
    return file_system, {"chunksize": PART, "max_concurrency": AT_ONCE}


if __name__ == "__main__":
    main(*sys.argv[1:])
