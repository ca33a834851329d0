"""The small audio-visual world that the shipped model is trained on and knows: everything drawn and synthesised here.

`world` draws and sounds a scene, `asking` asks about it and knows the truth, `clip` makes it a source for a prompt,
`dataset` writes scenes in the published layout.
"""
