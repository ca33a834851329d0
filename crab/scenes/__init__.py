"""The small audio-visual world that the shipped model is trained on and knows: twelve drawn, sounding actors.

`script` decides who does what when, `render` draws and sounds it, `questions` asks and knows the truth.
"""
