from typing import Any

LIMIT: int

def pickles(key: Any, protocol: int) -> list[bytes]: ...
