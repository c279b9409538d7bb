"""How keys and values become columns and files: Disk, which subclasses may change, and JSONDisk.

A cache with exactly Disk never calls these methods: the extension does the same in C. A subclass
that overrides one of them has all of them called.
"""

from __future__ import annotations

import contextlib
import os
import os.path as op
import pickle
import sqlite3
import struct
import zlib

from . import _core

DBNAME = 'cache.db'

MODE_NONE = 0
MODE_RAW = 1
MODE_BINARY = 2
MODE_TEXT = 3
MODE_PICKLE = 4

CHUNK = 1 << 22


class Constant(tuple):
    """A constant that shows as its name."""

    def __new__(cls, name):
        return tuple.__new__(cls, (name,))

    def __repr__(self):
        return self[0]


ENOVAL = Constant('ENOVAL')
UNKNOWN = Constant('UNKNOWN')


def _is_raw(value):
    """Whether SQLite keeps the value as it is: by its exact type, so that True is not 1."""
    kind = type(value)
    return (
        kind is str
        or kind is float
        or kind is int
        and -(1 << 63) <= value < 1 << 63
    )


class Disk:
    """Keys and values to columns and files, and back.

    Each option of __init__ is a setting `disk_...` of the cache, kept in the directory; but those
    that are named in `unstored`, which each opener gives, and of these `secret` are not in pickles
    of a live cache either.
    """

    unstored = ()
    secret = ()
    _loads = staticmethod(pickle.loads)  # by a cache only from a directory that is nobody else's
    # What the extension asks a Disk without hooks for; None: it does it itself.
    _seal = _dumps = _shrink = _marker = _pack = None
    _former = ()  # seals of former secrets

    def __init__(self, directory, min_file_size=0, pickle_protocol=0):
        self._directory = directory
        self.min_file_size = min_file_size
        self.pickle_protocol = pickle_protocol

    @staticmethod
    def _expand(frame):
        from .compress import expand

        return expand(frame)

    def hash(self, key):
        """A number for `key`, the same in every process; a fanout's shard is chosen by it."""
        stored, _ = self.put(key)
        if type(stored) is int:
            return stored % 0xFFFFFFFF
        if type(stored) is str:
            stored = stored.encode()
        elif type(stored) is float:
            stored = struct.pack('!d', stored)
        return zlib.adler32(stored) & 0xFFFFFFFF

    def put(self, key):
        """(database key, raw): the columns of `key`. What is not raw is a pickle."""
        if type(key) is bytes:
            return sqlite3.Binary(key), True
        if _is_raw(key):
            return key, True
        return sqlite3.Binary(_core.key_pickle(key, self.pickle_protocol)), False

    def get(self, key, raw):
        """The key of these two columns."""
        if raw:
            return bytes(key) if isinstance(key, memoryview) else key
        return self._loads(key)

    def aliases(self, key):
        """Other forms of `key`, as put() returns them, under which an older item may be found."""
        protocol = self.pickle_protocol
        return [(data, False) for data in _core.key_aliases(key, protocol)]

    def store(self, value, read, key=UNKNOWN):
        """(size, mode, file name, database value): the columns of `value`, which is a stream if
        `read` is true. A file that is needed is there afterwards."""
        kind = type(value)
        small = self.min_file_size
        if _is_raw(value) and (kind is not str or len(value) < small):
            return 0, MODE_RAW, None, value
        if kind is bytes and len(value) < small:
            return 0, MODE_RAW, None, sqlite3.Binary(value)
        if kind is bytes:
            return self._store_file(MODE_BINARY, [value], key, value)
        if kind is str:
            return self._store_file(MODE_TEXT, [value.encode()], key, value)
        if read:
            chunks = iter(lambda: value.read(CHUNK), b'')
            return self._store_file(MODE_BINARY, chunks, key, value)
        data = pickle.dumps(value, self.pickle_protocol)
        if len(data) < small:
            return 0, MODE_PICKLE, None, sqlite3.Binary(data)
        return self._store_file(MODE_PICKLE, [data], key, value)

    def _store_file(self, mode, chunks, key, value):
        name, path = self.filename(key, value)
        size = self._write(path, chunks)
        return size, mode, name, None

    def _write(self, path, chunks):
        """A new file at `path`; nothing is left of it if that fails."""
        size = 0
        with self._create(path) as writer:
            try:
                for chunk in chunks:
                    size += writer.write(chunk)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.remove(path)
                raise
        return size

    def _create(self, path):
        """Whoever removes a file removes its directory with it if that is empty: perhaps between
        our two steps."""
        for patience in range(10, 0, -1):
            os.makedirs(op.dirname(path), exist_ok=True)
            try:
                return open(path, 'xb')
            except FileNotFoundError:
                if patience == 1:
                    raise
        raise AssertionError

    def fetch(self, mode, filename, value, read):
        """The value of these columns; with `read`, a file object for what is a file of bytes.
        Raises OSError if the file cannot be read."""
        if mode == MODE_RAW:
            return bytes(value) if isinstance(value, memoryview) else value
        if mode == MODE_PICKLE and filename is None:
            return self._loads(value)
        path = op.join(self._directory, filename)
        if mode == MODE_BINARY and read:
            return open(path, 'rb')
        with open(path, 'rb') as reader:
            data = reader.read()
        if mode == MODE_PICKLE:
            return self._loads(data)
        return data.decode() if mode == MODE_TEXT else data

    def filename(self, key=UNKNOWN, value=UNKNOWN):
        """(file name, full path) for a new file: random, in two levels of directories, whatever
        `key` and `value` are (which need not be known)."""
        digits = os.urandom(16).hex()
        name = op.join(digits[:2], digits[2:4], digits[4:] + '.val')
        return name, op.join(self._directory, name)

    def remove(self, file_path):
        """Remove a file of the cache and the directories that are empty without it. That it is
        gone already is no error."""
        path = op.join(self._directory, file_path)
        with contextlib.suppress(OSError):
            os.remove(path)
        with contextlib.suppress(OSError):
            os.removedirs(op.dirname(path))


def _no_pickle(data):
    raise pickle.UnpicklingError('a pickle where none was stored')


class JSONDisk(Disk):
    """Keys and values as JSON, compressed by zlib.

    Keys are compressed in one way whatever `compress_level` is, or another level would be another
    key; those that 5.6.3 has stored at another level are found as well.
    """

    _loads = staticmethod(_no_pickle)
    KEY_LEVEL = 1
    OTHER_LEVELS = (0, 2, 3, 4, 5, 6, 7, 8, 9)

    def __init__(self, directory, compress_level=1, **kwargs):
        self.compress_level = compress_level
        super().__init__(directory, **kwargs)

    def _compressed(self, item, level):
        import json

        return zlib.compress(json.dumps(item).encode(), level)

    def put(self, key):
        return super().put(self._compressed(key, self.KEY_LEVEL))

    def aliases(self, key):
        forms = {self._compressed(key, level) for level in self.OTHER_LEVELS}
        return [(form, True) for form in forms]

    def get(self, key, raw):
        key = super().get(key, raw)
        if type(key) is not bytes:  # of a queue: push() makes its keys itself
            return key
        import json

        return json.loads(zlib.decompress(key))

    def store(self, value, read, key=UNKNOWN):
        if not read:
            value = self._compressed(value, self.compress_level)
        return super().store(value, read, key=key)

    def fetch(self, mode, filename, value, read):
        import json

        data = super().fetch(mode, filename, value, read)
        return data if read else json.loads(zlib.decompress(data))


# Where programs, and pickles of 5.6.3, look for them.
for _class in (Constant, Disk, JSONDisk):
    _class.__module__ = 'diskcache.core'
