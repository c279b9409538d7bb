"""Cache, and what goes with it. The operations on keys are methods in C, of _core.Cache."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import os.path as op
import pickle
import sqlite3
import tempfile
import threading
import time
import warnings

from . import _core
from ._core import Timeout
from .disk import (
    DBNAME,
    ENOVAL,
    MODE_BINARY,
    MODE_NONE,
    MODE_PICKLE,
    MODE_RAW,
    MODE_TEXT,
    UNKNOWN,
    Constant,
    Disk,
    JSONDisk,
)

__all__ = [
    'Cache',
    'Constant',
    'DBNAME',
    'DEFAULT_SETTINGS',
    'Disk',
    'ENOVAL',
    'EVICTION_POLICY',
    'EmptyDirWarning',
    'JSONDisk',
    'METADATA',
    'MODE_BINARY',
    'MODE_NONE',
    'MODE_PICKLE',
    'MODE_RAW',
    'MODE_TEXT',
    'Timeout',
    'UNKNOWN',
    'UnknownFileWarning',
    'args_to_key',
    'full_name',
]

DEFAULT_SETTINGS = {
    'statistics': 0,
    'tag_index': 0,
    'eviction_policy': 'least-recently-stored',
    'size_limit': 2**30,
    'cull_limit': 10,
    'sqlite_auto_vacuum': 1,
    'sqlite_cache_size': 2**13,
    'sqlite_journal_mode': 'wal',
    'sqlite_mmap_size': 2**26,
    'sqlite_synchronous': 1,
    'disk_min_file_size': 2**15,
    'disk_pickle_protocol': pickle.HIGHEST_PROTOCOL,
}

METADATA = {'count': 0, 'size': 0, 'hits': 0, 'misses': 0}

# The names are what counts: what each policy does is in C. The columns are those that it orders by.
EVICTION_POLICY = {
    'none': {'init': None, 'get': None, 'cull': None},
    'least-recently-stored': {
        'init': 'CREATE INDEX IF NOT EXISTS Cache_store_time ON Cache (store_time)',
        'get': None,
        'cull': 'SELECT {fields} FROM Cache ORDER BY store_time LIMIT ?',
    },
    'least-recently-used': {
        'init': 'CREATE INDEX IF NOT EXISTS Cache_access_time ON Cache (access_time)',
        'get': 'access_time = {now}',
        'cull': 'SELECT {fields} FROM Cache ORDER BY access_time LIMIT ?',
    },
    'least-frequently-used': {
        'init': 'CREATE INDEX IF NOT EXISTS Cache_access_count ON Cache (access_count)',
        'get': 'access_count = access_count + 1',
        'cull': 'SELECT {fields} FROM Cache ORDER BY access_count LIMIT ?',
    },
}

# What a subclass of Disk may override; if it does, its methods are called.
HOOKS = ('put', 'get', 'store', 'fetch', 'filename', 'remove', '_write')


class UnknownFileWarning(UserWarning):
    """Cache.check found a file that no item names."""


class EmptyDirWarning(UserWarning):
    """Cache.check found an empty directory."""


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
    return key


def _overrides(disk, names):
    return any(getattr(type(disk), name) is not getattr(Disk, name) for name in names)


def _check_settings(settings):
    """Before anything is stored: a policy that does not exist is a KeyError."""
    if 'eviction_policy' in settings:
        EVICTION_POLICY[settings['eviction_policy']]
    for name in settings:
        if not name.startswith('disk_') and not _core.setting_known(name):
            warnings.warn('unknown setting: %s' % name, stacklevel=4)


class _Directory(_core.Cache):
    """What Cache and FanoutCache have in common."""

    def _init(self, directory, timeout, disk, settings, shards):
        if not (isinstance(disk, type) and issubclass(disk, Disk)):
            raise ValueError('disk must subclass diskcache.Disk')
        _check_settings(settings)
        if directory is None:
            directory = tempfile.mkdtemp(prefix='diskcache-')
        self._directory = op.expandvars(op.expanduser(str(directory)))
        self._timeout = timeout
        at_once = {k: v for k, v in settings.items() if not k.startswith('disk_')}
        self._open(self._directory, timeout, at_once, 0, shards)
        self._open_disk(disk, {k: v for k, v in settings.items() if k.startswith('disk_')})

    def _open_disk(self, disk, given):
        """The Disk's own settings are stored once it has accepted them."""
        settings = self._settings()
        wanted = {k: v for k, v in settings.items() if k.startswith('disk_')}
        wanted.update(given)
        options = {k[5:]: v for k, v in wanted.items()}
        self._disks = tuple(disk(place, **options) for place in self._places())
        instance = self._disks[0]
        custom = _overrides(instance, HOOKS)
        aliases = not _overrides(instance, ['put']) or _overrides(instance, ['aliases'])
        removes = _overrides(instance, ['remove'])
        if custom and self._count:
            # Another form of a key may be in another shard than the file that is made for it.
            self._use(instance, custom, False, removes, self._disks)
        else:
            self._use(instance, custom, aliases, removes)
        for name, value in given.items():
            if settings.get(name, ENOVAL) != value:
                self._setting_set(name, value)
        settings.update(given)
        self.__dict__.update(settings)

    def _places(self):
        """The directories with a database, each of which has a Disk."""
        return [self._directory]

    @property
    def directory(self):
        """The directory, as it was given."""
        return self._directory

    @property
    def timeout(self):
        """How long a call may wait for others, in seconds."""
        return self._timeout

    @property
    def disk(self):
        """The Disk that turns keys and values into columns and files."""
        return self._disk

    @property
    def count(self):
        """How many items there are, expired ones included."""
        return len(self)

    @property
    def size(self):
        """Bytes in value files."""
        return self._stats(False).size

    @property
    def hits(self):
        """How often get() has found its key, while `statistics` is on."""
        return self._stats(False).hits

    @property
    def misses(self):
        """How often get() has not found its key, while `statistics` is on."""
        return self._stats(False).misses

    # ---- transactions ----

    @contextlib.contextmanager
    def transact(self, retry=False):
        """A block of operations that others see as a whole, or not at all if it raises.

        It belongs to the thread, and within asyncio to the task, that has opened it; others wait
        for its end. Inside another one, an inner block that raises undoes only itself.
        """
        transaction = self._begin(retry)
        try:
            yield
        except BaseException:
            transaction.end(False)
            raise
        transaction.end(True)

    # ---- single items ----

    def ttl(self, key, default=None):
        """Seconds until `key` expires, math.inf if it never does; `default` if it is not there."""
        found = self._look(key)
        if found is None:
            return default
        return math.inf if found[1] is None else found[1] - time.time()

    def path(self, key):
        """Path of the file that has the value of `key`; None if it is in the database. The file is
        the cache's: to be read only, and gone once the item is replaced or removed."""
        found = self._look(key)
        if found is None:
            raise KeyError(key)
        return found[0]

    def _incr_by_disk(self, key, delta, default, retry, expire, tag):
        """incr() where a number is stored as a Disk has it."""
        with self.transact(retry=retry):
            value, old_tag = self.get(key, default=ENOVAL, tag=True)
            if value is not ENOVAL:
                value += delta
                self.set(key, value, tag=old_tag, keep_expire=True)
                return value
            if default is None:
                raise KeyError(key)
            value = default + delta
            self.set(key, value, expire=expire, tag=tag)
            return value

    def delete_prefix(self, prefix, retry=False):
        """Remove all items whose key begins with `prefix`, str or bytes; return how many."""
        count = 0
        batch = []
        for key in self.keys(prefix=prefix):
            batch.append(key)
            if len(batch) == 1000:
                count += self.delete_many(batch, retry)
                batch.clear()
        return count + self.delete_many(batch, retry)

    # ---- the cache as a whole ----

    def check(self, fix=False, retry=False):
        """Look for disagreement between rows and files, and in the database; with `fix`, mend it.
        Returns a list of warnings as warnings.catch_warnings(record=True) does.

        What a write that is going on has made is never touched, nor is a file that is not of the
        layout of a cache."""
        return [_warning(kind, text) for kind, text in self._check(fix, retry)]

    def stats(self, enable=True, reset=False):
        """(hits, misses), with more as attributes: evicted, count, expired, size. Counting goes on
        if `enable`; with `reset`, from 0."""
        result = self._stats(reset)
        self.reset('statistics', enable)
        return result

    def create_tag_index(self):
        """Keep an index for tags from now on: evict() is fast then."""
        self.reset('tag_index', 1)

    def drop_tag_index(self):
        """Keep no index for tags any longer."""
        self.reset('tag_index', 0)

    def reset(self, key, value=ENOVAL, update=True):
        """Change a setting, for all who use the cache, and return its value; without a value, read
        it anew. If `update` is false, only this object takes note."""
        if key in METADATA:
            return getattr(self, key)
        if value is ENOVAL:
            value = self._setting_get(key)
        elif update:
            _check_settings({key: value})
            if self._setting_get(key) != value:
                self._setting_set(key, value)
        if key.startswith('disk_'):
            for disk in self._disks:
                setattr(disk, key[5:], value)
        setattr(self, key, value)
        return value

    def memoize(self, name=None, typed=False, expire=None, tag=None, ignore=()):
        """Decorator: keep the results of a function in the cache, by its arguments."""
        if callable(name):
            raise TypeError('name cannot be callable')

        def decorator(func):
            base = (full_name(func),) if name is None else (name,)

            @functools.wraps(func)
            def wrapper(*args, **kwargs):
                key = wrapper.__cache_key__(*args, **kwargs)
                result = self.get(key, default=ENOVAL, retry=True)
                if result is ENOVAL:
                    result = func(*args, **kwargs)
                    if expire is None or expire > 0:
                        self.set(key, result, expire, tag=tag, retry=True)
                return result

            def __cache_key__(*args, **kwargs):
                return args_to_key(base, args, kwargs, typed, ignore)

            wrapper.__cache_key__ = __cache_key__
            return wrapper

        return decorator

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


class Cache(_Directory):
    """A persistent cache in a directory.

    Any number of threads and processes may use one. A cache is a mapping with an expiry time and a
    tag for each item; items go, by `eviction_policy`, when it gets larger than `size_limit`.
    """

    def __init__(self, directory=None, timeout=60, disk=Disk, **settings):
        """Open the cache in `directory`, made if need be; None: in a new temporary one.

        `timeout`: how long a call may wait for others, in seconds. `disk`: Disk or a subclass of
        it. `settings`: those of DEFAULT_SETTINGS that are to change; they are kept in the cache.
        """
        self._local = threading.local()
        self._init(directory, timeout, disk, settings, 0)

    push = _core.push
    pull = _core.pull
    peek = _core.peek
    peekitem = _core.peekitem

    # ---- SQL, for programs that reach below ----

    @property
    def _con(self):
        """A connection of sqlite3 to the database, one for each thread. It is beside ours: it does
        not see what a transaction of transact() has not committed."""
        local = self._local
        if getattr(local, 'pid', None) != os.getpid():
            local.con = None  # of before a fork: left alone
            local.pid = os.getpid()
        if local.con is None:
            path = op.join(self._directory, DBNAME)
            local.con = sqlite3.connect(path, timeout=self._timeout, isolation_level=None)
        return local.con

    @property
    def _sql(self):
        return self._con.execute

    def close(self):
        """Close the directory, and this thread's connection of _con; the next use opens anew."""
        con = self._local.__dict__.pop('con', None)
        if con is not None and self._local.pid == os.getpid():
            con.close()
        super().close()

    def __getstate__(self):
        return (self.directory, self.timeout, type(self.disk))

    def __setstate__(self, state):
        self.__init__(*state)


_STRAY, _EMPTY_DIR, _UNKNOWN = 5, 6, 9
_CATEGORY = {
    _STRAY: UnknownFileWarning,
    _UNKNOWN: UnknownFileWarning,
    _EMPTY_DIR: EmptyDirWarning,
}


def _warning(kind, text):
    category = _CATEGORY.get(kind, UserWarning)
    return warnings.WarningMessage(category(text), category, __file__, 0)
