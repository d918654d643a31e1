"""The session with an S3 server, kept by s3fs."""

from __future__ import annotations

import asyncio
from datetime import datetime
from datetime import timezone
from typing import Any

from dvtool.remote.drivers.s3.options import S3Options


def connect(options: S3Options, connections: int) -> tuple[asyncio.AbstractEventLoop, Any, Any]:
    """fsspec's loop thread, an aiobotocore client living in it, and its session, which has the credentials.

    Sends no request of its own unless the credentials come from a token service. Raises what botocore raises.
    """
    from fsspec.asyn import get_loop
    from s3fs import S3FileSystem

    loop: asyncio.AbstractEventLoop = get_loop()
    session = _session(options)
    filesystem = S3FileSystem(
        asynchronous=True,  # the session is closed by us, not when the garbage collector comes by
        loop=loop,
        skip_instance_cache=True,
        use_listings_cache=False,
        default_cache_type="none",
        anon=options.anonymous,
        endpoint_url=options.endpoint,
        key=options.access_key,
        secret=options.secret_key,
        token=options.session_token,
        use_ssl=options.use_ssl,
        session=session,
        client_kwargs={"region_name": options.region, "verify": options.verify},
        config_kwargs={
            "connect_timeout": options.connect_timeout,
            "read_timeout": options.read_timeout,
            "max_pool_connections": connections,
            "retries": {"max_attempts": 0},
            # Never None: botocore would then look into this process's own environment.
            "proxies": {} if options.proxy is None else {"http": options.proxy, "https": options.proxy},
            "s3": {"addressing_style": options.addressing},
            # Every value is verified by its own digest; CRC32 in the client halves the speed of small puts.
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
        },
    )
    # Loading the service description is slow and blocks: not in the loop while others use it.
    return loop, asyncio.run_coroutine_threadsafe(filesystem.set_session(), loop).result(), session


def _session(options: S3Options) -> Any:
    from aiobotocore.session import AioSession

    session = AioSession(profile=options.profile)
    if options.access_key is not None:
        session.set_credentials(options.access_key, options.secret_key, options.session_token)
    # botocore's own parser takes 0.15 ms for the time of each file in a listing.
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_timestamp)
    if options.credential_path is not None:
        session.set_config_variable("credentials_file", options.credential_path)
    if options.config_path is not None:
        session.set_config_variable("config_file", options.config_path)
    return session


def _timestamp(value: str | float) -> datetime:
    """As S3 writes it in listings, or in any other form that botocore knows."""
    if isinstance(value, str) and value.endswith("Z") and "T" in value:
        try:
            return datetime.fromisoformat(value[:-1]).replace(tzinfo=timezone.utc)
        except ValueError:
            pass
    from botocore.utils import parse_timestamp

    found: datetime = parse_timestamp(value)
    return found
