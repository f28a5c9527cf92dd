"""A comparison's folder."""

from __future__ import annotations

import json
import os
import pathlib

from tailfit._head import Head


def write(folder: str | os.PathLike, texts: dict[str, str], heads: dict[str, Head]) -> None:
    """Write files by their names in a folder, without what an earlier comparison left there."""
    folder = pathlib.Path(folder)
    manifest = folder / "manifest.json"
    of, earlier = _read(manifest) if manifest.exists() else ("compare", [])
    if of != "compare" and earlier:
        raise ValueError(f"folder: expected one without files of other commands, found those of {of} in {folder}")
    for name in set(earlier) - set(texts) - set(heads):
        # It lists what may be removed: nothing outside the folder is.
        if (folder / name).resolve().is_relative_to(folder.resolve()):
            (folder / name).unlink(missing_ok=True)
    for name in [*texts, *heads]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    files = sorted([*texts, *heads])
    _whole(manifest, json.dumps({"of": "compare", "files": files}, indent=2) + "\n")
    for name, text in texts.items():
        _whole(folder / name, text)
    for name, head in heads.items():
        head.save(folder / name)


def _whole(path: pathlib.Path, text: str) -> None:
    """Write a file under another name first, so that its own never stands for half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _read(manifest: pathlib.Path) -> tuple[str, list[str]]:
    """What wrote a folder's files, and their names."""
    try:
        found = json.loads(manifest.read_text("utf-8"))
        files = found["files"]
        if set(found) <= {"of", "files"} and all(isinstance(name, str) for name in files):
            return found.get("of", "compare"), files
    except (ValueError, TypeError, KeyError):
        pass
    raise ValueError(f"folder: expected the list of a comparison's files, found another file, {manifest}")
