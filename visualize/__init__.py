"""Pictures of what a model answered: pure functions from plain data to Plotly figures, images and HTML.

`theme` decides the colours, `timeline` draws when, `masks` draws where and `text` draws the answer's words; `compare`
holds an answer against the truth. Which I-LoRA head took what is drawn by `routing` (a panel a head), `simplex` (all
heads in one cell), `ribbon` (the words), `spacetime` (the clip's pictures and seconds), `live` (while it streams),
`difference` (two runs) and `transfer` (many); `trace` reads and saves it, `export`, `standalone` and `paper` take it
along. Nothing here knows a model, a page or a file of media.
"""
