"""Traces to compositions.

`recorder` collects the calls of a conversation; `compiler` finds out where each argument came from
and writes the composition that would have made the same calls; `learner` offers it to a person.

The compiler asks one question again and again: which expression gives this argument in every
trace? `sources` lists what an argument could be made of, `hypotheses` are the expressions,
`solving` picks one, `steps` decides which calls belong together (a loop, or the same step in
several traces), `composing` writes the file and `replay` has the last word: what does not
reproduce every observed argument is refused.
"""
