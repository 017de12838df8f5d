"""What was said before, for what is said now: "le deuxième", "ce fichier", "the same but in Tokyo".

Everything here is pure: a request, the state of its conversation and a way to analyse a text in, a
move out (`deciding.decide`): play these intents, ask this, drop that question, or nothing.

Two steps. `decide` finds out what is wanted: the answer to a question, a repetition with one thing
changed, a request that only makes sense with what a pronoun stands for, or a request of its own.
`prepare` then fills the params of one intent: references become values, what is missing or
ambiguous becomes a question. It runs right before the intent is played, so that in "list the files,
then open the second" the second part sees the result of the first.

Precision comes first. A request that a pattern fits as a whole is never rewritten; only a param
that is a reference and nothing else is replaced; a rewritten request counts only if a pattern fits
it as a whole and takes the referent as the whole value of one param; what is ambiguous is asked.
"""
