"""Deque and Index: a sequence and a mapping that lie in a directory.

SPDX-License-Identifier: Apache-2.0
"""

import operator
from collections import OrderedDict
from collections.abc import ItemsView, KeysView, MutableMapping, Sequence, ValuesView
from contextlib import contextmanager

from . import _core
from .core import ENOVAL, Cache


class Deque(_core.Deque, Sequence):
    """A sequence that is quick at both ends, in a directory. Any number of processes may use it at
    once; each item goes to exactly one pop. There is no limit on its size but `maxlen`."""

    def __init__(self, iterable=(), directory=None, maxlen=None):
        """Open the deque in `directory` (a new temporary one by default) and append `iterable`. With
        `maxlen` None, the greatest length is what the directory has on record."""
        self._cache = Cache(directory, eviction_policy='none')
        self._begin(iterable, maxlen)

    def _begin(self, iterable, maxlen):
        if maxlen is not None:
            self.maxlen = maxlen
        self.extend(iterable)

    @classmethod
    def fromcache(cls, cache, iterable=(), maxlen=None):
        """A deque of the items in `cache`, whose eviction policy should be 'none'."""
        self = cls.__new__(cls)
        self._cache = cache
        self._begin(iterable, maxlen)
        return self

    @property
    def cache(self):
        """The Cache that the items are in."""
        return self._cache

    @property
    def directory(self):
        """Where the deque lies."""
        return self._cache.directory

    def __repr__(self):
        return '%s(directory=%r)' % (type(self).__name__, self.directory)

    def __iadd__(self, iterable):
        self.extend(iterable)
        return self

    def _compare(self, that, compare):
        if not isinstance(that, Sequence):
            return NotImplemented
        lengths = len(self), len(that)
        if lengths[0] != lengths[1] and compare in (operator.eq, operator.ne):
            return compare is operator.ne
        for one, other in zip(self, that):
            if one != other:
                return compare(one, other)
        return compare(*lengths)

    def __eq__(self, that):
        return self._compare(that, operator.eq)

    def __ne__(self, that):
        return self._compare(that, operator.ne)

    def __lt__(self, that):
        return self._compare(that, operator.lt)

    def __gt__(self, that):
        return self._compare(that, operator.gt)

    def __le__(self, that):
        return self._compare(that, operator.le)

    def __ge__(self, that):
        return self._compare(that, operator.ge)

    __hash__ = None

    def __getstate__(self):
        return (self.directory, self.maxlen)

    def __setstate__(self, state):
        directory, maxlen = state
        self.__init__(directory=directory, maxlen=maxlen)

    def clear(self):
        """Remove all items."""
        self._cache.clear(retry=True)

    def copy(self):
        """Another object for the same directory."""
        return type(self)(directory=self.directory, maxlen=self.maxlen)

    def count(self, value):
        """How many items are equal to `value`."""
        return sum(1 for item in self if value == item)

    @contextmanager
    def transact(self):
        """What is done on the deque in a `with` block is done as one, or not at all; no other process
        writes meanwhile."""
        with self._cache.transact(retry=True):
            yield


class _Keys(KeysView):
    def __reversed__(self):
        return reversed(self._mapping)


class _Values(ValuesView):
    def __iter__(self):
        return self._mapping.cache.values(expired=False)

    def __reversed__(self):
        return self._mapping.cache.values(expired=False, reverse=True)


class _Items(ItemsView):
    def __iter__(self):
        return self._mapping.cache.items(expired=False)

    def __reversed__(self):
        return self._mapping.cache.items(expired=False, reverse=True)


class Index(_core.Index, MutableMapping):
    """A mapping in the order of insertion, in a directory. Any number of processes may use it at
    once. Nothing is ever evicted."""

    def __init__(self, *args, **kwargs):
        """Open the index in the directory that is named first, if a string or None is (else in a new
        temporary one), and update it with the rest, as dict() does."""
        directory = None
        if args and isinstance(args[0], (bytes, str)):
            directory, args = args[0], args[1:]
        elif args and args[0] is None:
            args = args[1:]
        self._cache = Cache(directory, eviction_policy='none')
        self._update(*args, **kwargs)

    _update = MutableMapping.update

    @classmethod
    def fromcache(cls, cache, *args, **kwargs):
        """An index of the items in `cache`, whose eviction policy should be 'none'."""
        self = cls.__new__(cls)
        self._cache = cache
        self._update(*args, **kwargs)
        return self

    @property
    def cache(self):
        """The Cache that the items are in."""
        return self._cache

    @property
    def directory(self):
        """Where the index lies."""
        return self._cache.directory

    def __repr__(self):
        return '%s(%r)' % (type(self).__name__, self.directory)

    def __reversed__(self):
        return reversed(self._cache)

    def keys(self, **filters):
        """A view of the keys; with the filters of Cache.keys(), an iterator."""
        return self._cache.keys(**filters) if filters else _Keys(self)

    def values(self, **filters):
        """A view of the values; with the filters of Cache.values(), an iterator."""
        return self._cache.values(**filters) if filters else _Values(self)

    def items(self, **filters):
        """A view of the items; with the filters of Cache.items(), an iterator."""
        return self._cache.items(**filters) if filters else _Items(self)

    def pop(self, key, default=ENOVAL):
        """Remove `key` and return its value; without it `default`, or KeyError."""
        value = self._cache.pop(key, default=default, retry=True)
        if value is ENOVAL:
            raise KeyError(key)
        return value

    def clear(self):
        """Remove all items."""
        self._cache.clear(retry=True)

    def get_many(self, keys):
        """A dictionary of those of `keys` that are there."""
        return self._cache.get_many(keys)

    def set_many(self, items):
        """Store all of a mapping in one transaction."""
        self._cache.set_many(items, retry=True)

    def delete_many(self, keys):
        """Remove `keys` in one transaction; return how many were there."""
        return self._cache.delete_many(keys, retry=True)

    __hash__ = None

    def __getstate__(self):
        return self.directory

    def __setstate__(self, state):
        self.__init__(state)

    def __eq__(self, other):
        """Whether the items are equal, and come in the same order if the other one has an order."""
        if len(self) != len(other):
            return False
        if isinstance(other, (Index, OrderedDict)):
            return all(one == two for one, two in zip(self.items(), other.items()))
        return all(value == other.get(key, ENOVAL) for key, value in self.items())

    def __ne__(self, other):
        return not self == other

    def memoize(self, name=None, typed=False, ignore=(), **options):
        """As Cache.memoize(), without expiry."""
        return self._cache.memoize(name, typed, ignore=ignore, **options)

    @contextmanager
    def transact(self):
        """What is done on the index in a `with` block is done as one, or not at all; no other process
        writes meanwhile."""
        with self._cache.transact(retry=True):
            yield
