"""A Korean micro-world: one seeded generator for a training corpus and six multiple-choice tasks.

Read korean, case, facts, then the six task modules, then build.
"""
