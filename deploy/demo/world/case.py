"""One sentence of the world: what it asks, what is right, and which side of the fence it is on.

Every family is ONE function rng -> Case.  The hash of a case's key decides once and for all
whether that combination may become a test item or a corpus sentence, so corpus and items come
from one distribution and share no combination.
"""
import zlib

SEED = 20260


def held_out(key, percent):
    """Whether this combination is kept for the tests."""
    text = f'{SEED}|' + '|'.join(map(str, key))
    return zlib.crc32(text.encode()) % 1000 < percent * 10


class Case:
    """prompt + ' ' + gold is a corpus sentence; prompt with gold among wrong is a test item."""

    def __init__(self, prompt, gold, wrong, test):
        self.prompt, self.gold, self.wrong, self.test = prompt, gold, wrong, test


def case(prompt, gold, wrong, key, percent, full=None, full_percent=15):
    """A case held out by its key or, more finely, by its full wording (names included)."""
    test = held_out(key, percent)
    if full is not None:
        test = test or held_out(('full',) + full, full_percent)
    return Case(prompt, gold, wrong, test)
