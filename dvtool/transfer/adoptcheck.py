"""Whether adopted data lies on a remote where the other tool put it."""

from __future__ import annotations

from collections.abc import Sequence

from dvtool.formats.dvcplaces import object_key
from dvtool.model.ports import Expecting
from dvtool.model.ports import Remote
from dvtool.transfer.parallel import Workers
from dvtool.transfer.parallel import threads_for
from dvtool.transfer.types import Wanted


def absent_adopted(remote: Remote, wanted: Sequence[Wanted], *, jobs: int = 0) -> list[Wanted]:
    """Those of which the remote has no file or manifest. DVC writes a manifest when all that it lists is there.

    Raises `StorageError`.
    """

    def is_absent(one: Wanted) -> bool:
        return remote.stat(object_key(one.stated, is_manifest=one.directory)) is None

    if isinstance(remote, Expecting):
        remote.expect({object_key(one.stated): one.size for one in wanted if not one.directory})
    with Workers(threads_for([remote], jobs)) as workers:
        return [one for one, absent in zip(wanted, workers.map(is_absent, wanted)) if absent]
