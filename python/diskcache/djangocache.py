"""Django's cache interface on a FanoutCache.

    CACHES = {
        'default': {
            'BACKEND': 'diskcache.DjangoCache',
            'LOCATION': '/var/cache/my-site',
            'TIMEOUT': 300,
            'SHARDS': 8,
            'DATABASE_TIMEOUT': 0.010,
            'OPTIONS': {'size_limit': 2**30},
        },
    }

SPDX-License-Identifier: Apache-2.0
"""

from functools import wraps
from inspect import iscoroutinefunction

from asgiref.sync import sync_to_async
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

from .core import ENOVAL, args_to_key, full_name
from .fanout import FanoutCache

# What Django itself takes from OPTIONS (and a disk cache, limited by its size, has no use for).
_DJANGO_OPTIONS = frozenset(['MAX_ENTRIES', 'CULL_FREQUENCY'])


async def _in_thread(method, *args, **kwargs):
    """Call a method from a coroutine, in the thread where Django does such things."""
    return await sync_to_async(method, thread_sensitive=True)(*args, **kwargs)


class DjangoCache(BaseCache):
    """A disk cache as Django wants it; the extras of FanoutCache are there too.

    Here `retry` is true by default for writes, so that they are not dropped when a shard is busy.
    """

    def __init__(self, directory, params):
        """Open the cache in `directory`. Of `params`, SHARDS and DATABASE_TIMEOUT are the arguments
        of FanoutCache; OPTIONS are its settings."""
        super().__init__(params)
        options = params.get('OPTIONS', {})
        self._cache = FanoutCache(
            directory,
            params.get('SHARDS', 8),
            params.get('DATABASE_TIMEOUT', 0.010),
            **{name: value for name, value in options.items() if name not in _DJANGO_OPTIONS},
        )

    @property
    def directory(self):
        """Where the cache lies."""
        return self._cache.directory

    def cache(self, name):
        """The Cache of that name below this one."""
        return self._cache.cache(name)

    def deque(self, name, maxlen=None):
        """The Deque of that name below this one."""
        return self._cache.deque(name, maxlen=maxlen)

    def index(self, name):
        """The Index of that name below this one."""
        return self._cache.index(name)

    def get_backend_timeout(self, timeout=DEFAULT_TIMEOUT):
        """Seconds until an item expires, None for never. Django's 0 means: not to be cached."""
        if timeout == DEFAULT_TIMEOUT:
            timeout = self.default_timeout
        return -1 if timeout == 0 else timeout

    # ---- single keys

    def add(
        self,
        key,
        value,
        timeout=DEFAULT_TIMEOUT,
        version=None,
        read=False,
        tag=None,
        retry=True,
    ):
        """Store `value` unless the key is there; return whether it was stored."""
        key = self.make_key(key, version=version)
        expire = self.get_backend_timeout(timeout)
        return self._cache.add(key, value, expire, read, tag, retry)

    def get(
        self,
        key,
        default=None,
        version=None,
        read=False,
        expire_time=False,
        tag=False,
        retry=False,
    ):
        """The value of `key`, or `default`; with `read` a file, with `expire_time` or `tag` a tuple."""
        key = self.make_key(key, version=version)
        return self._cache.get(key, default, read, expire_time, tag, retry)

    def read(self, key, version=None):
        """The value of `key` as a binary file open for reading. Raises KeyError."""
        return self._cache.read(self.make_key(key, version=version))

    def set(
        self,
        key,
        value,
        timeout=DEFAULT_TIMEOUT,
        version=None,
        read=False,
        tag=None,
        retry=True,
    ):
        """Store `value` (with `read`, what a binary file holds) under `key`; return whether it was."""
        key = self.make_key(key, version=version)
        expire = self.get_backend_timeout(timeout)
        return self._cache.set(key, value, expire, read, tag, retry)

    def touch(self, key, timeout=DEFAULT_TIMEOUT, version=None, retry=True):
        """Give `key` a new timeout; return whether it was there."""
        key = self.make_key(key, version=version)
        return self._cache.touch(key, self.get_backend_timeout(timeout), retry)

    def pop(self, key, default=None, version=None, expire_time=False, tag=False, retry=True):
        """Remove `key` and return its value, or `default`."""
        key = self.make_key(key, version=version)
        return self._cache.pop(key, default, expire_time, tag, retry)

    def delete(self, key, version=None, retry=True):
        """Remove `key`; return whether it was there."""
        return self._cache.delete(self.make_key(key, version=version), retry)

    def incr(self, key, delta=1, version=None, default=None, retry=True):
        """Add `delta` to a number in one step and return the sum. Raises ValueError for a key that is
        not there, unless there is a `default` to begin from."""
        key = self.make_key(key, version=version)
        try:
            return self._cache.incr(key, delta, default, retry)
        except KeyError:
            raise ValueError("Key '%s' not found" % key) from None

    def decr(self, key, delta=1, version=None, default=None, retry=True):
        """As incr() of the negative."""
        return self.incr(key, -delta, version, default, retry)

    def has_key(self, key, version=None):
        """Whether `key` is there and has not expired."""
        return self.make_key(key, version=version) in self._cache

    # ---- many keys, in one transaction for each shard

    def get_many(self, keys, version=None):
        """A dictionary of those of `keys` that are there."""
        names = {self.make_key(key, version=version): key for key in keys}
        found = self._cache.get_many(names)
        return {names[name]: value for name, value in found.items()}

    def set_many(self, data, timeout=DEFAULT_TIMEOUT, version=None, *, tag=None, retry=True):
        """Store all of a dictionary; return the keys that were not stored."""
        items = {self.make_key(key, version=version): value for key, value in data.items()}
        expire = self.get_backend_timeout(timeout)
        return [] if self._cache.set_many(items, expire, tag, retry) else list(data)

    def delete_many(self, keys, version=None, *, retry=True):
        """Remove `keys`."""
        self._cache.delete_many([self.make_key(key, version=version) for key in keys], retry)

    # ---- the whole

    def expire(self):
        """Remove what has expired; return how many items."""
        return self._cache.expire()

    def stats(self, enable=True, reset=False):
        """Hits and misses so far; count from now on if `enable`, from 0 if `reset`."""
        return self._cache.stats(enable=enable, reset=reset)

    def create_tag_index(self):
        """Make evict() fast, by an index of the tags."""
        self._cache.create_tag_index()

    def drop_tag_index(self):
        """Do without the index of create_tag_index()."""
        self._cache.drop_tag_index()

    def evict(self, tag):
        """Remove all items with `tag`; return how many."""
        return self._cache.evict(tag)

    def cull(self):
        """Remove items until the cache is within its size limit; return how many."""
        return self._cache.cull()

    def clear(self):
        """Remove everything, whatever its version and prefix; return how many items."""
        return self._cache.clear()

    def close(self, **kwargs):
        """Nothing: Django calls this at the end of each request, and the next one would have to open all
        shards again. No thread has anything open of its own; the shards are closed when the last
        object on them is gone."""

    # ---- for coroutines; `options` are the further arguments of the method without the a

    async def aadd(self, key, value, timeout=DEFAULT_TIMEOUT, version=None, **options):
        """As add()."""
        return await _in_thread(self.add, key, value, timeout, version, **options)

    async def aget(self, key, default=None, version=None, **options):
        """As get()."""
        return await _in_thread(self.get, key, default, version, **options)

    async def aset(self, key, value, timeout=DEFAULT_TIMEOUT, version=None, **options):
        """As set()."""
        return await _in_thread(self.set, key, value, timeout, version, **options)

    async def atouch(self, key, timeout=DEFAULT_TIMEOUT, version=None, **options):
        """As touch()."""
        return await _in_thread(self.touch, key, timeout, version, **options)

    async def adelete(self, key, version=None, **options):
        """As delete()."""
        return await _in_thread(self.delete, key, version, **options)

    async def aincr(self, key, delta=1, version=None, **options):
        """As incr()."""
        return await _in_thread(self.incr, key, delta, version, **options)

    async def adecr(self, key, delta=1, version=None, **options):
        """As decr()."""
        return await _in_thread(self.decr, key, delta, version, **options)

    async def ahas_key(self, key, version=None):
        """As has_key()."""
        return await _in_thread(self.has_key, key, version)

    async def aget_many(self, keys, version=None):
        """As get_many()."""
        return await _in_thread(self.get_many, keys, version)

    async def aset_many(self, data, timeout=DEFAULT_TIMEOUT, version=None, **options):
        """As set_many()."""
        return await _in_thread(self.set_many, data, timeout, version, **options)

    async def adelete_many(self, keys, version=None, **options):
        """As delete_many()."""
        await _in_thread(self.delete_many, keys, version, **options)

    async def aclear(self):
        """As clear()."""
        return await _in_thread(self.clear)

    async def aclose(self, **kwargs):
        """As close()."""
        await _in_thread(self.close, **kwargs)

    def memoize(
        self,
        name=None,
        timeout=DEFAULT_TIMEOUT,
        version=None,
        typed=False,
        tag=None,
        ignore=(),
    ):
        """A decorator that keeps what a function returns, by its arguments. `name`: of the function in
        the keys, its full name by default; `typed`: 3 and 3.0 are different arguments; `ignore`:
        positions and names of arguments that do not count. `__cache_key__` of the decorated function
        makes the key of a call."""
        if callable(name):
            raise TypeError('name cannot be callable')

        keep = timeout is None or timeout == DEFAULT_TIMEOUT or timeout > 0

        def decorator(func):
            base = (full_name(func),) if name is None else (name,)

            @wraps(func)
            def wrapper(*args, **kwargs):
                key = wrapper.__cache_key__(*args, **kwargs)
                result = self.get(key, ENOVAL, version, retry=True)
                if result is ENOVAL:
                    result = func(*args, **kwargs)
                    if keep:
                        self.set(key, result, timeout, version, tag=tag, retry=True)
                return result

            @wraps(func)
            async def asynchronous(*args, **kwargs):
                key = asynchronous.__cache_key__(*args, **kwargs)
                result = await self.aget(key, ENOVAL, version, retry=True)
                if result is ENOVAL:
                    result = await func(*args, **kwargs)
                    if keep:
                        await self.aset(key, result, timeout, version, tag=tag, retry=True)
                return result

            chosen = asynchronous if iscoroutinefunction(func) else wrapper
            chosen.__cache_key__ = lambda *args, **kwargs: args_to_key(
                base, args, kwargs, typed, ignore
            )
            return chosen

        return decorator
