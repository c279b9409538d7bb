"""SafeDisk: reads pickles without running what they say.

SPDX-License-Identifier: Apache-2.0
"""

import functools
import importlib
import os
import pickle
from collections import Counter, deque

from . import _core
from .compress import CompressingDisk, shorter

_IMPORT = b'\x93'  # the instruction of protocol 4 and later
_TUPLES = (b'\x85', b'\x86', b'\x87', b't')
_DEEPEST = 400  # tuples in tuples that the reader takes


def _set(items=()):
    return set(_sequence(items))


def _frozenset(items=()):
    return frozenset(_sequence(items))


def _sequence(items):
    """Not a range or another thing that is small itself and large as a set."""
    if type(items) not in (list, tuple):
        raise pickle.UnpicklingError('a set of a %s' % type(items).__name__)
    return items


def _bytes():
    return b''


def _bytearray(data=b'', encoding='latin-1'):
    if type(data) is str and encoding == 'latin-1':
        return bytearray(data, encoding)
    if type(data) is bytes and encoding == 'latin-1':
        return bytearray(data)
    raise pickle.UnpicklingError('a bytearray of a %s' % type(data).__name__)


def _encode(text, encoding='latin1'):
    """What stands for bytes in protocols before 3."""
    if type(text) is str and encoding == 'latin1':
        return text.encode(encoding)
    raise pickle.UnpicklingError('bytes of a %s' % type(text).__name__)


def _reconstruct(kind, base, state):
    """An instance in protocols 0 and 1. The class is one that was allowed: there is no other."""
    if base is object and state is None and isinstance(kind, type):
        return object.__new__(kind)
    raise pickle.UnpicklingError('an instance of %r by way of %r' % (kind, base))


def _deque(items=(), maxlen=None):
    return deque(_sequence(items), maxlen)


def _counter(counts=()):
    if type(counts) not in (dict, tuple):
        raise pickle.UnpicklingError('a Counter of a %s' % type(counts).__name__)
    return Counter(counts)


# What names stand for, and what is called for them. Those that None stands beside are no more than
# values, such as the factory of a defaultdict.
_BUILTINS = {
    'bool': (bool, None),
    'bytearray': (bytearray, _bytearray),
    'bytes': (bytes, _bytes),
    'complex': (complex, complex),
    'dict': (dict, None),
    'Ellipsis': (Ellipsis, None),
    'float': (float, None),
    'frozenset': (frozenset, _frozenset),
    'getattr': (None, Ellipsis),  # a name inside of a class: asked for as such
    'int': (int, None),
    'list': (list, None),
    'NotImplemented': (NotImplemented, None),
    'object': (object, None),
    'range': (range, range),
    'set': (set, _set),
    'slice': (slice, slice),
    'str': (str, None),
    'tuple': (tuple, None),
    'xrange': (range, range),
}

# Of the standard library: data that runs nothing when it is made.
_STANDARD = {
    'collections': ['OrderedDict', 'defaultdict'],
    'datetime': ['date', 'datetime', 'time', 'timedelta', 'timezone'],
    'decimal': ['Decimal'],
    'pathlib': ['PosixPath', 'PurePosixPath', 'PureWindowsPath'],
    'pathlib._local': ['PosixPath', 'PurePosixPath', 'PureWindowsPath'],  # so in Python 3.13
    'uuid': ['UUID'],
    'zoneinfo': ['ZoneInfo', 'ZoneInfo._unpickle'],
}
_OWN_CALLS = {
    ('_codecs', 'encode'): (_encode, _encode),
    ('copyreg', '_reconstructor'): (_reconstruct, _reconstruct),
    ('copy_reg', '_reconstructor'): (_reconstruct, _reconstruct),
    ('collections', 'deque'): (deque, _deque),
    ('collections', 'Counter'): (Counter, _counter),
}


def _attribute(module, path):
    found = importlib.import_module(module)
    for part in path.split('.'):
        found = getattr(found, part)
    return found


def _entry(allowed):
    """(module, qualified name) of an entry of an allow-list: a pair of these, an object that has
    them, or a text "module:Name" or "module.Name"."""
    if isinstance(allowed, str):
        module, colon, name = allowed.partition(':')
        if not colon:
            module, _, name = allowed.rpartition('.')
        allowed = module, name
    elif not isinstance(allowed, tuple):
        allowed = allowed.__module__, allowed.__qualname__
    module, name = allowed
    if not (isinstance(module, str) and isinstance(name, str) and module and name):
        raise ValueError('not the name of a class or function: %r' % (allowed,))
    return module, name


class _Names:
    """What a name in a pickle stands for: called by the extension, once for each."""

    def __init__(self, allowed, more):
        self._allowed = allowed
        self._more = more

    def __call__(self, module, name):
        if (module, name) in self._more:
            return self._more[module, name]
        if module in ('builtins', '__builtin__') and name in _BUILTINS:
            return _BUILTINS[name]
        if (module, name) in _OWN_CALLS:
            return _OWN_CALLS[module, name]
        if (module, name) in self._allowed:
            found = _attribute(module, name)
            return found, found if callable(found) else None
        if any(m == module and n.startswith(name + '.') for m, n in self._allowed):
            return _attribute(module, name), None  # the way to a name inside of it
        owner, _, member = name.rpartition('.')
        if (module, owner) in self._allowed:
            members = getattr(_attribute(module, owner), '__members__', {})  # of an Enum
            if member in members:
                return members[member], None
        if name in _STANDARD.get(module, ()):
            module = 'pathlib' if module == 'pathlib._local' else module
            return (_attribute(module, name),) * 2
        raise pickle.UnpicklingError(
            '%s.%s is not allowed; disk_allow=["%s:%s"] would' % (module, name, module, name)
        )


def _is_surely_read(data, protocol):
    """Whether it names nothing and is not deep."""
    return (
        protocol >= 4
        and _IMPORT not in data
        and (len(data) < 2 * _DEEPEST or sum(map(data.count, _TUPLES)) < _DEEPEST)
    )


def _dumps(level, protocol, loads, value):
    """The pickle of a value that can be read again: where that is not sure, it is tried."""
    data = pickle.dumps(value, protocol)
    if not _is_surely_read(data, protocol):
        try:
            loads(data)
        except Exception as error:
            raise pickle.PicklingError('what is stored could not be read: %s' % error) from error
    return (level is not None and shorter(data, level)) or data


class SafeDisk(CompressingDisk):
    """Stores as Disk does, and reads what Disk and 5.6.3 have stored, but unpickles only plain data, the
    data types of datetime, decimal, uuid, pathlib and collections, and what is allowed by name:
    nothing in the directory can make it call anything else. A value that it could not read again is not
    stored: pickle.PicklingError.

    `allow`: classes and functions, or their names as "module:Name". An allowed class is made as its
    pickle says, by its __new__, __setstate__ or __init__, with any arguments. 'numpy' stands for arrays,
    numbers and dtypes of numpy that have no objects in them. Further ones are taken
    from the environment's DISKCACHE_DISK_ALLOW, with spaces between them.
    """

    unstored = ('allow', *CompressingDisk.unstored)

    def __init__(self, directory, allow=(), **kwargs):
        super().__init__(directory, **kwargs)
        allow = (allow,) if isinstance(allow, str) else tuple(allow)
        allow += tuple(os.environ.get('DISKCACHE_DISK_ALLOW', '').split())
        self.allow = frozenset(_entry(entry) for entry in allow if entry != 'numpy')
        more, builders = {}, {}
        if 'numpy' in allow:
            from . import arrays

            more, builders = arrays.names(), arrays.BUILDERS
        self._loads = _core.PickleReader(_Names(self.allow, more), builders)
        self._dumps = functools.partial(_dumps, self.compress, self.pickle_protocol, self._loads)
