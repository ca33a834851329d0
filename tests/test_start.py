"""`python app.py` as a person starts it: what it says."""

from __future__ import annotations

from conftest import served
from gradio_client import Client


def test_the_log_names_the_address_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.delenv("TRANSFORMERS_VERBOSITY")  # that the tests are quiet by
    with served(tmp_path / "log.txt") as (_, address):
        text, *_ = Client(address, verbose=False).predict(api_name="/ask")  # the first answer says nothing either
        assert text
    assert (tmp_path / "log.txt").read_text().splitlines() == [
        f"The page: {address}", f"For agents (MCP): {address}/gradio_api/mcp/",
    ]  # fmt: skip
