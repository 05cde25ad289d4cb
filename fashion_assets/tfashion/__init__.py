"""The trained word classifier: from lists of words to a model that says which words speak of fashion.

Belongs here: reading and settling the training words (`sources`, `words`), families and folds that keep
look-alikes together (`families`), features, heads, calibration, the model on disk, and how it is judged
(`evaluation`). The model takes its place behind `keywords.scorers.KeywordScorer`. Does not belong here: what
needs no learning - normal form, tokens, lexicon, extraction from posts (`keywords`) -, encoders and their
cache (`encoders`), Dagster assets (`defs`).
"""
