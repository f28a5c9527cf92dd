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
    (folder / "records").mkdir(parents=True, exist_ok=True)
    files = sorted([*texts, *heads])
    manifest.write_text(json.dumps({"of": "compare", "files": files}, indent=2) + "\n", "utf-8")
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    for name, head in heads.items():
        head.save(folder / name)


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
