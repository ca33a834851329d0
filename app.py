"""The Crab+ page: `python app.py` serves it on http://127.0.0.1:7860.

Environment: CRAB_MODEL (crab-mini if unset; crab-plus, or a folder or hub id laid out like Qwen/Qwen2.5-Omni-7B),
CRAB_ADAPTER (the published .bin or a PEFT folder, here or on the hub), CRAB_QUANTIZE (4bit or 8bit: less memory for the
language model; needs bitsandbytes), CRAB_SEGMENTER ("grabcut", or a SAM 2 hub id or folder), and Gradio's own
GRADIO_SERVER_NAME, GRADIO_SERVER_PORT, GRADIO_SHARE and GRADIO_TEMP_DIR. What the page is made of lives in `crab/page`.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback

# A folder of the page's own: what is too much in it goes (`crab.page.guard`), and all of it with the process.
if place := os.environ.get("GRADIO_TEMP_DIR"):
    os.makedirs(place, exist_ok=True)
os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="crab-", dir=place)
atexit.register(shutil.rmtree, os.environ["GRADIO_TEMP_DIR"], ignore_errors=True)
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported: the page calls nobody
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # its advice is for who writes models, not for who asks them
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # where it is there, it advises on kernels when imported

from crab.page import stubs  # noqa: E402

stubs.leave_out()
import spaces  # noqa: E402, F401  before anything that may touch CUDA; does nothing outside a ZeroGPU Space
from spaces.config import Config  # noqa: E402

from crab import CrabError, weights  # noqa: E402
from crab.about import About, about_of, check_layout  # noqa: E402
from crab.media import process  # noqa: E402
from crab.page.awaited import Awaited, ending  # noqa: E402
from crab.page.page import build, launch  # noqa: E402


def load() -> tuple[About, Awaited]:
    """What the model that the environment names says of itself, and the model, with its segmenter.

    Its files are here by then and its configuration was looked at; torch and weights come when the model is told to
    begin. On a ZeroGPU Space they are there, since it packs weights away when a page is launched. Raises CrabError where
    there is no such model.
    """
    named, adapter = os.environ.get("CRAB_MODEL") or "crab-mini", os.environ.get("CRAB_ADAPTER")
    quantize = os.environ.get("CRAB_QUANTIZE") or None
    weights.check_quantize(quantize)
    found = weights.find(named, adapter)
    segmenter = weights.find_segmenter(weights.meant(named, segmenter=os.environ.get("CRAB_SEGMENTER")).segmenter)
    check_layout(found.base)

    def parts():
        from crab.model import Crab
        from crab.page import zerogpu
        from crab.segment import load_segmenter

        return zerogpu.lend(Crab.load(named, adapter, quantize=quantize), load_segmenter(segmenter))

    return about_of(found), Awaited.there(*parts()) if Config.zero_gpu else Awaited(parts)


def main() -> None:
    """Serves until Ctrl-C or SIGTERM, also in the middle of an answer, or until the model turns out to be none."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    process.start()  # or the first clip would wait for it
    page = None
    try:
        about, model = load()
        page = build(about, model)
        launch(page)
        model.begin()
        model.get()
        while True:
            time.sleep(0.5)
    except KeyboardInterrupt:
        status = 0 if page else 130
    except CrabError as error:
        print(error, file=sys.stderr)
        status = 2
    except Exception:
        traceback.print_exc()
        status = 1
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: os._exit(130))  # whoever cannot wait
    ending.set()
    if page:
        page.close(verbose=False)
    leave(status)


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
