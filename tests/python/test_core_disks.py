"""SafeDisk and SignedDisk, in short: what each CPython that we build for has to have.

SPDX-License-Identifier: Apache-2.0
"""

import collections
import datetime
import decimal
import io
import pathlib
import pickle
import uuid

import pytest

import diskcache

VALUES = [
    None, True, 5, -(2**70), 1.5, 1j, 'text', 'a' * 50_000, b'bytes', bytearray(b'x'), (1, (2,)), [1, [2]],
    {'a': {1: 2}}, {1, 2}, frozenset('a'), range(3), slice(1, 2), ..., collections.OrderedDict(a=1),
    collections.deque([1], 3), collections.Counter('aab'), collections.defaultdict(list, a=[1]),
    datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc), datetime.timedelta(1), decimal.Decimal('1.10'),
    uuid.UUID(int=5), pathlib.Path('/a/b'), list(range(1000)), [()] * 300, {str(n): n for n in range(2000)},
]  # fmt: skip
DISKS = [
    (diskcache.Disk, {}),
    (diskcache.SafeDisk, {}),
    (diskcache.SignedDisk, {'disk_key': 'a secret of 20 bytes'}),
]


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize('disk, options', DISKS, ids=lambda arg: getattr(arg, '__name__', ''))
def test_values_come_back(tmp_path, disk, options, protocol):
    with diskcache.Cache(tmp_path, disk=disk, disk_pickle_protocol=protocol, **options) as cache:
        for number, value in enumerate(VALUES):
            cache[number, 'key'] = value
            assert cache[number, 'key'] == value and type(cache[number, 'key']) is type(value)
        assert len(list(cache)) == len(VALUES)


def test_a_call_is_refused_and_a_stream_checked(tmp_path):
    load = diskcache.SafeDisk('/nowhere')._loads
    for data in [b'cos\nsystem\n(Vtrue\ntR.', pickle.dumps(print), b'\x82\x01.', b'K']:
        with pytest.raises(pickle.UnpicklingError):
            load(data)
    with diskcache.Cache(tmp_path, disk=diskcache.SignedDisk, disk_key='k' * 16) as cache:
        cache.set('k', io.BytesIO(b'x' * 200_000), read=True)
        with open(cache.path('k'), 'r+b') as file:
            file.seek(150_000)
            file.write(b'y')
        with pytest.raises(pickle.UnpicklingError):
            cache.read('k').read()
