"""The Gradio page. Nothing else in `crab` imports Gradio, and nothing in `crab` imports this."""
