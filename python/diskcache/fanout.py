"""FanoutCache: a cache in several directories, so that writers seldom wait for each other.

SPDX-License-Identifier: Apache-2.0
"""

import contextlib
import os.path as op

from .core import DEFAULT_SETTINGS as DEFAULT_SETTINGS  # where 5.6.3 has it, too
from .core import ENOVAL, Cache, Disk, Timeout, _Directory
from .persistent import Deque, Index


class FanoutCache(_Directory):
    """A cache whose items are spread over `shards` directories, each with its own lock.

    It is meant for many writers that would rather lose an item than wait: a write that has waited for
    `timeout` seconds is dropped, set() then returns False, incr() None and get() its default. How many
    were dropped is in stats().timeouts. With `retry` true a call waits until it is done, and so do
    `cache[key] = value` and the like, always.
    """

    # `timeout` is how long a write may wait before it is dropped. To open cannot be dropped, and the
    # workers of a server open a new directory all at once.
    _patience = 60

    def __init__(
        self,
        directory=None,
        shards=8,
        timeout=0.010,
        disk=Disk,
        *,
        strict=False,
        on_decode_error='raise',
        trust_directory=False,
        on_corruption='raise',
        **settings,
    ):
        """Open the cache in `directory`, made if need be; None: in a new temporary one.

        `shards` is for a new directory; one that is there keeps its number. `strict`: raise Timeout
        instead of dropping a write. Everything else: see Cache; `size_limit` is that of all shards
        together. The attribute `size_limit`, as in 5.6.3, is that of one shard.
        """
        self._cached = None
        self._caches = {}
        self._deques = {}
        self._indexes = {}
        self._lenient = not strict
        own = on_decode_error, trust_directory, on_corruption
        self._init(directory, timeout, disk, settings, shards, *own)
        self.size_limit /= self._count

    def _places(self):
        return [op.join(self._directory, '%03d' % number) for number in range(self._count)]

    @property
    def _shards(self):
        """The shards as caches of their own; not to be used inside transact()."""
        if self._cached is None:
            kind, own = type(self.disk), self._own
            self._cached = tuple(
                Cache(place, self.timeout, kind, **own) for place in self._places()
            )
        return self._cached

    @property
    def _hash(self):
        return self.disk.hash

    @contextlib.contextmanager
    def transact(self, retry=True):
        """As Cache.transact(), over all shards; it waits until it has them all. When it ends, the
        shards commit one after the other."""
        assert retry, 'retry must be True in FanoutCache'
        with super().transact(retry=True):
            yield

    def _incr_by_disk(self, key, delta, default, retry, expire, tag):
        try:
            return super()._incr_by_disk(key, delta, default, retry, expire, tag)
        except Timeout:
            if self._lenient:
                return None
            raise

    def read(self, key):
        """The value of `key` as a file object, open for reading bytes. Raises KeyError."""
        return super().read(key, True)

    def expire(self, retry=False):
        """Remove what has expired; return how much. It waits for each shard, as do evict(), cull() and
        clear(), whatever `retry` is."""
        return super().expire(None, True)

    def evict(self, tag, retry=False):
        """Remove what has the tag; return how much."""
        return super().evict(tag, True)

    def cull(self, retry=False):
        """Remove what has expired, then by policy until each shard is within its share of size_limit;
        return how much."""
        return super().cull(True)

    def clear(self, retry=False):
        """Remove all items; return how many. Named caches stay."""
        return super().clear(True)

    def reset(self, key, value=ENOVAL):
        """As Cache.reset(), for each shard; `size_limit` is that of one shard."""
        shared = self._count if key == 'size_limit' else 1
        while True:
            with contextlib.suppress(Timeout):
                value = super().reset(key, value if value is ENOVAL else value * shared)
                break
        if shared != 1:
            self.size_limit = value = value / shared
        return value

    def close(self):
        """Close all that is open; the next use opens anew."""
        for shard in self._cached or ():
            shard.close()
        self._cached = None
        self._caches.clear()
        self._deques.clear()
        self._indexes.clear()
        super().close()

    def __getstate__(self):
        kind, strict = type(self.disk), not self._lenient
        return (self.directory, self._count, self.timeout, kind, strict, *self._state())

    def __setstate__(self, state):
        directory, shards, timeout, disk, *more = state
        strict, own = more + [False, {}][len(more) :]
        self.__init__(directory, shards, timeout, disk, strict=strict, **own)

    # ---- caches with a name, in the same directory

    def _named(self, kind, name):
        parts = name.split('/')
        if any(part in ('', '.', '..') for part in parts):
            raise ValueError('not a name for a cache: %r' % name)
        return op.join(self._directory, kind, *parts)

    def cache(self, name, timeout=60, disk=None, **settings):
        """The Cache `name` (one or more names with slashes between them) below this one, with its own
        `timeout`, `disk` (None: that of this cache) and `settings`."""
        if name not in self._caches:
            directory = self._named('cache', name)
            if disk is None:
                disk, settings = type(self.disk), {**self._own, **settings}
            self._caches[name] = Cache(directory, timeout, disk, **settings)
        return self._caches[name]

    def _unlimited(self, directory):
        return Cache(directory, disk=type(self.disk), eviction_policy='none', **self._own)

    def deque(self, name, maxlen=None):
        """The Deque `name` below this cache."""
        if name not in self._deques:
            directory = self._named('deque', name)
            cache = self._unlimited(directory)
            self._deques[name] = Deque.fromcache(cache, maxlen=maxlen)
        return self._deques[name]

    def index(self, name):
        """The Index `name` below this cache."""
        if name not in self._indexes:
            directory = self._named('index', name)
            cache = self._unlimited(directory)
            self._indexes[name] = Index.fromcache(cache)
        return self._indexes[name]
