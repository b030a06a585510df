"""One training at a time on a data set that holds the training's init score."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Condition, get_ident
from typing import Any

# The thread that trains on each data set, by id: a training keeps its data sets alive.
_TAKEN: dict[int, int] = {}
_CHANGED = Condition()


@contextmanager
def held(data_sets: Iterable[Any]) -> Iterator[None]:
    """Wait until no other thread trains on any of the data sets, and keep others waiting."""
    me = get_ident()
    ids = {id(data) for data in data_sets}
    with _CHANGED:
        # All or none, so that no two trainings wait for each other.
        _CHANGED.wait_for(lambda: all(_TAKEN.get(i, me) == me for i in ids))
        mine = ids - _TAKEN.keys()  # a callback may train on a data set of its training
        _TAKEN.update(dict.fromkeys(mine, me))
    try:
        yield
    finally:
        with _CHANGED:
            for i in mine:
                del _TAKEN[i]
            _CHANGED.notify_all()
