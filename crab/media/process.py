"""The process that decodes, and how to ask it: a decoder's crash, hang or hunger costs a sentence, and nothing else.

    this process                          the decoding process
    call("frames", clip=…) ── JSON ─────► serve(): opening, video, audio
            array or sentence ◄────────── JSON line, then the array's bytes

It starts with the first call and is used again. One that died or had to be ended is replaced at the next call. Calls
from several threads have a process each, `_MOST` at a time. Nothing that comes back is executed: it is numbers and text.
"""

from __future__ import annotations

import atexit
import dataclasses
import io
import json
import logging
import os
import subprocess
import sys
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from crab import stopping
from crab.media.clip import ADVICE, Clip, Limits, MediaError

_MOST = 2  # processes: a file that takes its time does not keep others waiting
_ROOT = Path(__file__).parents[2]  # where `import crab` works

log = logging.getLogger("crab.media")


# ------------------------------------------------------------------------------------------------------ asking


def call(function: str, *files: Path | None, **arguments: Any) -> Any:
    """What `function` (of `serve`) makes of `arguments`; `files` are those that it reads, for the sentence.

    Raises MediaError, with the decoding process' own sentence or, where that could not say one, with ours.
    """
    stopping.check()
    name = next((file.name for file in files if file is not None), "This file")
    question = json.dumps({"function": function, "limits": _limits(), "arguments": arguments}, default=_plain)
    with _turns:
        decoder = _pool.take()
        answer = decoder.ask(question.encode() + b"\n", within=Limits.decoding)
        if answer is None and decoder.gone_before:  # it ended while it had nothing to do: that is not this file's fault
            decoder = _Decoder()
            answer = decoder.ask(question.encode() + b"\n", within=Limits.decoding)
        if answer is not None:
            _pool.give_back(decoder)
    if answer is None and decoder.late:
        raise MediaError(f"{name} takes longer than {Limits.decoding} s to decode: {ADVICE}.")
    if answer is None:
        log.warning("A decoder ended with status %s in %s of %s", decoder.status, function, name)
        raise MediaError(f"{name} made its decoder fail: {ADVICE}.")
    header, made = answer
    if "sentence" in header:
        raise MediaError(header["sentence"])
    if "hungry" in header:
        raise MediaError(f"{name} takes more than {Limits.memory / 1e9:g} GB of memory to decode: save it smaller.")
    if "fault" in header:
        log.error("%s of %s failed:\n%s", function, name, header["fault"])
        raise MediaError(f"{name} cannot be read: {ADVICE}.")
    return made


class _Decoder:
    """One decoding process, at rest between two questions."""

    def __init__(self) -> None:
        path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from crab.media.process import serve; serve({Limits.memory})"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Threads of a linear algebra that is never used and heaps for each thread would take address space.
            env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"},
        )
        assert isinstance(self._process.stdin, io.BufferedWriter)
        assert isinstance(self._process.stdout, io.BufferedReader)
        self._questions, self._answers = self._process.stdin, self._process.stdout
        self.late = self.gone_before = False

    @property
    def status(self) -> int | None:
        return self._process.returncode

    def ask(self, question: bytes, *, within: float) -> tuple[dict, Any] | None:
        """Header and what came with it; None where the process ended, or was ended after `within` seconds."""
        clock = threading.Timer(within, self._expire)
        clock.daemon = True
        clock.start()
        try:
            try:
                self._questions.write(question)
                self._questions.flush()
            except OSError:
                self.gone_before = True
                raise
            return _read(self._answers)
        except (OSError, EOFError):
            self.end()
            return None
        except BaseException:  # interrupted in mid-answer: what is still in the pipe belongs to nobody
            self.end()
            raise
        finally:
            clock.cancel()

    def _expire(self) -> None:
        self.late = True
        self._process.kill()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._questions, self._answers):
            with suppress(OSError):  # what was not written yet has no reader any more
                pipe.close()


class _Pool:
    """Decoders at rest. A process that was forked off has none of its parent's: two would read one pipe."""

    def __init__(self) -> None:
        self._lock, self._owner = threading.Lock(), os.getpid()
        self._resting: list[_Decoder] = []

    def take(self) -> _Decoder:
        with self._lock:
            if self._owner != os.getpid():
                self._owner, self._resting = os.getpid(), []
            if self._resting:
                return self._resting.pop()
        return _Decoder()

    def give_back(self, decoder: _Decoder) -> None:
        with self._lock:
            self._resting.append(decoder)

    def close(self) -> None:
        with self._lock:
            if self._owner == os.getpid():
                for decoder in self._resting:
                    decoder.end()
            self._resting = []


_pool = _Pool()
_turns = threading.BoundedSemaphore(_MOST)
atexit.register(_pool.close)


def start() -> None:
    """Start a decoding process now, so that the first clip does not wait for it."""
    _pool.give_back(_pool.take())


def _limits() -> dict[str, float]:
    return {name: value for name, value in vars(Limits).items() if not name.startswith("_")}


def _plain(value: Any) -> Any:
    """What JSON does not know, as what it does."""
    if isinstance(value, Clip):
        return {"clip": dataclasses.asdict(value)}
    if isinstance(value, Path):
        return {"path": str(value.absolute())}  # the other process may stand in another folder
    return value.item()  # NumPy's numbers


def _meant(value: dict[str, Any]) -> Any:
    """The reverse of `_plain`."""
    if value.keys() == {"path"}:
        return Path(value["path"])
    return Clip(**value["clip"]) if value.keys() == {"clip"} else value


# ------------------------------------------------------------------------------------------------ the wire


def _write(pipe: io.BufferedIOBase, header: dict[str, Any], *arrays: np.ndarray) -> None:
    """A line of JSON, then the arrays' bytes."""
    shapes = [{"shape": array.shape, "dtype": str(array.dtype)} for array in arrays]
    pipe.write(json.dumps(header | {"arrays": shapes}, default=_plain).encode() + b"\n")
    for array in arrays:
        pipe.write(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    pipe.flush()


def _read(pipe: io.BufferedIOBase) -> tuple[dict[str, Any], Any]:
    """What `_write` wrote: the header, and its arrays (one alone, or a tuple) or `value`. EOFError if it breaks off."""
    line = pipe.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    header = json.loads(line, object_hook=_meant)
    arrays = []
    for given in header["arrays"]:
        array = np.empty(given["shape"], given["dtype"])
        if array.size and pipe.readinto(array.data.cast("B")) < array.nbytes:
            raise EOFError
        arrays.append(array)
    if "value" in header:
        return header, header["value"]
    return header, arrays[0] if len(arrays) == 1 else tuple(arrays)


# ---------------------------------------------------------------------------------- in the decoding process


def serve(memory: int) -> None:
    """Answer questions from standard input on standard output until it is closed, in `memory` bytes at most."""
    _limit_memory(memory)
    warnings.simplefilter("ignore")  # what is odd about a file is for our sentences to say
    from crab.media import audio, opening, video

    functions = (opening.open_clip, opening.check_length, video.frames, video.frame_at, audio.sound, audio.track)
    named = {function.__name__: function for function in functions}
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    for line in sys.stdin.buffer:
        question = json.loads(line, object_hook=_meant)
        for name, value in question["limits"].items():
            setattr(Limits, name, value)
        _answer(answers, named[question["function"]], question["arguments"])


def _answer(pipe: io.BufferedIOBase, function: Any, arguments: dict[str, Any]) -> None:
    try:
        made = function(**arguments)
    except MediaError as error:
        _write(pipe, {"sentence": str(error)})
    except MemoryError:
        _write(pipe, {"hungry": True})
    except FileNotFoundError as error:  # what a visit has left on the disk is let go after a while
        name = Path(str(error.filename or "This file")).name
        _write(pipe, {"sentence": f"{name} is no longer here: upload it again."})
    except Exception:
        import traceback

        _write(pipe, {"fault": traceback.format_exc()})
    else:
        if made is None or isinstance(made, (Clip, float)):
            _write(pipe, {"value": made})
        else:
            _write(pipe, {}, *(made if isinstance(made, tuple) else (made,)))


def _limit_memory(most: int) -> None:
    """Hold this process to `most` bytes, where the system can (Linux; elsewhere time alone is limited)."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):  # Windows has none of it, macOS does not let address space be limited
        log.debug("The memory of the decoding process is not limited on this system")
