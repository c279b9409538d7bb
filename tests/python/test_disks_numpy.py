"""SafeDisk with disk_allow=['numpy']: arrays come back, and what their pickles say is not believed.

SPDX-License-Identifier: Apache-2.0
"""

import pickle

import pytest

import diskcache

np = pytest.importorskip('numpy')

PROTOCOLS = range(2, 6)
RECORD = [('a', 'i4'), ('b', '>f8'), ('c', 'S3'), ('d', 'u1', (2, 2))]


def load(data):
    return diskcache.SafeDisk('/nowhere', allow=['numpy'])._loads(data)


def same(one, other):
    return (
        type(one) is type(other)
        and one.dtype == other.dtype
        and np.shape(one) == np.shape(other)
        and one.tobytes() == other.tobytes()
    )


ARRAYS = [
    *(np.arange(6).astype(kind) for kind in 'bhilqBHILQefdgFD?'),
    np.arange(6, dtype='>i4').reshape(2, 3),
    np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),
    np.arange(24).reshape(2, 3, 4)[:, ::2],
    np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2),
    np.array(5),
    np.zeros((0, 3)),
    np.array(['a', 'bcd']),
    np.array([b'a', b'bcd']),
    np.array(['2020-01-01', 'NaT'], dtype='M8[D]'),
    np.array([5], dtype='m8[25us]'),
    np.zeros(3, dtype=RECORD),
    np.zeros(2, dtype='V5'),
    np.arange(100_000),
]


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_arrays_numbers_and_dtypes_come_back(protocol):
    for array in ARRAYS:
        assert same(load(pickle.dumps(array, protocol)), array)
        assert load(pickle.dumps(array.dtype, protocol)) == array.dtype
    for number in [np.float64(1.5), np.int8(-3), np.bool_(True), np.datetime64('2020-01-01'), np.complex64(1j)]:
        assert same(load(pickle.dumps(number, protocol)), number)
    shared = np.arange(3)
    one, other, dtype = load(pickle.dumps([shared, shared, shared.dtype], protocol))
    assert one is other and one.dtype is not None and dtype == shared.dtype
    one[0] = 5


def test_in_a_cache(tmp_path):
    options = {'disk': diskcache.SafeDisk, 'disk_allow': ['numpy', 'fractions:Fraction']}
    with diskcache.Cache(tmp_path, **options) as cache:
        cache['k'] = {'array': np.arange(100_000)}
        assert same(cache['k']['array'], np.arange(100_000))
    with diskcache.Cache(tmp_path, disk=diskcache.SafeDisk) as cache:
        with pytest.raises(pickle.UnpicklingError, match='is not allowed'):
            cache['k']


class Pretend:
    """An object whose pickle is a call."""

    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


def dtype_with(text, state):
    return Pretend(np.dtype, (text, False, True), state)


RECONSTRUCT = np.array(object(), dtype=object).__reduce__()[0]
FROM_BUFFER = np.arange(3).__reduce_ex__(5)[0]
SCALAR = np.float64(1).__reduce__()[0]
I8 = np.dtype('i8')


@pytest.mark.parametrize('value', [
    np.array([object]),
    np.zeros(2, dtype=[('a', object)]),
    np.dtype('O'),
    np.dtype([('a', 'O')]),
    np.ma.array([1]),
    np.ufunc,
    np.add,
    np.load,
    dtype_with('O8', (3, '|', None, None, None, -1, -1, 0)),  # says that there are no objects
    dtype_with('i8', (3, '<', None, ('a',), {'a': (object, 0)}, 8, 1, 0)),
    dtype_with('i8', (3, '<', None, ('a',), {'a': (I8, 100)}, 8, 1, 0)),
    dtype_with('i8', (3, '<', None, ('a',), {'a': (I8, -8)}, 8, 1, 0)),
    dtype_with('i8', (3, '<', (np.dtype('O'), (2,)), None, None, 16, 1, 0)),
    dtype_with('i8,O', (3, '<', None, None, None, -1, -1, 0)),
    dtype_with('M8', (3, '<', None, None, None, -1, -1, 0, ({}, (b'evil', 1, 1, 1)))),
    dtype_with('U9999999999', (3, '<', None, None, None, -1, -1, 0)),
    dtype_with(5, (3,)),
    dtype_with('i8', 5),
    Pretend(RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, (5,), I8, False, b'short')),
    Pretend(RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, (-5,), I8, False, b'x' * 8)),
    Pretend(RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, (10**12, 10**12), I8, False, b'x' * 8)),
    Pretend(RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, (1,), I8, False, [object])),
    Pretend(RECONSTRUCT, (np.ma.MaskedArray, (0,), b'b')),
    Pretend(FROM_BUFFER, (b'short', I8, (5,), 'C')),
    Pretend(FROM_BUFFER, (b'x' * 8, np.dtype('O'), (1,), 'C')),
    Pretend(FROM_BUFFER, ([1], I8, (1,), 'C')),
    Pretend(SCALAR, (I8, b'short')),
    Pretend(SCALAR, (np.dtype('O'), b'x' * 8)),
], ids=lambda value: type(value).__name__)  # fmt: skip
def test_refused(value):
    for protocol in [2, 5]:
        with pytest.raises((pickle.UnpicklingError, ValueError, TypeError, OverflowError, KeyError)):
            load(pickle.dumps(value, protocol))


def test_without_numpy_it_says_so(monkeypatch):
    from diskcache import arrays

    monkeypatch.setattr(arrays, 'numpy', None)
    with pytest.raises(ImportError, match='needs numpy'):
        diskcache.SafeDisk('/nowhere', allow='numpy')
