"""The Gradio page; `page` joins its parts. Nothing else in `crab` imports Gradio, and nothing in `crab` imports this."""
