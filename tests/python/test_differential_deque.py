"""Deque and 5.6.3's, driven by the same random operations, and collections.deque beside them.

SPDX-License-Identifier: Apache-2.0
"""

import operator
import pickle
from collections import deque

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

import twins
from differences import differs
from test_differential_cache import same_rows
from twins import flags

values = st.one_of(st.integers(0, 5), twins.values)
positions = st.integers(-6, 6)
several = st.lists(values, max_size=5)


class DequeTwins(twins.Twins):
    maxlen = None
    moved = False

    def make(self, package, directory):
        return package.Deque(directory=directory, maxlen=self.maxlen)

    def close(self, twin):
        twin.cache.close()

    def finish(self):
        self.both(list)
        for twin in (self.ours, self.oracle):
            self.close(twin)
        directories = (self.directory / 'ours', self.directory / 'oracle')
        if not self.moved:
            same_rows(*directories)

    @initialize(items=several)
    def begin(self, items):
        self.both('extend', items)

    @rule(value=values, left=flags)
    def append(self, value, left):
        self.both('appendleft' if left else 'append', value)
        self.both(len)

    @rule(items=several, how=st.sampled_from(['extend', 'extendleft', '__iadd__']))
    def extend(self, items, how):
        def work(twin):
            getattr(twin, how)(items)

        self.both(work)
        self.both(list)

    @rule(how=st.sampled_from(['pop', 'popleft', 'peek', 'peekleft']))
    def end(self, how):
        self.both(how)

    @rule(position=positions)
    def getitem(self, position):
        self.both('__getitem__', position)

    @rule(position=positions, value=values)
    def setitem(self, position, value):
        self.both(operator.setitem, position, value)
        self.both(list)

    @rule(position=positions)
    def delitem(self, position):
        self.both(operator.delitem, position)
        self.both(list)

    @rule(steps=st.sampled_from([0, 1, -1, 2, 7, -9, 'x', 1.0]))
    def rotate(self, steps):
        self.moved = differs('deque-keys')
        self.both('rotate', steps)
        self.both(list)

    @rule(value=values)
    def remove(self, value):
        self.both('remove', value)
        self.both(list)

    @rule(value=values)
    def count(self, value):
        self.both('count', value)
        self.both('__contains__', value)

    @rule(value=values, start=st.integers(0, 3))
    def index(self, value, start):
        self.both('index', value, start)

    @rule()
    def reverse(self):
        self.moved = differs('deque-keys')
        self.both('reverse')
        self.both(list)

    @rule(items=several, kind=st.sampled_from([list, tuple, deque]))
    def compare(self, items, kind):
        other = kind(items)
        self.both(lambda twin: [twin == other, twin != other])
        for operation in ('__lt__', '__le__', '__gt__', '__ge__'):
            self.both(operation, other)

    @rule()
    def iterate(self):
        self.both(lambda twin: (len(twin), bool(twin), list(twin), list(reversed(twin))))

    @rule(maxlen=st.sampled_from([None, 0, 1, 3, 100]))
    def set_maxlen(self, maxlen):
        self.both('__setattr__', 'maxlen', float('inf') if maxlen is None else maxlen)
        self.both(lambda twin: (twin.maxlen, list(twin)))

    @rule(how=st.sampled_from(['pickle', 'copy']))
    def again(self, how):
        for name in ('ours', 'oracle'):
            twin = getattr(self, name)
            twin = twin.copy() if how == 'copy' else pickle.loads(pickle.dumps(twin))
            setattr(self, name, twin)
        self.both(lambda twin: (twin.maxlen, list(twin)))

    @rule(items=several, undo=flags)
    def transaction(self, items, undo):
        def work(twin):
            with twin.transact():
                for item in items:
                    twin.append(item)
                if undo:
                    raise ValueError

        if not undo:  # 5.6.3 leaves files behind
            self.both(work)
        self.both(list)

    @rule(really=st.integers(0, 3))
    def clear(self, really):
        if really == 0:
            self.both('clear')


class ShortDeque(DequeTwins):
    maxlen = 3


def test_same_operations_same_results(record_steps):
    record_steps(twins.run(DequeTwins, 0.1))


def test_same_operations_same_results_with_maxlen(record_steps):
    record_steps(twins.run(ShortDeque, 0.05))
