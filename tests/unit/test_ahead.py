"""Batches made ahead are the same batches."""

import threading
from itertools import count

import pytest
import torch

from sitsformer.training.ahead import ahead

DEVICES = [torch.device("cpu"), torch.device("cuda")]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("number", [0, 1, 5])
def test_batches_come_in_their_order(device, number):
    assert list(ahead(iter(range(number)), device)) == list(range(number))


@pytest.mark.parametrize("device", DEVICES)
def test_what_goes_wrong_in_a_batch_is_raised_where_it_is_wanted(device):
    def batches():
        yield 1
        raise RuntimeError("a shard is gone")

    found = ahead(batches(), device)
    assert next(found) == 1
    with pytest.raises(RuntimeError, match="a shard is gone"):
        next(found)


def test_the_next_one_is_made_while_this_one_is_worked_on():
    made = [threading.Event() for _ in range(3)]

    def batches():
        for i in range(3):
            made[i].set()
            yield i

    for i in ahead(batches(), torch.device("cuda")):
        if i < 2:
            assert made[i + 1].wait(60)


def test_who_stops_early_leaves_no_thread_behind():
    before = threading.active_count()
    found = ahead(count(), torch.device("cuda"))
    assert [next(found), next(found)] == [0, 1]
    found.close()
    assert threading.active_count() == before
