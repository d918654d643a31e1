"""One file with the library's own call, its parts tuned: ``plain.py put|get|get-synced PATH URL [ENDPOINT]``."""

from __future__ import annotations

import os
import sys
from typing import Any

PART = 8 << 20
AT_ONCE = 8


def main(verb: str, path: str, url: str, endpoint: str = "") -> None:
    file_system, tuned = _opened(endpoint)
    if verb == "put":
        file_system.put_file(path, url, **tuned)
    else:
        file_system.get_file(url, path, **tuned)
    if verb == "get-synced":
        with open(path, "rb") as file:
            os.fsync(file.fileno())


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
