"""The client of a container, by Azure's SDK."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from typing import NamedTuple

from dvtool.model.ports import WHOLE_BYTES
from dvtool.remote.drivers.azure.options import AzureOptions
from dvtool.remote.extras import require


class Session(NamedTuple):
    """A ``ContainerClient`` of Azure's SDK that lives in ``loop``. ``options``: what every request gets."""

    loop: asyncio.AbstractEventLoop
    container: Any
    options: dict[str, Any]
    holders: tuple[Any, ...]

    async def close(self) -> None:
        for each in self.holders:
            with contextlib.suppress(Exception):
                await each.close()


def connect(options: AzureOptions, connections: int) -> Session:
    """Sends no request. Raises what Azure's SDK raises."""
    name = options.place.name
    blob = require("azure.storage.blob.aio", "azure", name)
    transports = require("azure.core.pipeline.transport", "azure", name)
    aiohttp = require("aiohttp", "azure", name)
    from fsspec.asyn import get_loop

    loop: asyncio.AbstractEventLoop = get_loop()

    async def start() -> Session:
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections), auto_decompress=False, trust_env=False
        )
        tuned = {
            "transport": transports.AioHttpTransport(session=session, session_owner=True),
            "retry_total": 0,
            "max_single_get_size": WHOLE_BYTES,
        }
        credential = _credential(options)
        if options.connection_string:
            service = blob.BlobServiceClient.from_connection_string(options.connection_string, **tuned)
        else:
            service = blob.BlobServiceClient(options.account_url, credential=credential, **tuned)
        holders = (service, session, credential) if hasattr(credential, "get_token") else (service, session)
        return Session(loop, service.get_container_client(options.container), _each(options), holders)

    return asyncio.run_coroutine_threadsafe(start(), loop).result()


def _each(options: AzureOptions) -> dict[str, Any]:
    each: dict[str, Any] = {
        "connection_timeout": options.connect_timeout,
        "read_timeout": options.read_timeout,
        "connection_verify": options.verify,
    }
    if options.proxy is not None:
        each["proxies"] = {"http": options.proxy, "https": options.proxy}
    return each


def _credential(options: AzureOptions) -> Any:
    from azure.core.credentials import AzureNamedKeyCredential
    from azure.core.credentials import AzureSasCredential

    if options.account_key:
        return AzureNamedKeyCredential(options.account, options.account_key)
    if options.sas_token:
        return AzureSasCredential(options.sas_token.lstrip("?"))
    if options.anonymous:
        return None
    from azure.identity.aio import ClientSecretCredential
    from azure.identity.aio import DefaultAzureCredential

    if options.client_secret and options.tenant_id and options.client_id:
        return ClientSecretCredential(options.tenant_id, options.client_id, options.client_secret)
    return DefaultAzureCredential(
        exclude_interactive_browser_credential=True, managed_identity_client_id=options.client_id
    )
