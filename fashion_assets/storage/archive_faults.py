"""What Python's readers of zip, gzip and tar raise for damaged or hostile files: more than their own errors."""

from __future__ import annotations

import lzma
import struct
import tarfile
import zipfile
import zlib
from typing import Final

#: RuntimeError: the member is encrypted. NotImplementedError: packed in a way that Python cannot read. ValueError,
#: struct.error, IndexError, KeyError, OverflowError: numbers and names in a header that are none. The rest: bytes
#: that are not what was packed.
ARCHIVE_FAULTS: Final = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    IndexError,
    KeyError,
    OverflowError,
)
