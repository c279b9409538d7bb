from typing import Any, Final

from .disk import Disk

MARKER: bytes
TUPLE: Final = 1
SET: Final = 2
FROZENSET: Final = 3
DATETIME: Final = 4
DATE: Final = 5
TIME: Final = 6
TIMEDELTA: Final = 7
DECIMAL: Final = 8
UUID: Final = 9
INTEGER: Final = 10

class MsgpackDisk(Disk):
    compress: int | None
    def __init__(self, directory: str, compress: int | None = None, **kwargs: Any) -> None: ...
