"""zstd for what a Disk stores: of Python 3.14, else of the package zstandard.

SPDX-License-Identifier: Apache-2.0
"""

import functools
import pickle

from .disk import Disk

SHORTEST = 256  # bytes: less is not tried
LARGEST = 1 << 30  # bytes that may come out: a few bytes can say that they are any number

try:
    from compression import zstd as _zstd
except ImportError:
    _zstd = None


def _package():
    try:
        import zstandard
    except ImportError as error:
        raise ImportError('compressed values need Python 3.14 or the package zstandard') from error
    return zstandard


def shorter(data, level):
    """`data` as a frame of zstd; or None if that is not shorter."""
    if len(data) < SHORTEST:
        return None
    if _zstd is not None:
        frame = _zstd.compress(data, level)
    else:
        frame = _package().ZstdCompressor(level=level).compress(data)
    return frame if len(frame) < len(data) else None


def expand(frame):
    """The data of a frame, which says how much it is."""
    if _zstd is not None:
        size = _zstd.get_frame_info(frame).decompressed_size
    else:
        size = _package().frame_content_size(frame)
    if size is None or not 0 <= size <= LARGEST:
        raise pickle.UnpicklingError('a compressed value of %s bytes' % size)
    if _zstd is not None:
        return _zstd.ZstdDecompressor().decompress(frame, max_length=size)
    return _package().ZstdDecompressor().decompress(frame, max_output_size=size)


def _dumps(level, protocol, value):
    data = pickle.dumps(value, protocol)
    return shorter(data, level) or data


def _shrink(level, protocol, value):
    """Of a long str or bytes: its pickle, compressed, or None if that is not worth it."""
    return shorter(pickle.dumps(value, protocol), level)


class CompressingDisk(Disk):
    """A Disk whose values may be compressed: pickles, and texts and bytes of 256 and more that get
    shorter by it, as pickles.

    `compress`: a level of zstd; None: nothing is compressed. What is compressed is read in any case,
    by Disk, too, but not by 5.6.3.
    """

    unstored = ('compress',)

    def __init__(self, directory, compress=None, **kwargs):
        super().__init__(directory, **kwargs)
        self.compress = compress
        if compress is not None:
            expand(shorter(bytes(SHORTEST), compress))  # whether it is there, and knows the level
            self._dumps = functools.partial(_dumps, compress, self.pickle_protocol)
            self._shrink = functools.partial(_shrink, compress, self.pickle_protocol)
