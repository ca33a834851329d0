"""Pictures of what a model answered: pure functions from plain data to Plotly figures, images and HTML.

`theme` decides the colours, `timeline` draws when, `masks` draws where, `text` draws the answer's words and `routing`
draws which I-LoRA head each token took. Nothing here knows a model, a page or a file of media.
"""
