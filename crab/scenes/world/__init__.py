"""The world itself, which knows of no model and no question: what a seed decides, shows and sounds like.

Who can be in it is told by `cast`: 32 objects in five groups, 14 actions, seven emotions, with their looks (`actors`) and
voices (`sounds`). `script` decides who does what when, `backdrops` and `render` draw and sound it.
"""
