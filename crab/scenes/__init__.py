"""The small audio-visual world that the shipped model is trained on and knows: everything drawn and synthesised here.

Who can be in it is told by `actors` (looks) and `sounds` (voices): 32 objects in five groups, 14 actions, seven
emotions. `script` decides who does what when, `backdrops` and `render` draw and sound it, `questions` (with `asking`,
`pointing` and `words`) asks in all nineteen formulations and knows the truth.
"""
