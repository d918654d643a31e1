"""Work in threads with bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from collections.abc import Generator
from collections.abc import Iterable
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from dvtool.model.ports import Remote
from dvtool.remote.pace import GROWTH

T = TypeVar("T")
R = TypeVar("R")


def threads_for(remotes: Iterable[Remote], jobs: int = 0) -> int:
    """How many threads can keep *remotes* busy: *jobs* if given, else as many as their pace may grow to."""
    return jobs or GROWTH * max((remote.capabilities.concurrency for remote in remotes), default=1)


class Workers:
    """A pool that does not keep an interrupted command waiting; a context manager."""

    def __init__(self, count: int) -> None:
        self.count = max(1, count)
        self._pool = ThreadPoolExecutor(self.count, thread_name_prefix="transfer")

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # After Ctrl-C requests under way end when the remote is closed; nobody waits for them here.
        self._pool.shutdown(wait=kind is None or issubclass(kind, Exception), cancel_futures=True)

    def map(
        self,
        work: Callable[[T], R],
        items: Iterable[T],
        *,
        cost: Callable[[T], int] = lambda _: 0,
        budget: int = 0,
        drop: Callable[[R], None] | None = None,
    ) -> Generator[R, None, None]:
        """The results in the order of *items*; the first error is raised.

        At most twice as many items as threads are ahead of the consumer, and no more than *budget*
        of *cost* (but always one). Results that nobody takes any more go to *drop*.
        """
        ahead: deque[tuple[Future[R], int]] = deque()
        spent = 0
        try:
            for item in items:
                price = cost(item)
                while ahead and (len(ahead) >= 2 * self.count or spent + price > budget > 0):
                    future, paid = ahead.popleft()
                    yield future.result()
                    spent -= paid
                ahead.append((self._pool.submit(work, item), price))
                spent += price
            while ahead:
                future, _ = ahead.popleft()
                yield future.result()
        finally:
            for future, _ in ahead:
                if not future.cancel() and drop is not None:
                    future.add_done_callback(_dropper(drop))

    def submit(self, work: Callable[[], R]) -> Future[R]:
        """Start *work* now."""
        return self._pool.submit(work)


def _dropper(drop: Callable[[R], None]) -> Callable[[Future[R]], None]:
    def done(future: Future[R]) -> None:
        if not future.cancelled() and future.exception() is None:
            drop(future.result())

    return done
