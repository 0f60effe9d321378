"""Work ahead of whoever uses it, in a thread of its own."""

from collections.abc import Generator, Iterable
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any, TypeVar

T = TypeVar("T")


class _End:
    """What follows the last item: the error that ended them, if one did."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def close(items: Iterable[Any]) -> None:
    """Close a generator now, in this thread; other items need nothing."""
    if isinstance(items, Generator):
        items.close()


def ahead(items: Iterable[T], most: int) -> Generator[T, None, None]:
    """Yield items in their order, made by another thread.

    An error that ends them is raised here. Whoever stops early stops that thread too, before the
    next item; it has ended when this generator is closed.

    Args:
        items: used by that thread alone, and closed there if it is a generator.
        most: so many wait at most to be asked for.
    """
    made: SimpleQueue[T | _End] = SimpleQueue()
    # The free places: a queue is native code, a semaphore Python, which holds other threads up.
    room: SimpleQueue[None] = SimpleQueue()
    for _ in range(most - 1):
        room.put(None)
    stopped = Event()

    def make() -> None:
        end = _End()
        try:
            for item in items:
                made.put(item)
                room.get()
                if stopped.is_set():
                    break
            close(items)
        except BaseException as error:
            end = _End(error)
        made.put(end)

    thread = Thread(target=make, daemon=True)
    thread.start()
    try:
        while not isinstance(item := made.get(), _End):
            room.put(None)
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        room.put(None)
        thread.join()
