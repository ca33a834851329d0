"""Fetching from the Hugging Face hub into its own cache: only what is read, with room asked for, and going on where
it was cut.

A published base brings talker and vocoder beside the thinker, gigabytes that nothing here reads: shards without a
thinker tensor are left out, and `find` gives a folder whose index does without them. What is in the cache is used as
it is, without asking the hub; `fetch` asks for what is newest of the revision.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import huggingface_hub as hf
from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import http_get, repo_folder_name
from huggingface_hub.utils import WeakFileLock, build_hf_headers
from tqdm.auto import tqdm

from crab import CrabError
from crab.weights import names
from crab.weights.names import Checkpoint, Place

Say = Callable[[str], None]

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
LIKE = "Qwen/Qwen2.5-Omni-7B"
NOT_READ = ("talker.", "token2wav.")  # beginnings of tensors' names
ADAPTER_FILES = ("adapter_model.safetensors", "adapter_model.bin", "finetune_weights.bin")  # as in ilora.checkpoint
ADAPTER_CONFIG = "adapter_config.json"
PIECE = 2**16  # bytes that are written at once, and of what a weights file has to have for us to go on with it
SPARE = 2**30  # bytes that a disk should have left
PATIENCE = 10  # seconds for the hub to say what it has


@dataclass(frozen=True)
class Found:
    """A model on this machine."""

    name: str  # for people
    base: str  # folder
    adapter: str | None  # folder or file


@dataclass(frozen=True)
class File:
    name: str
    size: int  # bytes
    blob: str  # what the cache calls its content; of weights the SHA-256

    @property
    def large(self) -> bool:
        return self.size >= PIECE and len(self.blob) == 64


@dataclass(frozen=True)
class Part:
    """What one repository has that is needed."""

    place: Place  # of one kind
    commit: str
    files: tuple[File, ...]
    left_out: tuple[File, ...]  # shards that hold nothing that is read

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def missing(self) -> tuple[File, ...]:
        return tuple(file for file in self.files if not self._has(file))

    @property
    def to_come(self) -> int:
        """Bytes, less what came before a download was cut."""
        return sum(file.size - _size(_begun(self.place, file)) for file in self.missing)

    def _has(self, file: File) -> bool:
        at = replace(self.place, revision=self.commit)
        return _blob(self.place, file).exists() or _cached(at, file.name) is not None


def tell(line: str) -> None:
    print(line, file=sys.stderr)


def find(model: str | Path, adapter: str | Path | None = None, *, say: Say = tell) -> Found:
    """The folder and the adapter that `model` means, fetched if they are not here.

    `model` and `adapter` are names as in `names`; `say` is told what is being fetched. Raises CrabError with what to
    do where there is no network, no room, no such repository or revision.
    """
    checkpoint = names.meant(model, adapter)
    base = names.place(checkpoint.base)
    adapted = checkpoint.adapter and names.place(checkpoint.adapter, files=True)
    wanted = [(place, choose) for place, choose in ((base, _base_files), (adapted, _adapter_files)) if place]
    folders = _here(wanted, say)
    return Found(
        name=str(model) if str(model) in names.CHECKPOINTS else Path(base.repo if base else checkpoint.base).name,
        base=_loadable(folders[base]) if base else checkpoint.base,
        adapter=_adapter_in(folders[adapted], adapted) if adapted else checkpoint.adapter,
    )


def find_segmenter(name: str, *, say: Say = tell) -> str:
    """The folder that the name of a segmenter means, fetched if it is not here. Raises CrabError as `find` does."""
    place = names.place(name)
    return str(_here([(place, _segmenter_files)], say)[place]) if place else name


def fetch(checkpoint: Checkpoint, *, say: Say = tell) -> tuple[Part, ...]:
    """Bring what the hub has of `checkpoint` into its cache, newest of each revision. Raises CrabError as `find` does.

    Says sizes first, and fetches nothing where the disk is too small. What is cut goes on when called again.
    """
    wanted = []
    for name, choose in (
        (checkpoint.base, _base_files),
        (checkpoint.adapter, _adapter_files),
        (checkpoint.segmenter, _segmenter_files),
    ):
        place = names.place(name, files=choose is _adapter_files) if name else None
        wanted += [(place, choose)] if place else []
    if names.place(checkpoint.base) is None and not os.path.isdir(checkpoint.base):
        raise CrabError(f"{checkpoint.base} is neither {' nor '.join(names.CHECKPOINTS)}, nor a folder, nor user/model "
                        "on the hub: give one of these.")  # fmt: skip
    parts = tuple(_look(place, choose) for place, choose in wanted)
    _bring(parts, say)
    return parts


def cached_config(place: Place, *, fetch: bool = True) -> Path | None:
    """The `config.json` of a model's repository; None if it is not here and is not to be fetched."""
    here = _cached(place, "config.json")
    if here is None and fetch:
        info = _look(place, lambda _, has: ([name for name in has if name == "config.json"], []))
        if not info.files:
            raise CrabError(f"{place.repo} has no config.json: give a model laid out like {LIKE}.")
        here = _snapshot(info, ["config.json"], info.commit) / "config.json"
    return here


# ---- what is needed of a repository: names → those to fetch, and shards to leave out ----

Choose = Callable[[Place, Iterable[str]], tuple[list[str], list[str]]]


def _base_files(place: Place, has: Iterable[str]) -> tuple[list[str], list[str]]:
    has = list(has)
    small = [name for name in has if name.startswith("adapter/") or _says_something(name)]
    if WHOLE in has:
        return [*small, WHOLE], []
    if INDEX not in has:
        raise CrabError(f"{place.repo} has neither {WHOLE} nor {INDEX}: give a model laid out like {LIKE}.")
    with _sentences(place):
        index = hf.hf_hub_download(place.repo, INDEX, repo_type=place.kinds[0], revision=place.revision)
    read, not_read = _shards(Path(index))
    return small + read, not_read


def _says_something(name: str) -> bool:
    """Whether a file is configuration, vocabulary or template."""
    return "/" not in name and Path(name).suffix in (".json", ".txt", ".jinja")


def _shards(index: Path) -> tuple[list[str], list[str]]:
    """The weight files that hold something the thinker is made of, and those that do not."""
    try:
        weights = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        read = {file for tensor, file in weights.items() if not tensor.startswith(NOT_READ)}
        return sorted(read), sorted(set(weights.values()) - read)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise CrabError(f"{index.name} of {index.parent} is not the index of a model's weights.") from error


def _adapter_files(place: Place, has: Iterable[str]) -> tuple[list[str], list[str]]:
    has = set(has)
    file = next((name for name in _adapter_names(place) if name in has), None)
    if file is None:
        raise CrabError(f"{place.repo} has no {' or '.join(_adapter_names(place))}: it has {_list(has)}, and "
                        f"{place.repo}/FILE names one.")  # fmt: skip
    config = PurePosixPath(file).with_name(ADAPTER_CONFIG).as_posix()
    return [file] + ([config] if config in has else []), []


def _adapter_names(place: Place) -> list[str]:
    """The file that is meant, or those it may be where a folder is."""
    if place.file.endswith((".bin", ".safetensors")):
        return [place.file]
    return [(PurePosixPath(place.file) / name).as_posix() for name in ADAPTER_FILES]


def _segmenter_files(place: Place, has: Iterable[str]) -> tuple[list[str], list[str]]:
    has = set(has)
    if not {"config.json", WHOLE} <= has:
        raise CrabError(f"{place.repo} holds no SAM model: config.json and {WHOLE} are missing.")
    return sorted(filter(_says_something, has)) + [WHOLE], []


def _list(files: Iterable[str]) -> str:
    files = sorted(files)
    return ", ".join(files[:5]) + (f" and {len(files) - 5} more" if len(files) > 5 else "") or "nothing"


# ---- what is here ----


def _here(wanted: Sequence[tuple[Place, Choose]], say: Say) -> dict[Place, Path]:
    """The snapshot folder of each place, fetched if it is not whole."""
    looked = {place: _whole(place, choose) for place, choose in wanted}
    here = {place: folder for place, folder in looked.items() if folder is not None}
    absent = [(place, choose) for place, choose in wanted if place not in here]
    parts = [_look(place, choose) for place, choose in absent]
    here |= dict(zip([place for place, _ in absent], _bring(parts, say)))
    return {place: here[place] for place, _ in wanted}


def _whole(place: Place, choose: Choose) -> Path | None:
    """The cached snapshot of a place if all is there that is needed; weights are fetched last, so they tell."""
    for kind in place.kinds:
        of_kind = replace(place, kinds=(kind,))
        if choose is _adapter_files:
            for name in _adapter_names(place):
                if file := _cached(of_kind, name):
                    return file.parents[name.count("/")]
            continue
        config = _cached(of_kind, "config.json")
        if config is None:
            continue
        folder = config.parent
        if (folder / WHOLE).exists():
            return folder
        if (folder / INDEX).exists() and all((folder / shard).exists() for shard in _shards(folder / INDEX)[0]):
            return folder
    return None


def _cached(place: Place, name: str) -> Path | None:
    with _sentences(place):
        found = hf.try_to_load_from_cache(place.repo, name, revision=place.revision, repo_type=place.kinds[0])
    return Path(found) if isinstance(found, str) else None


def _adapter_in(folder: Path, place: Place) -> str:
    """What to open in a snapshot: the file, or the folder in PEFT's format, which has a configuration beside it."""
    file = next(folder / name for name in _adapter_names(place) if (folder / name).exists())
    return str(file.parent if file.with_name(ADAPTER_CONFIG).exists() else file)


def _loadable(folder: Path) -> str:
    """A folder to load a snapshot from: itself, or one of links whose index does without the shards left out.

    transformers opens every file that an index names.
    """
    if (folder / WHOLE).exists() or not _shards(folder / INDEX)[1]:
        return str(folder)
    repo = folder.parents[1].name
    links = hf.cached_assets_path(library_name="crab-plus", namespace=repo, subfolder=folder.name)
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    index["weight_map"] = {t: file for t, file in index["weight_map"].items() if not t.startswith(NOT_READ)}
    for path in folder.rglob("*"):
        if path.is_file() and path.name != INDEX:
            _link(path, links / path.relative_to(folder))
    part = links / f"{INDEX}.{os.getpid()}"
    part.write_text(json.dumps(index), encoding="utf-8")
    part.replace(links / INDEX)  # never half of it
    return str(links)


def _link(path: Path, link: Path) -> None:
    target = path.resolve()
    if link.exists() and link.samefile(target):
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    part = link.with_name(f"{link.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    try:
        part.symlink_to(target)
    except OSError:  # Windows allows links of this kind to developers only
        os.link(target, part)
    part.replace(link)


# ---- fetching ----


def _look(place: Place, choose: Choose) -> Part:
    """Ask the hub what `place` has."""
    info: Any = None
    for kind in place.kinds:
        last = kind == place.kinds[-1]
        try:
            with _sentences(place):
                info = hf.HfApi().repo_info(
                    place.repo, repo_type=kind, revision=place.revision, files_metadata=True, timeout=PATIENCE
                )
            break
        except CrabError as error:
            cause = error.__cause__
            if last or not isinstance(cause, RepositoryNotFoundError) or isinstance(cause, GatedRepoError):
                raise
    files = {s.rfilename: File(s.rfilename, s.size or 0, s.lfs.sha256 if s.lfs else s.blob_id) for s in info.siblings}
    place = replace(place, kinds=(kind,))
    wanted, left_out = choose(replace(place, revision=info.sha), files)
    absent = [name for name in wanted if name not in files]
    if absent:
        raise CrabError(f"{place.repo} is not whole: its index names {absent[0]}, which is not there.")
    return Part(place, info.sha, tuple(files[n] for n in wanted), tuple(files[n] for n in left_out if n in files))


def _bring(parts: Sequence[Part], say: Say) -> list[Path]:
    """Fetch what is missing of `parts` and return their snapshot folders."""
    if any(part.missing for part in parts):
        for part in parts:
            left = sum(file.size for file in part.left_out)
            without = f"; {_gb(left)} that are not read stay there" if left else ""
            say(f"{part.place} ({part.commit[:12]}): {_gb(part.size)}, {_gb(part.to_come)} to fetch{without}")
        _ask_for_room(sum(part.to_come for part in parts), say)
    return [_bring_part(part) for part in parts]


def _ask_for_room(size: int, say: Say) -> None:
    cache = Path(constants.HF_HUB_CACHE).absolute()
    there = next(folder for folder in (cache, *cache.parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    if size + SPARE > free:
        raise CrabError(f"{_gb(size)} are to be fetched and {_gb(free)} are free in {cache}: make room, or set HF_HOME "
                        "to a folder on a larger disk.")  # fmt: skip
    say(f"{_gb(size)} to fetch in all, {_gb(free)} free in {cache}")


def _bring_part(part: Part) -> Path:
    with _sentences(part.place):
        # Weights last: where they are, all is. The revision's name moves to this commit when the whole of it is here.
        small = [file.name for file in part.files if not file.large]
        if small:
            _snapshot(part, small, part.commit)
        for file in part.missing:
            _go_on(part, file)
        return _snapshot(part, [file.name for file in part.files], part.place.revision)


def _snapshot(part: Part, files: list[str], revision: str) -> Path:
    return Path(hf.snapshot_download(
        part.place.repo, repo_type=part.place.kinds[0], revision=revision, tqdm_class=_Silent,
        allow_patterns=[glob.escape(file) for file in files],
    ))  # fmt: skip


class _Silent(tqdm):
    """No bar for a handful of small files: each large one has its own."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options | {"disable": True})


def _go_on(part: Part, file: File) -> None:
    """Fetch a weights file to where the hub's cache looks for its content, from where it was cut.

    The hub's own download keeps nothing of a file that it did not bring to its end.
    """
    blob, begun = _blob(part.place, file), _begun(part.place, file)
    locks = Path(constants.HF_HUB_CACHE) / ".locks" / blob.parents[1].name
    for folder in (blob.parent, locks):
        folder.mkdir(parents=True, exist_ok=True)
    url = hf.hf_hub_url(part.place.repo, file.name, repo_type=part.place.kinds[0], revision=part.commit)
    with WeakFileLock(locks / f"{file.blob}.lock"):
        if blob.exists():
            return
        if _size(begun) > file.size:
            begun.unlink()
        with begun.open("ab") as out, _small_pieces():
            http_get(url, out, resume_size=_size(begun), headers=build_hf_headers(), expected_size=file.size,
                     displayed_filename=file.name)  # fmt: skip
        if _sha256(begun) != file.blob:
            begun.unlink()
            raise CrabError(f"{file.name} of {part.place.repo} arrived damaged and was put away: fetch it again.")
        begun.replace(blob)


@contextmanager
def _small_pieces():
    """The hub's client writes ten megabytes at a time, and what came of them is lost with the connection."""
    before, constants.DOWNLOAD_CHUNK_SIZE = constants.DOWNLOAD_CHUNK_SIZE, PIECE
    try:
        yield
    finally:
        constants.DOWNLOAD_CHUNK_SIZE = before


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(2**22):
            digest.update(piece)
    return digest.hexdigest()


def _blob(place: Place, file: File) -> Path:
    folder = repo_folder_name(repo_id=place.repo, repo_type=place.kinds[0])
    return Path(constants.HF_HUB_CACHE) / folder / "blobs" / file.blob


def _begun(place: Place, file: File) -> Path:
    blob = _blob(place, file)
    return blob.with_name(f"{blob.name}.incomplete")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextmanager
def _sentences(place: Place):
    """Turns what goes wrong between here and the hub into a CrabError."""
    try:
        yield
    except (HTTPError, OSError, HFValidationError) as error:
        raise CrabError(_sentence(place, error)) from error


def _sentence(place: Place, error: BaseException) -> str:
    if isinstance(error, LocalEntryNotFoundError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, OfflineModeIsEnabled):
        return f"{place} is not here yet, and HF_HUB_OFFLINE forbids to fetch it: unset that, or give a folder."
    if isinstance(error, GatedRepoError):
        return f"{place.repo} is given to those only who accept its terms: do so on its page, then `hf auth login`."
    if isinstance(error, (RepositoryNotFoundError, HFValidationError)):
        return (f"There is no folder {place.repo} here, and no repository of that name on the hub that is open to you: "
                "mind the spelling, or `hf auth login` if it is private.")  # fmt: skip
    if isinstance(error, RevisionNotFoundError):
        return f"{place.repo} has no revision {place.revision}: give a branch, a tag or a whole commit after the @."
    if isinstance(error, HfHubHTTPError) and error.response is not None:
        return f"The hub answered {error.response.status_code} when asked for {place}: try again later."
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return (f"The disk became full while {place} was being fetched: make room and run the same again, which goes "
                "on from there, or set HF_HOME to a folder on a larger disk.")  # fmt: skip
    if isinstance(error, PermissionError):
        return f"{error.filename} may not be written: set HF_HOME to a folder that may."
    return (f"{place} is not here as a whole, and the hub ({constants.ENDPOINT}) cannot be reached: connect to a "
            "network and run the same again, which goes on where it stopped, or give a folder.")  # fmt: skip


def _gb(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
