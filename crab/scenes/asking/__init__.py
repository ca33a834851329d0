"""What scenes are asked, and what is true of them.

`questions` asks in all nineteen formulations: `quiz` what is answered by a word or a choice, `pointing` what is answered
by a box and points. `telling` asks in plain words, as the base is asked before it knows any task, and `drill` about
nothing at all. `words` is how things are put.
"""
