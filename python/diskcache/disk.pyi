from collections.abc import Sequence
from typing import IO, Any, Final

from typing_extensions import disjoint_base

DBNAME: Final = 'cache.db'
MODE_NONE: Final = 0
MODE_RAW: Final = 1
MODE_BINARY: Final = 2
MODE_TEXT: Final = 3
MODE_PICKLE: Final = 4
CHUNK: int

@disjoint_base
class Constant(tuple[str]):
    def __new__(cls, name: str) -> Constant: ...

ENOVAL: Constant
UNKNOWN: Constant

class Disk:
    min_file_size: int
    pickle_protocol: int
    _directory: str
    unstored: tuple[str, ...]
    secret: tuple[str, ...]
    @staticmethod
    def _loads(
        data: Any,
        /,
        *,
        fix_imports: bool = True,
        encoding: str = 'ASCII',
        errors: str = 'strict',
        buffers: Any = (),
    ) -> Any: ...
    def __init__(
        self, directory: str, min_file_size: int = 0, pickle_protocol: int = 0
    ) -> None: ...
    def hash(self, key: Any) -> int: ...
    def put(self, key: Any) -> tuple[Any, bool]: ...
    def get(self, key: Any, raw: bool) -> Any: ...
    def aliases(self, key: Any) -> Sequence[tuple[Any, bool]]: ...
    def store(
        self, value: Any, read: bool, key: Any = ...
    ) -> tuple[int, int, str | None, Any]: ...
    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any | IO[bytes]: ...
    def filename(self, key: Any = ..., value: Any = ...) -> tuple[str, str]: ...
    def remove(self, file_path: str) -> None: ...

class JSONDisk(Disk):
    KEY_LEVEL: int
    OTHER_LEVELS: tuple[int, ...]
    compress_level: int
    def __init__(self, directory: str, compress_level: int = 1, **kwargs: Any) -> None: ...
