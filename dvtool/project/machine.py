"""What this machine has for stages that run at once."""

from __future__ import annotations

from collections.abc import Mapping

from dvtool.disk.processors import graphics_devices
from dvtool.disk.processors import memory_bytes
from dvtool.disk.processors import usable_processors
from dvtool.errors import ConfigError
from dvtool.formats.bytesizes import is_byte_size
from dvtool.formats.bytesizes import parse_byte_size
from dvtool.project.open import Project

_KEY = "core.resources"


def room_of(project: Project) -> dict[str, float]:
    """How much there is of each resource: ``cpu``, ``memory`` in bytes, ``gpu``, and what `core.resources` says."""
    room: dict[str, float] = {"cpu": float(usable_processors()), "gpu": float(len(devices_of(project)) or 1)}
    memory = memory_bytes()
    if memory is not None:
        room["memory"] = float(memory)
    return {**room, **_stated(project.config.text(_KEY) or "")}


def devices_of(project: Project) -> tuple[str, ...]:
    """The names of the graphics devices that stages may use: those of ``CUDA_VISIBLE_DEVICES``, else all."""
    environ: Mapping[str, str] = project.environment.environ
    stated = environ.get("CUDA_VISIBLE_DEVICES")
    if stated is not None:
        return tuple(name for each in stated.split(",") if (name := each.strip()) and name != "-1")
    return tuple(str(number) for number in range(graphics_devices()))


def _stated(text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for each in filter(None, (part.strip() for part in text.split(","))):
        name, equals, amount = (part.strip() for part in each.partition("="))
        if not (name and equals and is_byte_size(amount)):
            raise ConfigError(
                f"{_KEY}: {each!r} is not NAME=AMOUNT", hint=f"dvtool config {_KEY} 'gpu=2, memory=64Gi, license=3'"
            )
        found[name] = float(parse_byte_size(amount)) if name == "memory" else float(amount) if _is_plain(amount) else 0
        if not found[name]:
            raise ConfigError(f"{_KEY}: {each!r}: an amount is a number above 0")
    return found


def _is_plain(amount: str) -> bool:
    return amount.replace(".", "", 1).isdigit()
