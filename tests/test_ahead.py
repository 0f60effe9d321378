"""Work ahead in another thread."""

import threading
from itertools import count

import pytest

from aacsfnet.ahead import ahead


def test_items_come_in_order_and_few_at_a_time():
    begun = []

    def made():
        for number in range(50):
            begun.append(number)
            yield number

    for number, item in enumerate(ahead(made(), 3)):
        assert item == number
        assert len(begun) <= number + 1 + 3
    assert len(begun) == 50


def test_an_error_comes_after_the_items_before_it():
    def made():
        yield 1
        raise ValueError("lost")

    items = ahead(made(), 4)
    assert next(items) == 1
    with pytest.raises(ValueError, match="lost"):
        next(items)


def test_who_stops_early_stops_the_thread_and_what_it_uses():
    before, closed = threading.active_count(), []

    def made():
        try:
            yield from count()
        finally:
            closed.append(threading.current_thread())

    items = ahead(ahead(made(), 2), 2)
    assert [next(items), next(items)] == [0, 1]
    items.close()
    assert threading.active_count() == before
    assert closed
    assert closed[0] is not threading.main_thread()
