"""What scenes are asked, and what is true of them.

`questions` asks in all nineteen formulations: `quiz` what is answered by a word or a choice, `pointing` what is answered
by a box and points. Before it knows any task, the base is asked in plain words: of a picture by `seeing`, of a sound by
`hearing`, of both by `telling`, of nothing at all by `drill`. `told` and `words` are how things are put.
"""
