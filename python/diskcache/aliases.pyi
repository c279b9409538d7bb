from typing import Any

LIMIT: int
MANY: int

def pickles(key: Any, protocol: int) -> list[bytes]: ...
