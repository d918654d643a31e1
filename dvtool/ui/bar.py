"""One progress bar, drawn by rich, which is imported when the first bar is due."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import TextIO

if TYPE_CHECKING:
    from rich.progress import Progress


class Bar:
    """Draws itself on every `show` and leaves nothing behind."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn
        from rich.progress import Progress
        from rich.progress import TextColumn

        console = Console(file=stream, highlight=False, markup=False, force_terminal=True)
        self._progress: Progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[amount]}", markup=False),
            TextColumn("{task.fields[pace]}", markup=False),
            console=console,
            transient=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task("", total=None, amount="", pace="")
        self._progress.start()

    def show(self, name: str, done: int, total: int | None, amount: str, pace: str) -> None:
        """The state of the work now."""
        self._progress.update(
            self._task,
            description=name,
            completed=min(done, total or done),
            total=total or None,
            amount=amount,
            pace=pace,
        )
        self._progress.refresh()

    def print(self, text: str) -> None:
        """A line above the bar."""
        self._progress.console.print(text, soft_wrap=True)

    def close(self) -> None:
        """Take the bar from the screen."""
        self._progress.stop()
