"""Locks, rate limits and the like, on a key of a cache, for all processes that use it.

SPDX-License-Identifier: Apache-2.0
"""

import functools
import math
import threading
import time

from . import _core
from .core import ENOVAL, args_to_key, full_name

_LOCK, _RLOCK, _SEMAPHORE = range(3)
_NOTHING = (0.0, 0)  # added up so far

# The library keeps averages and buckets as pickled pairs. Where a Disk has hooks of its own, which the
# library cannot call, the same is done here, through them.


class Averager:
    """A running average, kept under a key."""

    def __init__(self, cache, key, expire=None, tag=None):
        self._cache = cache
        self._key = key
        self._expire = expire
        self._tag = tag

    def add(self, value):
        """Add `value` to the average."""
        cache, key = self._cache, self._key
        if not cache._custom:
            _core.average_add(cache, key, value, self._expire, self._tag)
            return
        with cache.transact(retry=True):
            total, count = cache.get(key, default=_NOTHING, retry=True)
            pair = (total + value, count + 1)
            cache.set(key, pair, expire=self._expire, tag=self._tag, retry=True)

    def get(self):
        """The average of what was added, None if nothing was."""
        if not self._cache._custom:
            return _core.average_get(self._cache, self._key, False)
        return self._of(self._cache.get(self._key, default=_NOTHING, retry=True))

    def pop(self):
        """The average of what was added, which is then forgotten."""
        if not self._cache._custom:
            return _core.average_get(self._cache, self._key, True)
        return self._of(self._cache.pop(self._key, default=_NOTHING, retry=True))

    @staticmethod
    def _of(pair):
        total, count = pair
        return total / count if count else None


class _Held:
    """What Lock, RLock and BoundedSemaphore have in common.

    A waiter sleeps until it is woken by a release. What a process holds that has died is free again,
    on the same machine at once, else when `expire` seconds (the lease) have passed. Nobody's hold is
    evicted from the cache.

    Inside a transaction of the same cache it is part of it: others see it with the commit, a rollback undoes
    it, and nobody is waited for, since no other could release."""

    _kind = _LOCK
    _value = 1
    _complaint = 'cannot release un-acquired lock'

    def __init__(self, cache, key, expire=None, tag=None):
        self._cache = cache
        self._key = key
        self._expire = expire
        self._tag = tag
        self._lock = _core.Lock(cache, key, expire, tag, self._kind, self._value)

    def __reduce__(self):
        return (type(self), (self._cache, self._key, self._expire, self._tag))

    def acquire(self, *, blocking=True, timeout=None):
        """Take it, and return whether it was taken: with `blocking` False without waiting, else after
        `timeout` seconds at most (None: however long it takes). Raises RuntimeError if that would be for
        ever, in a transaction."""
        if not blocking:
            return self._lock.acquire(0)
        return self._lock.acquire(math.inf if timeout is None else timeout)

    def release(self):
        """Give back what was acquired. Raises AssertionError if it is not held, or is no longer held
        by this object, since its lease has ended."""
        if not self._lock.release():
            raise AssertionError(self._complaint)

    def renew(self, expire=None):
        """Begin the lease anew, with `expire` seconds (None: what was given at first). Raises
        AssertionError if it is not held by this object any more."""
        if not self._lock.renew(self._expire if expire is None else expire):
            raise AssertionError('cannot renew un-acquired lock')

    def owned(self):
        """Whether it is held through this object (an RLock: by this thread)."""
        return self._lock.state()[1]

    def __enter__(self):
        self.acquire()

    def __exit__(self, *exc_info):
        self.release()


class Lock(_Held):
    """A lock with one holder. An object that never acquired it may release it for another one."""

    def release(self):
        """Free the lock. Raises AssertionError if this object's lease has ended: what is locked now is
        another's. Nothing happens if it is not locked at all."""
        if not self._lock.release() and self._lock.state()[0]:
            raise AssertionError(self._complaint)

    def locked(self):
        """Whether anybody holds it."""
        return self._lock.state()[0] > 0


class RLock(_Held):
    """A lock that its holder, a thread, may take again, and releases as often."""

    _kind = _RLOCK


class BoundedSemaphore(_Held):
    """Up to `value` may hold it. Whoever uses the key should say the same."""

    _kind = _SEMAPHORE
    _complaint = 'cannot release un-acquired semaphore'

    def __init__(self, cache, key, value=1, expire=None, tag=None):
        self._value = value
        super().__init__(cache, key, expire, tag)

    def __reduce__(self):
        return (type(self), (self._cache, self._key, self._value, self._expire, self._tag))


def _fill(cache, key, count, seconds, now, expire, tag):
    if not cache._custom:
        _core.throttle(cache, key, count, seconds, now, expire, tag, True)
    else:
        cache.set(key, (now, count), expire=expire, tag=tag, retry=True)


def _take(cache, key, count, seconds, now, expire, tag):
    """Take a token from a bucket, or return how long to wait for one."""
    if not cache._custom:
        return _core.throttle(cache, key, count, seconds, now, expire, tag, False)
    with cache.transact(retry=True):
        last, tokens = cache.get(key, default=(now, count), retry=True)
        tokens = min(count, tokens + (now - last) * count / seconds)
        if tokens < 1:
            return (1 - tokens) * seconds / count
        cache.set(key, (now, tokens - 1), expire=expire, tag=tag, retry=True)
        return 0


def throttle(
    cache,
    count,
    seconds,
    name=None,
    expire=None,
    tag=None,
    time_func=time.time,
    sleep_func=time.sleep,
):
    """A decorator: a function is called `count` times in `seconds` seconds at most, by all processes
    together. A call that comes too early waits. `name`: of the key, by default the full name of the
    function. `time_func` and `sleep_func` are the clock."""

    def decorator(func):
        key = full_name(func) if name is None else name
        _fill(cache, key, count, seconds, time_func(), expire, tag)

        @functools.wraps(func)
        def wrapper(*args, **kwargs):
            while delay := _take(cache, key, count, seconds, time_func(), expire, tag):
                sleep_func(delay)
            return func(*args, **kwargs)

        return wrapper

    return decorator


def barrier(cache, lock_factory, name=None, expire=None, tag=None):
    """A decorator: a function is called by one at a time, of all processes. `lock_factory` is Lock,
    RLock or BoundedSemaphore; `name` is that of its key, by default the full name of the function."""

    def decorator(func):
        key = full_name(func) if name is None else name
        lock = lock_factory(cache, key, expire=expire, tag=tag)

        @functools.wraps(func)
        def wrapper(*args, **kwargs):
            with lock:
                return func(*args, **kwargs)

        return wrapper

    return decorator


def memoize_stampede(cache, expire, name=None, typed=False, tag=None, beta=1, ignore=()):
    """A decorator as Cache.memoize(), for functions that take long and are called by many at once.

    When the end of a result's life of `expire` seconds comes near, one caller has it recomputed in a
    thread, while all go on with the old result. When that is, is drawn at random for each call, the
    earlier the longer the function takes, and the greater `beta` is (XFetch: Vattani, Chierichetti,
    Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015). With `expire` None a
    result is for ever."""
    import random

    def decorator(func):
        base = (full_name(func),) if name is None else (name,)

        def compute(key, args, kwargs):
            begin = time.time()
            result = func(*args, **kwargs)
            pair = (result, time.time() - begin)
            cache.set(key, pair, expire=expire, tag=tag, retry=True)
            return result

        def is_early(delta, end):
            gap = -delta * beta * math.log(1 - random.random())
            return end is not None and gap >= end - time.time()

        @functools.wraps(func)
        def wrapper(*args, **kwargs):
            key = wrapper.__cache_key__(*args, **kwargs)
            pair, end = cache.get(key, default=ENOVAL, expire_time=True, retry=True)
            if pair is ENOVAL:
                return compute(key, args, kwargs)
            result, delta = pair
            # Whoever adds this key first computes; the others need not while it does.
            if is_early(delta, end) and cache.add(
                key + (ENOVAL,), None, expire=delta, retry=True
            ):
                threading.Thread(target=compute, args=(key, args, kwargs), daemon=True).start()
            return result

        def __cache_key__(*args, **kwargs):
            return args_to_key(base, args, kwargs, typed, ignore)

        wrapper.__cache_key__ = __cache_key__
        return wrapper

    return decorator
