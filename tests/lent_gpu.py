"""A page with a large model as on ZeroGPU, played through in a process of its own; `test_zerogpu.py` starts it.

    python tests/lent_gpu.py CLIP PICTURE

The platform's client emulates CUDA while the page starts, packs the weights and forks for whoever borrows. A fork gets
real weights from that pack, but on the CPU, and the page is left with none, not even their shapes: whoever read one
there would fail. Prints one JSON object.
"""

import json
import multiprocessing
import os
import sys
import threading
import time
from functools import partial
from types import SimpleNamespace

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import app  # isort: skip  imports spaces before torch
import httpx
import numpy as np
import torch
from gradio.context import LocalContext
from gradio_client import Client, handle_file
from PIL import Image
from spaces.zero import torch as packing
from spaces.zero.torch import patching

from crab import CrabError
from crab.answer import Box
from crab.ask import ask
from crab.ilora import Intervention
from crab.media import open_clip
from crab.page import answering, zerogpu
from crab.routing import effects
from crab.tasks import TASKS

PLATFORM = os.environ["SPACES_ZERO_DEVICE_API_URL"]


def unpack(callback=None) -> None:
    """Every packed weight to where it was, as the platform does, but on the CPU."""
    for pack in patching.tensor_packs:
        with open(pack.path(), "rb") as file:
            for tensor, size, aligned in [*(one for batch in pack.batches for one in batch), *pack.big_tensors]:
                read = torch.frombuffer(bytearray(file.read(aligned)), dtype=torch.uint8)[:size]
                real = torch.empty(0, dtype=tensor.dtype)
                real.set_(read.untyped_storage(), 0, tensor.shape, tensor.stride())
                for fake in pack.fakes[tensor]:
                    fake.data = real


def take_away() -> None:
    for pack in patching.tensor_packs:
        for fake in (fake for fakes in pack.fakes.values() for fake in fakes):
            fake.data = torch.empty(0)


def borrowed() -> int:
    """How often a GPU has been borrowed so far, as the platform counts."""
    return httpx.get(f"{PLATFORM}/schedule").json()


packing.init, packing.move = lambda uuid: None, unpack
answering.ask = ask = partial(ask, max_new_tokens=24)

lend, given = zerogpu.lend, []
zerogpu.lend = lambda *parts: (given.extend(parts), lend(*parts))[1]
about, model = app.load()
page = app.build(about, model)
[crab, _], [lent, cutting] = given, model.get()
_, address, _ = page.launch(prevent_thread_lock=True, quiet=True)
away = threading.Thread(target=take_away)  # the emulation is this thread's alone
away.start()
away.join()
told = {}

# A visitor's program asks, and a visitor's picture is cut out.
text, result, _ = Client(address, verbose=False).predict(handle_file(sys.argv[1]), "ave", "", None, api_name="/ask")
told["asked"] = {"text": text, "token_ids": result["token_ids"], "borrowed": borrowed()}
frame = np.asarray(Image.open(sys.argv[2]).convert("RGB"))
mask, score = cutting(frame, Box("", 20, 20, 90, 90), [(50, 50)])
told["cut"] = {"pixels": int(mask.sum()), "score": score, "borrowed": borrowed()}

# With a head muted, and compared.
clip, task = open_clip(sys.argv[1]), TASKS["ave"]
*_, before = ask(lent, clip, task)
*_, after = ask(lent, clip, task, intervention=Intervention("force", (0,)))
told["compared"] = {"kl": effects.compare(before, after, crab=lent).kl, "token_ids": after.token_ids}
told["routing"] = float(before.routing["language"].weights.astype(np.float64).sum())
try:
    list(ask(lent, clip, task, intervention=Intervention("mute", (7,))))
except CrabError as error:
    told["bad"] = str(error)

# A fork that is slow, and then dies: a step every fifth of a second is never held back for another.
own, given = crab.stream, multiprocessing.Value("i", 0)


def slowly(dies_after: int):
    def stream(*asked, **how):
        for number, step in enumerate(own(*asked, **how)):
            if number == dies_after:
                os._exit(9)
            yield step
            given.value = number + 1
            time.sleep(0.2)

    return stream


# Whoever leaves stops the model: in the time it has it would write sixty tokens.
crab.stream = slowly(dies_after=60)
httpx.post(f"{PLATFORM}/begin/anew")  # the fork there is knows nothing of this
stream = ask(lent, clip, task, max_new_tokens=60)
next(stream)
stream.close()
told["left"] = given.value

# A fork dies in the middle of an answer: what has been written stays.
crab.stream = slowly(dies_after=3)
httpx.post(f"{PLATFORM}/begin/anew")
*_, broken = ask(lent, clip, task)
told["broken"] = {"tokens": len(broken.token_ids), "notes": broken.notes, "done": broken.done}
crab.stream = own

# What the platform refuses, in its own words.
headers = type("Headers", (dict,), {})({"x-ip-token": "a.e30.c"})  # a token that says nothing, of somebody known
LocalContext.request.set(SimpleNamespace(headers=headers))
told["refused"] = {}
for case in httpx.get(f"{PLATFORM}/cases").json():
    if case.startswith("unknown visitor"):
        LocalContext.request.set(None)
    httpx.post(f"{PLATFORM}/refuse/{case}")
    try:
        list(ask(lent, clip, task, max_new_tokens=1))
        told["refused"][case] = None
    except CrabError as error:
        told["refused"][case] = str(error)

for fork in multiprocessing.active_children():
    fork.kill()
print(json.dumps(told))
sys.stdout.flush()
os._exit(0)
