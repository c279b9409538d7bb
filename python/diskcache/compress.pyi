from typing import Any

from .disk import Disk

SHORTEST: int
LARGEST: int

def shorter(data: bytes, level: int) -> bytes | None: ...
def expand(frame: bytes) -> bytes: ...

class CompressingDisk(Disk):
    compress: int | None
    def __init__(self, directory: str, compress: int | None = None, **kwargs: Any) -> None: ...
