"""Index and 5.6.3's, driven by the same random operations.

SPDX-License-Identifier: Apache-2.0
"""

import operator
import pickle
from collections import OrderedDict

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

import twins
from test_differential_cache import same_rows
from twins import flags, keys, values

pairs = st.lists(st.tuples(keys, values), max_size=4)


class IndexTwins(twins.Twins):
    def make(self, package, directory):
        return package.Index(str(directory))

    def close(self, twin):
        twin.cache.close()

    def finish(self):
        self.both(lambda twin: list(twin.items()))
        for twin in (self.ours, self.oracle):
            self.close(twin)
        same_rows(self.directory / 'ours', self.directory / 'oracle')

    @initialize(items=pairs)
    def begin(self, items):
        self.both('update', items)

    @rule(key=keys, value=values)
    def setitem(self, key, value):
        self.both(operator.setitem, key, value)
        self.both('__getitem__', key)

    @rule(key=keys)
    def getitem(self, key):
        self.both('__getitem__', key)
        self.both('__contains__', key)
        self.both('get', key, 'default')

    @rule(key=keys)
    def delitem(self, key):
        self.both(operator.delitem, key)

    @rule(key=keys, value=values)
    def setdefault(self, key, value):
        self.both('setdefault', key, value)

    @rule(key=keys, default=st.sampled_from([(), (None,), ('default',)]))
    def pop(self, key, default):
        self.both('pop', key, *default)

    @rule(last=flags, take=flags)
    def item_at_end(self, last, take):
        self.both('popitem' if take else 'peekitem', last)
        self.both(len)

    @rule(items=pairs, mapping=flags)
    def update(self, items, mapping):
        self.both('update', dict(items) if mapping else items, keyword=1)

    @rule(value=values, prefix=st.sampled_from([None, 'p']), side=st.sampled_from(['front', 'back']))
    def push(self, value, prefix, side):
        self.both('push', value, prefix, side)

    @rule(prefix=st.sampled_from([None, 'p']), side=st.sampled_from(['front', 'back']))
    def pull(self, prefix, side):
        self.both('pull', prefix, side=side)

    @rule()
    def iterate(self):
        self.both(lambda twin: (len(twin), bool(twin), list(twin), list(reversed(twin))))

    @rule()
    def views(self):
        self.both(lambda twin: (list(twin.keys()), list(twin.values()), list(twin.items())))
        self.both(lambda twin: (0 in twin.keys(), 'text' in twin.values(), (0, 1) in twin.items()))

    @rule(items=pairs, kind=st.sampled_from([dict, OrderedDict]), same=flags)
    def compare(self, items, kind, same):
        other = kind(list(self.oracle.items()) if same else items)
        self.both(lambda twin: [twin == other, twin != other])

    @rule()
    def again(self):
        for name in ('ours', 'oracle'):
            setattr(self, name, pickle.loads(pickle.dumps(getattr(self, name))))
        self.both(lambda twin: list(twin.items()))

    @rule(keys=st.lists(keys, max_size=3))
    def transaction(self, keys):
        def work(twin):
            with twin.transact():
                for key in keys:
                    twin[key] = twin.get(key, 0)

        self.both(work)

    @rule(argument=st.sampled_from([1, 'a', (1, 2)]))
    def memoize(self, argument):
        def work(twin):
            @twin.memoize(name='f')
            def doubled(x):
                return x * 2

            return doubled(argument), doubled.__cache_key__(argument)

        self.both(work)

    @rule(really=st.integers(0, 3))
    def clear(self, really):
        if really == 0:
            self.both('clear')


def test_same_operations_same_results(record_steps):
    record_steps(twins.run(IndexTwins, 0.1))
