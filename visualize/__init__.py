"""Pictures of what a model answered: pure functions from plain data to Plotly figures, images and HTML.

`theme` decides the colours, `timeline` draws when, `masks` draws where and `text` draws the answer's words; `compare`
holds an answer against the truth. Which I-LoRA head took what is drawn by `standalone` (the explorer, every view in one
page), `paper` (for print), `live` (while it streams), `difference` (two runs), `transfer` and `evidence` (many); `trace`
says what they read from it. To take along, `tracks` writes an answer as text that other programs open, `film` as a film
and `export` router weights; `bundle` is the door to all of it. Nothing here knows a model or a page.
"""
