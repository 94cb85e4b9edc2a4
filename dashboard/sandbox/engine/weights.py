"""Real weights in an uploaded Hugging Face archive: found, and laid out for the engines.

Only safetensors and the text files beside them are ever taken out of an archive: no pickle and
no code of a model is run.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Final

_CONFIG: Final = "config.json"
_TAKEN_SUFFIXES: Final = frozenset({".json", ".model", ".safetensors", ".txt"})
_NEEDED_PACKAGES: Final = ("transformers", "torch", "safetensors")
_LARGEST_CONFIG_BYTES: Final = 1024 * 1024


def packages_are_installed() -> bool:
    """Say whether `requirements-models.txt` is installed."""
    return all(find_spec(name) is not None for name in _NEEDED_PACKAGES)


def folder_of(artefact: Path) -> Path:
    """Return where the weights of a model's file lie, if they were laid out."""
    return artefact.with_name(f"{artefact.name}.weights")


def model_folder(archive: zipfile.ZipFile) -> PurePosixPath | None:
    """Return the folder inside an archive that holds a model in safetensors, or None.

    It has a `config.json` that names a kind of model, and weights beside it.
    """
    names = [PurePosixPath(name) for name in archive.namelist()]
    with_weights = {name.parent for name in names if name.suffix == ".safetensors"}
    for name in names:
        if name.name == _CONFIG and name.parent in with_weights and _names_a_model(archive, name):
            return name.parent
    return None


def lay_out(artefact: Path) -> bool:
    """Take a model's files out of its archive, all of them or none; say whether it has any.

    The archive has passed the checks of the upload: nothing in it points outside itself, and each
    file is as long as it says.
    """
    target = folder_of(artefact)
    draft = target.with_name(f"{target.name}.part")
    with zipfile.ZipFile(artefact) as archive:
        inner = model_folder(archive)
        if inner is None:
            return False
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        for entry in archive.infolist():
            path = PurePosixPath(entry.filename)
            if path.parent == inner and path.suffix in _TAKEN_SUFFIXES and not entry.is_dir():
                # By its last part alone: a name cannot lead anywhere else.
                with archive.open(entry) as source, (draft / path.name).open("xb") as written:
                    shutil.copyfileobj(source, written)
    shutil.rmtree(target, ignore_errors=True)
    os.replace(draft, target)
    return True


def _names_a_model(archive: zipfile.ZipFile, config: PurePosixPath) -> bool:
    entry = archive.getinfo(str(config))
    if entry.file_size > _LARGEST_CONFIG_BYTES:
        return False
    try:
        described = json.loads(archive.read(entry))
    except (ValueError, RecursionError):
        return False
    return isinstance(described, dict) and isinstance(described.get("model_type"), str)
