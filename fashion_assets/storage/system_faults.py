"""What the system refuses, in a sentence for people: which path, and what to do. No right, no room."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

#: What the system says where a file may not be written or opened, and where there is no room for it.
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
#: A file that is being written (``files.open_temporary``): people know it by the name that it was to have.
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.\w{8,16}\.tmp")


def system_sentence(fault: OSError) -> str | None:
    """The sentence, or None for a fault of another kind."""
    if fault.errno not in _FORBIDDEN | NO_ROOM:
        return None
    # Of a rename the second is the place where the file was to be.
    named = next(
        (os.fsdecode(one) for one in (fault.filename2, fault.filename) if isinstance(one, str | bytes)), ""
    )
    path = Path(named)
    if fault.errno in NO_ROOM:
        where = f"the disk of {path.parent}" if named else "the disk"
        return (
            f"{where} is full ({fault.strerror}); make room there, or choose a folder on another disk: --data-dir, or "
            "--out of a command that has it"
        )
    if not named:
        return f"a file cannot be written or read ({fault.strerror}); --debug shows which"
    closed = next((folder for folder in [*path.parents][::-1] if not os.access(folder, os.X_OK)), None)
    if closed is not None and os.access(closed, os.F_OK):
        return f"{closed} may not be entered ({fault.strerror}); give yourself the right to read and enter it"
    if os.access(path, os.F_OK) and not os.access(path, os.R_OK):
        return f"{path} cannot be read ({fault.strerror}); give yourself the right to read it"
    temporary = _TEMPORARY.fullmatch(path.name)
    return (
        f"{temporary['name'] if temporary else path.name} cannot be written in {path.parent} ({fault.strerror}); give "
        "yourself the right to write there, or choose a folder that you may write: --data-dir, or --out of a command "
        "that has it"
    )
