"""The zip of an orchestration: checked at upload, unpacked for each run."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import Final

from dashboard.sandbox.conversion import BadArchive, inspect

LARGEST_ARCHIVE_BYTES: Final = 512 * 1024**2
_LARGEST_UNPACKED_BYTES: Final = 2 * 1024**3
_ENTRY_POINT: Final = "main.py"
_REQUIREMENTS: Final = "requirements.txt"
#: ValueError: a name that is no text, or one that no path may have.
_UNREADABLE: Final = (
    *(zipfile.BadZipFile, zlib.error, LZMAError, EOFError),
    *(NotImplementedError, RuntimeError, ValueError),
)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a run needs to know of an archive, as paths inside it.

    Parameters
    ----------
    entry_point
        The program: `main.py` at the top, or else the first one in a folder.
    requirements
        The list of packages, if there is one.
    """

    entry_point: PurePosixPath
    requirements: PurePosixPath | None


def examine(path: Path) -> Contents:
    """Check an archive and say what is in it.

    Raises
    ------
    BadArchive
        If it is unsafe or damaged, has no `main.py`, or has more than one `requirements.txt`.
    """
    inspect(path)
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if sum(entry.file_size for entry in entries) > _LARGEST_UNPACKED_BYTES:
        raise BadArchive(f"the archive unpacks to more than {_LARGEST_UNPACKED_BYTES >> 30} GiB")
    names = [PurePosixPath(entry.filename) for entry in entries]
    programs = [name for name in names if name.name == _ENTRY_POINT]
    if not programs:
        raise BadArchive(f"the archive holds no {_ENTRY_POINT}")
    requirements = {name for name in names if name.name == _REQUIREMENTS}
    if len(requirements) > 1:
        raise BadArchive(f"the archive holds more than one {_REQUIREMENTS}")
    top = PurePosixPath(_ENTRY_POINT)
    return Contents(
        top if top in programs else programs[0], requirements.pop() if requirements else None
    )


def unpack(path: Path, target: Path) -> None:
    """Unpack a checked archive into a folder. Raises BadArchive if it cannot be read.

    Nothing in it leads outside, no link is made, and no file grows beyond its stated size.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(target)
    except _UNREADABLE as exc:
        raise BadArchive("the archive is damaged or packed in a way that cannot be read") from exc
    except OSError as exc:
        raise BadArchive(f"the archive cannot be unpacked: {exc.strerror}") from exc
