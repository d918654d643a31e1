"""What is installed here."""

from __future__ import annotations

from dataclasses import dataclass

from dvtool import __version__
from dvtool.project.environment import Environment

LIBRARIES = (
    "blake3",
    "click",
    "fsspec",
    "GitPython",
    "pathspec",
    "pyfastcdc",
    "PyYAML",
    "rich",
    "s3fs",
    "xxhash",
    "zstandard",
)


@dataclass(frozen=True, slots=True)
class VersionResult:
    """Version texts. ``git`` is None where there is no Git; ``libraries`` maps a package to None if it is absent."""

    dvtool: str
    python: str
    implementation: str
    platform: str
    git: str | None
    libraries: dict[str, str | None]


def version(environment: Environment) -> VersionResult:
    """Everything that a bug report should name."""
    import platform

    return VersionResult(
        __version__,
        platform.python_version(),
        platform.python_implementation(),
        platform.platform(),
        git_version(environment),
        {name: _installed(name) for name in LIBRARIES},
    )


def git_version(environment: Environment) -> str | None:
    """``2.43.0``, or None where ``git`` is not on the PATH."""
    from dvtool.errors import DvtoolError
    from dvtool.git.run import git_environment
    from dvtool.git.run import run_git

    try:
        output = run_git(environment.cwd, git_environment(environment.environ), ("--version",), None, (0,))
    except DvtoolError:
        return None
    return output.stdout.decode("utf-8", "replace").strip().removeprefix("git version ")


def _installed(name: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
