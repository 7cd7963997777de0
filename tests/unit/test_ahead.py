"""Batches made ahead are the same batches."""

import threading
from itertools import count

import pytest

from sitsformer.maps.ahead import ahead


@pytest.mark.parametrize("number", [0, 1, 5])
def test_batches_come_in_their_order(number):
    assert list(ahead(iter(range(number)))) == list(range(number))


def test_what_goes_wrong_in_a_batch_is_raised_where_it_is_wanted():
    def batches():
        yield 1
        raise RuntimeError("a shard is gone")

    found = ahead(batches())
    assert next(found) == 1
    with pytest.raises(RuntimeError, match="a shard is gone"):
        next(found)


def test_the_next_one_is_made_while_this_one_is_worked_on():
    made = [threading.Event() for _ in range(3)]

    def batches():
        for i in range(3):
            made[i].set()
            yield i

    seen = []
    for i in ahead(batches()):
        seen.append(i)
        if i < 2:
            assert made[i + 1].wait(60)
    assert seen == [0, 1, 2]


def test_who_stops_early_leaves_no_thread_behind():
    before = threading.active_count()
    found = ahead(count())
    assert [next(found), next(found)] == [0, 1]
    found.close()
    assert threading.active_count() == before
