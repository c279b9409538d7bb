"""Cache, and what goes with it. The operations on keys are methods in C, of _core.Cache."""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import os.path as op
import pickle
import re
import sqlite3
import threading
import time
import warnings
import weakref

from . import _core, choice
from ._core import Timeout, UnsafeDirectoryError
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
from .memoize import args_to_key, full_name
from .memoize import memoize as _memoize

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
    'UnsafeDirectoryError',
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

# What each policy does is in C. Here are its index, the column that a read brings up to date, and
# the column in whose order items go.
EVICTION_POLICY = {
    'none': {'init': None, 'get': None, 'cull': None},
    'least-recently-stored': {
        'init': 'Cache_store_time',
        'get': None,
        'cull': 'store_time',
    },
    'least-recently-used': {
        'init': 'Cache_access_time',
        'get': 'access_time',
        'cull': 'access_time',
    },
    'least-frequently-used': {
        'init': 'Cache_access_count',
        'get': 'access_count',
        'cull': 'access_count',
    },
}

# What a subclass of Disk may override; if it does, its methods are called.
_HOOKS = ('put', 'get', 'store', 'fetch', 'filename', 'remove', '_write')


_DECODE_ERRORS = ('raise', 'miss', 'delete')
_CORRUPTION = ('raise', 'rebuild')


class UnknownFileWarning(UserWarning):
    """Cache.check found a file that no item names."""


class EmptyDirWarning(UserWarning):
    """Cache.check found an empty directory."""


def _overrides(disk, names):
    return any(getattr(type(disk), name) is not getattr(Disk, name) for name in names)


def _check_settings(settings):
    """Before anything is stored: a policy that does not exist is a KeyError."""
    if 'eviction_policy' in settings:
        EVICTION_POLICY[settings['eviction_policy']]
    for name in settings:
        if not name.startswith('disk_') and not _core.setting_known(name):
            warnings.warn('unknown setting: %s' % name, stacklevel=4)


# Closed at the end of the program, so that directories are left as 5.6.3 knows them.
_opened = weakref.WeakSet()


@atexit.register
def _close_all():
    for cache in list(_opened):
        cache.close()


def _getitem(self, key):
    value = self.get(key, default=ENOVAL, retry=True)
    if value is ENOVAL:
        raise KeyError(key)
    return value


def _setitem(self, key, value):
    self.set(key, value, retry=True)


def _decr(self, key, delta=1, default=0, retry=False):
    return self.incr(key, -delta, default, retry)


_OPERATORS = [
    ('get', '__getitem__', _getitem),
    ('set', '__setitem__', _setitem),
    ('incr', 'decr', _decr),
]


class _Directory(_core.Cache):
    """What Cache and FanoutCache have in common."""

    _patience = 0  # seconds for opening, if `timeout` is less

    def _init(
        self,
        directory,
        timeout,
        disk,
        settings,
        shards,
        on_decode_error,
        trust_directory,
        on_corruption,
    ):
        if not (isinstance(disk, type) and issubclass(disk, Disk)):
            raise ValueError('disk must subclass diskcache.Disk')
        disk, settings = choice.resolve(disk, settings)
        self._on_decode_error = _DECODE_ERRORS.index(on_decode_error)
        self._trusting = trust_directory or choice.trusts_directories()
        own = {'disk_' + name for name in disk.unstored}
        unstored = {k: v for k, v in settings.items() if k in own}
        settings = {k: v for k, v in settings.items() if k not in unstored}
        # What is this object's own, and not in the directory: for others of its kind.
        self._own = dict(unstored)
        if self._on_decode_error:
            self._own['on_decode_error'] = on_decode_error
        if trust_directory:
            self._own['trust_directory'] = True
        rebuild = _CORRUPTION.index(on_corruption)
        if rebuild:
            self._own['on_corruption'] = on_corruption
        _check_settings(settings)
        if directory is None:
            import tempfile

            directory = tempfile.mkdtemp(prefix='diskcache-')
        self._directory = op.expandvars(op.expanduser(str(directory)))
        self._timeout = timeout
        at_once = {k: v for k, v in settings.items() if not k.startswith('disk_')}
        flags = _core.LEAVE_FILES if disk.remove is not Disk.remove else 0
        flags |= rebuild and _core.REBUILD
        give_up = time.monotonic() + self._patience
        while True:
            try:
                self._open(self._directory, timeout, at_once, flags, shards)
                break
            except Timeout:
                if time.monotonic() >= give_up:
                    raise
        given = {k: v for k, v in settings.items() if k.startswith('disk_')}
        self._open_disk(disk, given, unstored)
        _opened.add(self)

    def _open_disk(self, disk, given, unstored):
        """The Disk's own settings are stored once it has accepted them. Those that are never stored
        are not taken from the directory either: whoever may write there would choose them."""
        settings = self._settings()
        wanted = {
            k: v
            for k, v in settings.items()
            if k.startswith('disk_') and k[5:] not in disk.unstored
        }
        wanted.update(given)
        options = {k[5:]: v for k, v in {**wanted, **unstored}.items()}
        self._disks = tuple(disk(place, **options) for place in self._places())
        instance = self._disks[0]
        custom = _overrides(instance, _HOOKS)
        aliases = not _overrides(instance, ['put']) or _overrides(instance, ['aliases'])
        if instance._seal is not None or instance._marker is not None:
            if custom:
                raise TypeError('%s has its hooks in C; a subclass has none' % disk.__name__)
            aliases = len(instance._former) > 0
        decoding = self._on_decode_error, self._trusting
        disks = (self._disks,) if custom and self._count else ()
        self._use(instance, custom, aliases, *decoding, *disks)
        for name, value in given.items():
            if settings.get(name, ENOVAL) != value:
                self._setting_set(name, value)
        settings.update(given)
        self.__dict__.update(settings)

    def _state(self):
        """What a copy in another process needs beside 5.6.3's arguments, if anything. Secrets stay
        here: a pickle may end up anywhere."""
        secret = {'disk_' + name for name in self.disk.secret}
        own = {k: v for k, v in self._own.items() if k not in secret}
        return [own] if own else []

    def __init_subclass__(cls, **kwargs):
        """The operators are in C and do not look for methods: of a class that overrides the method
        they become what they are in 5.6.3, calls of it."""
        super().__init_subclass__(**kwargs)
        for method, operator, function in _OPERATORS:
            if method in vars(cls) and operator not in vars(cls):
                setattr(cls, operator, function)

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
        with _Directory.transact(self, retry=retry):  # FanoutCache's own would wait
            found = self._get_for_incr(key)
            if found is not None:
                value, old_tag = found
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
        found = self._check(fix, retry)
        return [_warning(self._directory, kind, text) for kind, text in found]

    def stats(self, enable=True, reset=False):
        """(hits, misses), with more as attributes: evicted, items, expired, size. Counting goes on
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
            try:
                value = self._setting_get(key)
            except KeyError:
                raise ValueError('no such setting: %s' % key) from None
        elif update:
            _check_settings({key: value})
            self._setting_set(key, value)
        if key.startswith('disk_'):
            for disk in self._disks:
                setattr(disk, key[5:], value)
        setattr(self, key, value)
        return value

    def memoize(
        self,
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
        """Decorator: keep the results of a function in the cache, by its arguments; see
        diskcache.memoize.memoize."""
        return _memoize(
            self,
            name,
            typed,
            expire,
            tag,
            ignore,
            key=key,
            bind=bind,
            single_flight=single_flight,
        )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


class Cache(_Directory):
    """A persistent cache in a directory.

    Any number of threads and processes may use one. A cache is a mapping with an expiry time and a
    tag for each item; items go, by `eviction_policy`, when it gets larger than `size_limit`.
    """

    def __init__(
        self,
        directory=None,
        timeout=60,
        disk=Disk,
        *,
        on_decode_error='raise',
        trust_directory=False,
        on_corruption='raise',
        **settings,
    ):
        """Open the cache in `directory`, made if need be; None: in a new temporary one.

        `timeout`: how long a call may wait for others, in seconds. `disk`: Disk or a subclass of
        it. `settings`: those of DEFAULT_SETTINGS that are to change; they are kept in the cache.
        `on_decode_error`: what get(), get_many() and [] do about a value that the Disk cannot
        decode: 'raise', or take it for a 'miss', or get() and [] also 'delete' it.
        `trust_directory`: load pickles even if other users may write to the directory.
        `on_corruption`: what to do about a damaged database: 'raise' sqlite3.DatabaseError, or
        'rebuild': move it aside, as cache.db-damaged-1, and go on with an empty one.
        Where `disk` is Disk itself, what set_default_disk() has chosen takes its place.
        """
        self._local = threading.local()
        own = on_decode_error, trust_directory, on_corruption
        self._init(directory, timeout, disk, settings, 0, *own)

    push = _core.push
    pull = _core.pull
    peek = _core.peek
    peekitem = _core.peekitem

    # ---- SQL, for programs that reach below ----

    @property
    def _con(self):
        """A connection of sqlite3 to the database, one for each thread. It is beside ours: it does
        not see what a transaction of transact() has not committed. What waits in the memtable is
        brought to the database before this returns."""
        local = self._local
        if getattr(local, 'pid', None) != os.getpid():
            local.con = None  # of before a fork: left alone
            local.pid = os.getpid()
        if local.con is None:
            path = op.join(self._directory, DBNAME)
            local.con = sqlite3.connect(path, timeout=self._timeout, isolation_level=None)
        len(self)  # which drains
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
        return (self.directory, self.timeout, type(self.disk), *self._state())

    def __setstate__(self, state):
        directory, timeout, disk, *own = state
        self.__init__(directory, timeout, disk, **(own[0] if own else {}))


# Kinds of the library's report, and what 5.6.3 says of each: programs look for its words.
_PROBLEMS = {
    2: (UserWarning, 'file not found: %s'),
    3: (UserWarning, 'wrong file size: %s, %s != %s'),
    4: (UserWarning, 'wrong file size: %s, %s != %s'),
    5: (UnknownFileWarning, 'unknown file: %s'),
    6: (EmptyDirWarning, 'empty directory: %s'),
    7: (UserWarning, 'Settings.count != COUNT(Cache.key); %s != %s'),
    8: (UserWarning, 'Settings.size != SUM(Cache.size); %s != %s'),
    9: (UnknownFileWarning, 'unknown file: %s'),
    10: (UserWarning, 'damaged file: %s'),
}
_COUNTERS = (7, 8)
_NUMBERS = re.compile(r'(-?\d+)(?: bytes)?, not (-?\d+)$')


def _warning(directory, kind, text):
    """A problem as warnings.catch_warnings(record=True) would have it. The library's text is the
    name of a file and what is wrong with it, or a counter and its two values."""
    category, message = _PROBLEMS.get(kind, (UserWarning, '%s'))
    numbers = _NUMBERS.search(text)
    if kind in _COUNTERS:
        args = numbers.groups()
    elif kind == 10 and text.startswith('row '):
        message, args = 'damaged value: %s', (text.split(': ')[0],)
    elif kind in _PROBLEMS:
        args = (op.join(directory, text.rsplit(': ', 1)[0]),)
        args += numbers.groups() if numbers else ()
    else:
        args = (text,)
    return warnings.WarningMessage(category(message % args), category, __file__, 0)
