"""Files that are written whole or not at all, and what to say where a disk does not take them."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crab import shortened

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}
_CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """A place near `path` to write a file to, which takes its name once all of it is there.

    Whatever cuts the writing short, an error or Ctrl-C, leaves nothing behind, and what stood there before as it was.
    What is no file (a pipe, a device) is written to as it is. Raises OSError that names `path`.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        yield path
        return
    try:
        place = tempfile.mkdtemp(prefix=".", dir=path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        part = Path(place, path.name)
        yield part
        part.replace(path)
    except OSError as error:
        if error.errno and str(error.filename or place).startswith(place):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        shutil.rmtree(place, ignore_errors=True)


def not_taken(error: OSError) -> str | None:
    """The sentence for a disk that has no room, or a folder that may not be written; None for any other error."""
    where = f" for {shortened(Path(str(error.filename)).name)}" if error.filename else ""
    if error.errno in _FULL:
        return f"There is no room left on the disk{where}: make some, then try again."
    if error.errno in _CLOSED:
        return f"The folder{where} may not be written to: choose another, or have it opened."
    return None
