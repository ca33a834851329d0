"""The Crab+ page: `python app.py` serves it on http://127.0.0.1:7860.

Environment: CRAB_MODEL (crab-mini if unset; crab-plus, or a folder or hub id laid out like Qwen/Qwen2.5-Omni-7B),
CRAB_ADAPTER (the published .bin or a PEFT folder, here or on the hub), CRAB_QUANTIZE (4bit or 8bit: less memory for the
language model; needs bitsandbytes), CRAB_SEGMENTER ("grabcut", or a SAM 2 hub id or folder), and Gradio's own
GRADIO_SERVER_NAME, GRADIO_SERVER_PORT and GRADIO_SHARE. What the page is made of lives in `crab/page`.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import time

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported: the page calls nobody
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # its advice is for who writes models, not for who asks them
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # where it is there, it advises on kernels when imported

import spaces  # noqa: E402, F401  before anything that may touch CUDA; does nothing outside a ZeroGPU Space

from crab import CrabError  # noqa: E402
from crab.media import process  # noqa: E402
from crab.model import Crab  # noqa: E402
from crab.page.answering import ending  # noqa: E402
from crab.page.page import build, launch  # noqa: E402
from crab.segment import Segmenter, load_segmenter  # noqa: E402
from crab.weights import meant  # noqa: E402


def load() -> tuple[Crab, Segmenter]:
    """The model and the segmenter that the environment names. Raises CrabError where there is none."""
    model, adapter = os.environ.get("CRAB_MODEL") or "crab-mini", os.environ.get("CRAB_ADAPTER")
    parts = meant(model, segmenter=os.environ.get("CRAB_SEGMENTER"))
    quantize = os.environ.get("CRAB_QUANTIZE") or None
    return Crab.load(model, adapter, quantize=quantize), load_segmenter(parts.segmenter)


def main() -> None:
    """Serves until Ctrl-C or SIGTERM, also in the middle of an answer."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    process.start()  # or the first clip would wait for it
    page = None
    try:
        page = build(*load())
        launch(page)
        while True:
            time.sleep(0.5)
    except CrabError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: os._exit(130))  # whoever cannot wait
        ending.set()
        if page:
            page.close(verbose=False)
        leave(0 if page else 130)


def leave(status: int) -> None:
    """Ends the process without taking the interpreter apart.

    Answers run in daemon threads. Where one is inside torch when the interpreter ends, Python ends the thread as soon
    as it comes back, through frames of C++ that may not be left so, and C++ aborts the process (signal 6).
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
