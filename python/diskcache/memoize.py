"""Results of functions, kept in a cache by the arguments of the call."""

from __future__ import annotations

import collections
import contextlib
import datetime
import functools
import math
import pickle
import threading

from . import _core
from .disk import ENOVAL

CacheInfo = collections.namedtuple('CacheInfo', 'hits misses')


def full_name(func):
    """Module and qualified name of a function."""
    return func.__module__ + '.' + func.__qualname__


def args_to_key(base, args, kwargs, typed, ignore):
    """The key under which memoize keeps the result of a call: a tuple of `base`, the positional
    arguments, None, and names and values of the others in the order of the names; with `typed`,
    also the types of all. `ignore` has positions and names to leave out."""
    args = tuple(arg for index, arg in enumerate(args) if index not in ignore)
    items = sorted((name, value) for name, value in kwargs.items() if name not in ignore)
    key = base + args + (None,) + tuple(part for item in items for part in item)
    if typed:
        key += tuple(type(arg) for arg in args)
        key += tuple(type(value) for _, value in items)
    elif not items and _reads_as_keywords(args):
        key += ((),)
    return key


def _reads_as_keywords(args):
    """Whether the key of these positional arguments would be that of a call with keywords, too:
    f(1, None, 'a') is f(1, a=None) to 5.6.3. Few are, so that most keys stay what they were."""
    for index, arg in enumerate(args):
        names = args[index + 1 :: 2]
        if arg is None and (len(args) - index) % 2 == 0:
            if all(type(name) is str and name.isidentifier() for name in names):
                if list(names) == sorted(set(names)):
                    return True
    return False


class _Turn:
    def __init__(self, lock):
        self.lock = lock
        self.users = 0
        self.taken = False  # by this thread or task, if that has the lock: its function calls itself


class _Turns:
    """Threads, or tasks of one event loop, that want one key go one after the other."""

    def __init__(self, make_lock):
        self._make_lock = make_lock
        self._guard = threading.Lock()
        self._turns = {}

    @contextlib.contextmanager
    def turn(self, key):
        with self._guard:
            turn = self._turns.setdefault(key, _Turn(self._make_lock()))
            turn.users += 1
        try:
            yield turn
        finally:
            with self._guard:
                turn.users -= 1
                if turn.users == 0:
                    del self._turns[key]


# Of processes, one computes what several want; who has died is known by its claim, on another machine once
# this has ended.
_LEASE = 60.0
_MOMENT = 0.01


def _flight(cache, key):
    """The claim of who computes, as the C library has it. None: in a transaction, which others wait for
    anyway."""
    if cache._txn_id is not None:
        return None
    name = _core.key_pickle(key, 5)
    if cache._custom:
        name = name.hex()  # not every Disk takes bytes
    return _core.Lock(cache, ('diskcache.flight', name), _LEASE, None, 0, 1)


# inspect is imported when asked for: it takes as long as a third of this package.


def _is_coroutine_function(func):
    import inspect

    return inspect.iscoroutinefunction(func)


def _signature(func):
    import inspect

    return inspect.signature(func)


class _Memo:
    """One memoized function: its keys, its counts, what is in the cache of it."""

    def __init__(self, cache, func, base, typed, expire, tag, ignore, key, bind):
        self.cache = cache
        self.base = base
        self.typed = typed
        self.expire = expire
        self.tag = tag
        self.key = key
        self.signature = _signature(func) if bind else None
        self.ignore = self._with_positions(func, ignore)
        self.hits = self.misses = 0

    @staticmethod
    def _with_positions(func, ignore):
        """A name in `ignore` is that argument, be it given by name or by position."""
        ignore = set(ignore)
        if any(isinstance(name, str) for name in ignore):
            with contextlib.suppress(TypeError, ValueError):  # functions that tell nothing
                names = list(_signature(func).parameters)
                ignore.update(i for i, name in enumerate(names) if name in ignore)
        return ignore

    def key_of(self, *args, **kwargs):
        if self.key is not None:
            return self.base + (self.key(*args, **kwargs),)
        if self.signature is not None:
            bound = self.signature.bind(*args, **kwargs)
            bound.apply_defaults()
            args, kwargs = bound.args, bound.kwargs
        return args_to_key(self.base, args, kwargs, self.typed, self.ignore)

    def load(self, key):
        return self.cache.get(key, default=ENOVAL, retry=True)

    def store(self, key, result):
        expire = self.expire
        if isinstance(expire, datetime.timedelta):
            expire = expire.total_seconds()
        if expire is None or expire > 0:
            self.cache.set(key, result, expire, tag=self.tag, retry=True)

    def count(self, result):
        """Whether it was found; not exact if threads count at one moment."""
        if result is ENOVAL:
            self.misses += 1
            return False
        self.hits += 1
        return True

    def info(self):
        """Hits and misses of this process."""
        return CacheInfo(self.hits, self.misses)

    def clear(self):
        """Remove all results from the cache, and begin counting anew."""
        length = len(self.base)
        keys = [k for k in self.cache if type(k) is tuple and k[:length] == self.base]
        for key in keys:
            self.cache.delete(key, retry=True)
        self.hits = self.misses = 0


def _plain_wrapper(memo, func, turns):
    def call(key, args, kwargs):
        result = memo.load(key)
        if not memo.count(result):
            result = func(*args, **kwargs)
            memo.store(key, result)
        return result

    @functools.wraps(func)
    def wrapper(*args, **kwargs):
        key = wrapper.__cache_key__(*args, **kwargs)
        if turns is None:
            return call(key, args, kwargs)
        result = memo.load(key)
        if result is not ENOVAL:
            memo.hits += 1
            return result
        with turns.turn(pickle.dumps(key)) as turn, turn.lock:
            flight = None if turn.taken else _flight(memo.cache, key)
            if flight is None:
                return call(key, args, kwargs)
            flight.acquire(math.inf)
            turn.taken = True
            try:
                return call(key, args, kwargs)
            finally:
                turn.taken = False
                flight.release()

    return wrapper


def _async_wrapper(memo, func, single_flight):
    import asyncio  # not above: it is half of the time that it takes to import this package

    turns = _Turns(asyncio.Lock) if single_flight else None

    async def call(key, args, kwargs):
        result = memo.load(key)
        if not memo.count(result):
            result = await func(*args, **kwargs)
            memo.store(key, result)
        return result

    @functools.wraps(func)
    async def wrapper(*args, **kwargs):
        key = wrapper.__cache_key__(*args, **kwargs)
        if turns is None:
            return await call(key, args, kwargs)
        result = memo.load(key)
        if result is not ENOVAL:
            memo.hits += 1
            return result
        with turns.turn((id(asyncio.get_running_loop()), pickle.dumps(key))) as turn:
            async with turn.lock:
                flight = _flight(memo.cache, key)
                while flight is not None and not flight.acquire(0):
                    await asyncio.sleep(_MOMENT)
                try:
                    return await call(key, args, kwargs)
                finally:
                    if flight is not None:
                        flight.release()

    return wrapper


def memoize(
    cache,
    name=None,
    typed=False,
    expire=None,
    tag=None,
    ignore=(),
    *,
    key=None,
    bind=False,
    single_flight=False,
):
    """The decorator behind the method of that name of Cache, FanoutCache and Index.

    The key of a result is made of the function's full name, or `name`, and the arguments, with
    `typed` also of their types; arguments whose names or positions are in `ignore` do not count.
    With `key`, a function of the same arguments makes it; with `bind`, arguments that mean the
    same, given by position, by name or by default, are the same. With `single_flight`, only one of
    the threads, tasks and processes that want one result at a time computes it, and the others wait.

    The function gets `__cache_key__`, which tells the key of a call, `cache_info` and
    `cache_clear`. It may be one of `async def`.
    """
    if callable(name):
        raise TypeError('name cannot be callable')

    def decorator(func):
        base = (full_name(func),) if name is None else (name,)
        memo = _Memo(cache, func, base, typed, expire, tag, ignore, key, bind)
        if _is_coroutine_function(func):
            wrapper = _async_wrapper(memo, func, single_flight)
        else:
            turns = _Turns(threading.RLock) if single_flight else None
            wrapper = _plain_wrapper(memo, func, turns)
        wrapper.__cache_key__ = memo.key_of
        wrapper.cache_info = memo.info
        wrapper.cache_clear = memo.clear
        return wrapper

    return decorator
