"""What stands where a program asks for Disk: the choice of the process, by a call or by its environment.

SPDX-License-Identifier: Apache-2.0
"""

import importlib
import os

# Loaded when asked for: each may need a package that is not there.
_NAMES = {
    'Disk': 'diskcache.disk:Disk',
    'JSONDisk': 'diskcache.disk:JSONDisk',
    'MsgpackDisk': 'diskcache.packed:MsgpackDisk',
    'SafeDisk': 'diskcache.safe:SafeDisk',
    'SignedDisk': 'diskcache.signed:SignedDisk',
}

_chosen = None  # (class, options), or None: as the environment says


def _find(name):
    module, colon, path = _NAMES.get(name, name).partition(':')
    if not colon:
        raise ValueError('DISKCACHE_DISK: neither a Disk of diskcache nor "module:Class": %r' % name)
    found = importlib.import_module(module)
    for part in path.split('.'):
        found = getattr(found, part)
    return found


def set_default_disk(disk=None, **options):
    """Have all caches that are opened from now on without a Disk of their own, or with Disk, use
    `disk`: a subclass of Disk, or its name as in DISKCACHE_DISK. `options` are its settings
    (`disk_...`). Without arguments, the environment decides again."""
    global _chosen
    from .disk import Disk

    kind = _find(disk) if isinstance(disk, str) else disk
    if kind is None and options or kind is not None and not issubclass(kind, Disk):
        raise ValueError('disk must subclass diskcache.Disk')
    for name in options:
        if not name.startswith('disk_'):
            raise ValueError('not an option of a Disk: %r' % name)
    _chosen = None if kind is None else (kind, options)


def default_disk():
    """The Disk of caches that are opened without one: that of set_default_disk(), else that which the
    environment's DISKCACHE_DISK names, else Disk."""
    return _choice()[0]


def _choice():
    if _chosen is not None:
        return _chosen
    return _find(os.environ.get('DISKCACHE_DISK') or 'Disk'), {}


def resolve(disk, settings):
    """Disk and settings of a cache whose opener has asked for these."""
    from .disk import Disk

    if disk is not Disk:
        return disk, settings
    kind, options = _choice()
    return kind, {**options, **settings}


def trusts_directories():
    """Whether the environment says to load pickles from any directory."""
    return os.environ.get('DISKCACHE_TRUST_DIRECTORY', '') not in ('', '0')
