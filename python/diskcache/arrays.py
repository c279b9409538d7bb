"""numpy's arrays and dtypes for SafeDisk, made by numpy's constructors and never by its pickles.

The state of a pickled dtype says whether there are objects in it, and numpy believes that: bytes would
then be taken for addresses. So here a state is data, from which dtype() and ndarray() make the
thing anew, which check it. There are no objects in arrays.

SPDX-License-Identifier: Apache-2.0
"""

import pickle
import re

try:
    import numpy
except ImportError:
    numpy = None

_PLAIN = re.compile(r'[biufcSUV]\d+|\?')
_TIME = re.compile(r'[mM]8')
_UNITS = ('Y', 'M', 'W', 'D', 'h', 'm', 's', 'ms', 'us', 'ns', 'ps', 'fs', 'as', 'generic')


def _check(good, what):
    if not good:
        raise pickle.UnpicklingError('no %s that SafeDisk reads' % what)


class _Dtype:
    """A dtype of which the state is not known yet."""

    def __init__(self, text, align=False, copy=True):
        self.text = text


class _Array:
    """An array of which the state is not known yet."""


def _reconstruct(kind, shape, code):
    _check(kind is numpy.ndarray, 'class of arrays')
    return _Array()


def _time_dtype(text, state):
    _check(len(state) == 9 and type(state[8]) is tuple and len(state[8]) == 2, 'dtype')
    unit, number = state[8][1][:2]
    unit = unit.decode() if type(unit) is bytes else unit
    _check(unit in _UNITS and type(number) is int and 0 < number < 2**31, 'unit of time')
    return numpy.dtype(text if unit == 'generic' else '%s[%d%s]' % (text, number, unit))


def _structured(names, fields, size):
    _check(type(names) is tuple and type(fields) is dict, 'dtype')
    parts = [fields[name] for name in names]
    _check(all(type(part) is tuple and _is_dtype(part[0]) for part in parts), 'dtype')
    return numpy.dtype(
        {
            'names': list(names),
            'formats': [part[0] for part in parts],
            'offsets': [part[1] for part in parts],
            'itemsize': size,
        }
    )


def _is_dtype(value):
    return isinstance(value, numpy.dtype) and not value.hasobject


def _build_dtype(dtype, state):
    """Of what dtype.__reduce__() gives: version, byte order, (dtype, shape) of an array in it, names and
    fields, sizes, flags, and metadata of times."""
    text = dtype.text
    _check(type(text) is str and type(state) is tuple and len(state) in (8, 9), 'dtype')
    order, inner, names, fields, size = state[1:6]
    if names is not None:
        return _structured(names, fields, size)
    if inner is not None:
        _check(type(inner) is tuple and len(inner) == 2 and _is_dtype(inner[0]), 'dtype')
        return numpy.dtype((inner[0], inner[1]))
    if _TIME.fullmatch(text):
        built = _time_dtype(text, state)
    else:
        _check(_PLAIN.fullmatch(text), 'dtype %r' % text)
        built = numpy.dtype(text)
    return built.newbyteorder(order) if order in ('<', '>') else built


def _build_array(array, state):
    _check(type(state) is tuple and len(state) == 5, 'array')
    _, shape, dtype, is_fortran, data = state
    _check(type(data) is bytes, 'array: it has objects in it')
    return _from_buffer(bytearray(data), dtype, shape, 'F' if is_fortran else 'C')


def _from_buffer(data, dtype, shape, order, axis_order=None):
    _check(type(data) in (bytes, bytearray) and _is_dtype(dtype), 'array')
    if order == 'K' and axis_order is not None:
        return numpy.ndarray(shape, dtype, data).transpose(axis_order)
    return numpy.ndarray(shape, dtype, data, order=order)


def _scalar(dtype, data):
    _check(type(data) is bytes and _is_dtype(dtype), 'number of numpy')
    return numpy.ndarray((), dtype, data)[()]


def names():
    """What names stand for, as PickleReader's find() returns it. ImportError without numpy."""
    if numpy is None:
        raise ImportError("disk_allow=['numpy'] needs numpy")
    found = {
        ('numpy', 'dtype'): (numpy.dtype, _Dtype),
        ('numpy', 'ndarray'): (numpy.ndarray, None),
    }
    for module in ('numpy.core', 'numpy._core'):  # before and since numpy 2
        found[module + '.multiarray', '_reconstruct'] = (_reconstruct, _reconstruct)
        found[module + '.multiarray', 'scalar'] = (_scalar, _scalar)
        found[module + '.numeric', '_frombuffer'] = (_from_buffer, _from_buffer)
    return found


BUILDERS = {_Dtype: _build_dtype, _Array: _build_array}
