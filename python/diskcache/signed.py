"""SignedDisk: what is no plain number or text has a signature, and is looked at only if that is right.

SPDX-License-Identifier: Apache-2.0
"""

import hashlib
import io
import os
import pickle

from . import _core
from .compress import CompressingDisk

SHORTEST_KEY = 16
CHUNK = 1 << 16

# A stream: this, 16 random bytes, and chunks: a length of 4 bytes, whose highest bit says that it is
# the last one, and sealed bytes, which belong to the place of the value, to this stream, and to
# their number in it.
_STREAM = b'\xd5SDS'
_NONCE = 16
_FRAME = b'\x28\xb5\x2f\xfd'  # of zstd; no pickle begins like this
_LAST = 1 << 31


def _keys(given):
    """A tuple of keys, the first of which signs."""
    if given is None:
        given = os.environ.get('DISKCACHE_DISK_KEY', '').split()
    if isinstance(given, (str, bytes)):
        given = [given]
    keys = [key.encode() if isinstance(key, str) else bytes(key) for key in given]
    if not keys:
        raise ValueError('SignedDisk needs disk_key=, or DISKCACHE_DISK_KEY in the environment')
    if any(len(key) < SHORTEST_KEY for key in keys):
        raise ValueError('a key has at least %d bytes' % SHORTEST_KEY)
    return tuple(map(_hash_of, keys))


def _hash_of(key):
    """(id, keyed hash) of a secret, which itself may be of any length."""
    derived = hashlib.blake2b(key, digest_size=32, person=b'diskcache key').digest()
    name = hashlib.blake2b(derived, digest_size=4, person=b'diskcache id').digest()
    return name, hashlib.blake2b(key=derived, digest_size=32)


def _refuse(data):
    raise pickle.UnpicklingError('a pickle that is not signed')


class SignedDisk(CompressingDisk):
    """Signs what it stores, and reads nothing else: a pickle is loaded only if it was stored under this
    key of the cache by who has the secret. Numbers, texts and None are not signed.

    `key`: a secret of at least 16 bytes, or several: the first signs, all are accepted, so that a
    secret can be replaced. None: those in the environment's DISKCACHE_DISK_KEY, with spaces between
    them. It is kept nowhere. The signature is keyed BLAKE2b, of 256 bits.
    """

    unstored = ('key', *CompressingDisk.unstored)
    secret = ('key',)
    _loads = staticmethod(_refuse)

    def __init__(self, directory, key=None, **kwargs):
        super().__init__(directory, **kwargs)
        keys = _keys(key)
        error = pickle.UnpicklingError
        self._seal = _core.Seal(keys, error)
        self._former = [_core.Seal((former,), error) for former in keys[1:]]

    def aliases(self, key):
        """Forms of `key` under former secrets."""
        if type(key) is bytes:
            letter, data = 'b', key
        else:
            letter, data = 'p', _core.key_pickle(key, self.pickle_protocol)
        return [(seal.close(b'k', letter, data), True) for seal in self._former]

    # ---- streams; called by the extension ----

    def _seal_stream(self, place, stream):
        return io.BufferedReader(_Sealing(self._seal, place, stream))

    def _open_stream(self, place, data):
        return self._open_file(place, io.BytesIO(data), False).read()

    def _open_file(self, place, file, or_object):
        """A file object for what a file has in it, or the object of a pickle in it. What a stream
        gives has been checked, chunk by chunk."""
        head = file.read(len(_STREAM))
        if head == _STREAM:
            return io.BufferedReader(_Opening(self._seal, place, file), CHUNK)
        letter, data = self._seal.open(place, head + file.read())
        if letter == 'p' and or_object:
            return pickle.loads(self._expand(data) if data.startswith(_FRAME) else data)
        return io.BytesIO(data)


class _Stream(io.RawIOBase):
    """Chunks of a stream, one after the other."""

    def __init__(self, seal, place, file):
        self._seal = seal
        self._place = place
        self._file = file
        self._number = 0
        self._ahead = b''

    def _place_of(self, last):
        place = self._place + self._nonce + self._number.to_bytes(8, 'little') + bytes([last])
        self._number += 1
        return place

    def readable(self):
        return True

    def readinto(self, buffer):
        while not self._ahead and not self._ended:
            self._ahead = self._next()
        count = min(len(buffer), len(self._ahead))
        buffer[:count] = self._ahead[:count]
        self._ahead = self._ahead[count:]
        return count


class _Sealing(_Stream):
    """From a stream to one with signatures."""

    def __init__(self, seal, place, file):
        super().__init__(seal, place, file)
        self._nonce = os.urandom(_NONCE)
        self._ahead = _STREAM + self._nonce
        self._chunk = self._read()
        self._ended = False

    def _read(self):
        """A chunk; less than CHUNK only at the end."""
        parts, size = [], 0
        while size < CHUNK:
            part = self._file.read(CHUNK - size)
            if not isinstance(part, (bytes, bytearray, memoryview)):
                raise TypeError('read() of the value returned %s, not bytes' % type(part).__name__)
            if not part:
                break
            parts.append(part)
            size += len(part)
        return b''.join(parts)

    def _next(self):
        chunk, self._chunk = self._chunk, self._read() if len(self._chunk) == CHUNK else b''
        self._ended = not self._chunk
        sealed = self._seal.close(self._place_of(self._ended), 'c', chunk)
        return (len(sealed) | self._ended * _LAST).to_bytes(4, 'little') + sealed


class _Opening(_Stream):
    """And back. At its end a stream that was cut off is an error, too."""

    def __init__(self, seal, place, file):
        super().__init__(seal, place, file)
        self._nonce = file.read(_NONCE)
        self._ended = False
        self.name = getattr(file, 'name', None)

    def _next(self):
        length = int.from_bytes(self._file.read(4), 'little')
        self._ended = bool(length & _LAST)
        length &= _LAST - 1
        if length > 2 * CHUNK:
            raise pickle.UnpicklingError('a chunk of %d bytes' % length)
        return self._seal.open(self._place_of(self._ended), self._file.read(length))[1]

    def close(self):
        self._file.close()
        super().close()
