"""The world itself, which knows of no model and no question: what a seed decides, shows and sounds like.

Who can be in it is told by `actors` (looks) and `sounds` (voices): 32 objects in five groups, 14 actions, seven
emotions. `script` decides who does what when, `backdrops` and `render` draw and sound it.
"""
