"""Every check there is, in the order in which they make sense."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from dvtool.remote.conformance import broken
from dvtool.remote.conformance import listing
from dvtool.remote.conformance import values
from dvtool.remote.conformance import writing
from dvtool.remote.conformance.bench import Bench


class Check(NamedTuple):
    """``run`` raises `CheckFailed`, or lets an error of the remote through.

    ``needs``: capabilities without which it makes no sense; ``wants``: what the bench must have
    besides (``address``, ``open_absent``).
    """

    name: str
    title: str
    run: Callable[[Bench], None]
    needs: tuple[str, ...] = ()
    wants: str = ""

    def lacks(self, bench: Bench) -> str:
        """The first thing that is missing for it: a capability, or a part of the bench."""
        can = bench.remote.capabilities
        missing = next((need for need in self.needs if not getattr(can, need)), "")
        return missing or (self.wants if self.wants and getattr(bench, self.wants) is None else "")


_WRITE = ("write",)
_LIST = ("listing",)

CHECKS: tuple[Check, ...] = (
    Check("buffers", "a value comes back as it was", values.buffers),
    Check("files", "a file comes back as it was, large ones too", values.files),
    Check("replaced-files", "a download replaces what the local file held", values.replaced_files),
    Check("ranges", "parts of a value are read", values.ranges, ("ranges",)),
    Check("beyond", "what a value does not have is an error", values.beyond),
    Check("absent-keys", "an absent key is told from any other failure", values.absent_keys),
    Check("other-lengths", "a value of another length is an error", values.other_lengths),
    Check("odd-names", "odd and long names", values.odd_names),
    Check("refused-names", "names that lead elsewhere are refused", values.refused_names),
    Check("overwrite", "a value is replaced whole", writing.overwrite, _WRITE),
    Check("create-only", "a put that must not replace a value does not", writing.create_only, _WRITE),
    Check("one-first", "of several such puts at once exactly one writes", writing.one_first, ("write", "create_only")),
    Check("delete", "deleting, also what is absent", writing.delete, ("write", "delete")),
    Check("at-once", "eight threads at once", writing.at_once),
    Check("one-key", "eight threads write the same key", writing.one_key, _WRITE),
    Check("absent-prefix", "nothing below a prefix is an empty listing", listing.absent_prefix, _LIST),
    Check("another-client", "another client sees a put and a delete at once", listing.another_client, _LIST),
    Check(
        "another-process",
        "another process's put and delete show at once",
        listing.another_process,
        ("listing", "write", "delete"),
        "address",
    ),
    Check("long-listing", "a long listing is complete and stays below its prefix", listing.long_listing, _LIST),
    Check("times", "it says when a value was written", listing.times, ("server_time",)),
    Check("broken-upload", "an upload that is broken off leaves all or nothing", broken.broken_upload, _WRITE),
    Check("killed-upload", "an upload that is killed leaves all or nothing", broken.killed_upload, _WRITE, "address"),
    Check("resume", "a download cut at 0, 33 and 100 % goes on", broken.resume),
    Check("closing", "closing one client does not disturb another", broken.closing),
    Check("prepare", "preparing is optional and can be repeated", broken.prepare),
    Check(
        "absent-place", "a place that does not exist is an error, never empty", broken.absent_place, (), "open_absent"
    ),
)
