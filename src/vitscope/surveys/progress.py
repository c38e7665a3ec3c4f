"""How far a survey is: a bar on a terminal, else a line now and then, on standard error."""

import sys
import time
from collections.abc import Callable
from io import TextIOBase
from typing import Any, TextIO

_PAUSE = 30.0  # seconds between lines where there is no terminal; shorter surveys print none

# As tqdm's own, but for the rate, which stays one of images per second below 1.
_BAR = "survey: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_noinv_fmt}{postfix}]"


class Progress:
    """Images with images per second, time left and failures.

    Images that were there before the start count as done, but not into the rate. `seen` may tell of images
    before their shard is written, which `advance` does.
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        stream: TextIOBase | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._quiet = quiet
        self._stream = stream
        self._clock = clock
        self._bar: Any = None
        self._total = self._resumed = self._written = self._waiting = self._failed = 0
        self._began = self._told = 0.0

    def begin(self, total: int, resumed: int = 0, failed: int = 0) -> None:
        """`total` images, of which `resumed` are there already, `failed` of those without a result."""
        self._total, self._resumed, self._failed = total, resumed, failed
        self._written = self._waiting = 0
        self._began = self._told = self._clock()
        stream = self._stream or sys.stderr
        if not self._quiet and stream is not None and stream.isatty():
            self._bar = _bar(stream, total, resumed)
        self._show()

    def seen(self, images: int) -> None:
        """So many images more are measured; their shard is not written yet."""
        self._waiting += images
        self._show()

    def advance(self, images: int, failed: int = 0) -> None:
        """A shard of so many images is written, `failed` of them without a result."""
        self._waiting = max(0, self._waiting - images)
        self._written += images
        self._failed += failed
        self._show()

    def end(self) -> None:
        """No more is to come."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _show(self) -> None:
        done = self._resumed + self._written + self._waiting
        if self._bar is not None:
            if self._failed:
                self._bar.set_postfix_str(f"{self._failed:,} failed", refresh=False)
            self._bar.update(done - self._bar.n)
        elif not self._quiet and self._clock() - self._told >= _PAUSE:
            self._told = self._clock()
            print(f"vitscope: {self._line(done)}", file=self._stream or sys.stderr, flush=True)

    def _line(self, done: int) -> str:
        rate = (done - self._resumed) / (self._clock() - self._began)
        left = f", {duration((self._total - done) / rate)} left" if rate > 0 else ""
        failed = f", {self._failed:,} failed" if self._failed else ""
        return f"{done:,} of {self._total:,} images, {rate:.3g} images/s{left}{failed}"


def duration(seconds: float) -> str:
    """Hours and minutes, minutes and seconds, or seconds."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600:,} h {whole % 3600 // 60} min"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


def _bar(stream: TextIO | TextIOBase, total: int, resumed: int) -> Any:
    """A tqdm bar; None where tqdm is not installed, so that lines do."""
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        return None

    class Bar(tqdm):  # pyright: ignore[reportMissingTypeArgument]  # generic in its stubs only
        monitor_interval = 0  # no thread beside processes that fork

    return Bar(total=total, initial=resumed, unit=" images", file=stream, dynamic_ncols=True, bar_format=_BAR)
