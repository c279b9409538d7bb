"""MsgpackDisk: values that other languages read.

SPDX-License-Identifier: Apache-2.0
"""

import datetime
import decimal
import functools
import pickle
import uuid

from . import _core
from .compress import expand, shorter
from .disk import Disk

# No MessagePack begins with 0xc1. After it: 0 and a value, or 1 and a frame of zstd with one.
MARKER = b'\xc1mp'
_PLAIN, _COMPRESSED = MARKER + b'\0', MARKER + b'\1'

# Extension types; packed.c knows that the first three have a value in them.
TUPLE, SET, FROZENSET = 1, 2, 3
DATETIME, DATE, TIME, TIMEDELTA, DECIMAL, UUID, INTEGER = 4, 5, 6, 7, 8, 9, 10
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def _msgpack():
    try:
        import msgpack
    except ImportError as error:
        raise ImportError('MsgpackDisk needs the package msgpack') from error
    return msgpack


def _timedelta(value):
    return '%d %d %d' % (value.days, value.seconds, value.microseconds)


def _iso(value):
    """Text of a date or time, without the names of time zones, which its offset stands for."""
    return value.isoformat()


# By exact type: a subclass would come back as another.
_TO_TEXT = {
    datetime.date: (DATE, _iso),
    datetime.time: (TIME, _iso),
    datetime.timedelta: (TIMEDELTA, _timedelta),
    decimal.Decimal: (DECIMAL, str),
    int: (INTEGER, str),  # beyond 64 bits
}
_FROM_TEXT = {
    DATETIME: datetime.datetime.fromisoformat,
    DATE: datetime.date.fromisoformat,
    TIME: datetime.time.fromisoformat,
    TIMEDELTA: lambda text: datetime.timedelta(*map(int, text.split())),
    DECIMAL: decimal.Decimal,
    INTEGER: int,
}


class _Codec:
    """MessagePack and back."""

    def __init__(self):
        msgpack = _msgpack()
        self._extension = msgpack.ExtType
        self._timestamp = msgpack.Timestamp
        self._packb = functools.partial(
            msgpack.packb, default=self._to_extension, strict_types=True, use_bin_type=True
        )
        self._unpackb = functools.partial(
            msgpack.unpackb, ext_hook=self._from_extension, strict_map_key=False, timestamp=3
        )

    def pack(self, value):
        """As bytes; ValueError for what is nested deeper than it could be read."""
        packed = self._packb(value)
        if not _core.packed_is_sound(packed):
            raise ValueError('a value that is nested more than 100 deep')
        return packed

    def unpack(self, data):
        if not _core.packed_is_sound(data):
            raise ValueError('not MessagePack, or nested more than 100 deep')
        return self._unpackb(data)

    def _to_extension(self, value):
        kind = type(value)
        if kind is tuple:
            return self._extension(TUPLE, self._packb(list(value)))
        if kind is set or kind is frozenset:  # in one order, so that equal keys are the same bytes
            items = b''.join(sorted(map(self._packb, value)))
            head = self._packb([None] * len(value))[: -len(value) or None]
            return self._extension(SET if kind is set else FROZENSET, head + items)
        if kind is datetime.datetime:
            return self._to_datetime(value)
        if kind is uuid.UUID:
            return self._extension(UUID, value.bytes)
        if kind not in _TO_TEXT:
            raise TypeError('MsgpackDisk does not keep a %s' % kind.__name__)
        code, text = _TO_TEXT[kind]
        return self._extension(code, text(value).encode())

    def _to_datetime(self, value):
        """UTC is MessagePack's own timestamp."""
        if value.tzinfo is not datetime.timezone.utc:
            return self._extension(DATETIME, _iso(value).encode())
        since = value - _EPOCH
        return self._timestamp(since.days * 86400 + since.seconds, since.microseconds * 1000)

    def _from_extension(self, code, data):
        if code == TUPLE:
            return tuple(self._unpackb(data))
        if code == SET:
            return set(self._unpackb(data))
        if code == FROZENSET:
            return frozenset(self._unpackb(data))
        if code == UUID:
            return uuid.UUID(bytes=bytes(data))
        if code in _FROM_TEXT:
            return _FROM_TEXT[code](bytes(data).decode('ascii'))
        raise ValueError('extension type %d is not known' % code)


class MsgpackDisk(Disk):
    """Keeps keys and values as MessagePack, but for numbers, texts, bytes and None, which are as Disk has
    them: other languages read them, and no pickle is ever loaded.

    It keeps bool, int, float, str, bytes, None, list, dict, tuple, set, frozenset, datetime, date, time,
    timedelta, Decimal and UUID, and of these no subclasses, at most 100 deep. A time zone becomes its
    offset, a bytearray bytes. Other values are a TypeError. `compress`: a level of zstd for values, or None.
    """

    unstored = ('compress',)
    _marker = MARKER

    def __init__(self, directory, compress=None, **kwargs):
        super().__init__(directory, **kwargs)
        self.compress = compress
        codec = _Codec()
        self._pack = functools.partial(_pack, codec)
        self._loads = functools.partial(_loads, codec)
        self._dumps = functools.partial(_dumps, codec, compress)
        if compress is not None:
            expand(shorter(bytes(1000), compress))
            self._shrink = functools.partial(_shrink, codec, compress)


def _pack(codec, value):
    return _PLAIN + codec.pack(value)


def _shrink(codec, level, value):
    frame = shorter(codec.pack(value), level)
    return None if frame is None else _COMPRESSED + frame


def _dumps(codec, level, value):
    packed = codec.pack(value)
    frame = None if level is None else shorter(packed, level)
    return _PLAIN + packed if frame is None else _COMPRESSED + frame


def _loads(codec, data):
    data = bytes(data)
    if data.startswith(_PLAIN):
        return codec.unpack(data[len(_PLAIN) :])
    if data.startswith(_COMPRESSED):
        return codec.unpack(expand(data[len(_COMPRESSED) :]))
    raise pickle.UnpicklingError('not what MsgpackDisk has stored')
