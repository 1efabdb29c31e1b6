"""What Korean grammar the generator needs: particles that depend on the final consonant, numerals."""

# Particle after a final consonant -> after a vowel.
VOWEL_FORM = {'은': '는', '이': '가', '을': '를', '과': '와', '이다': '다', '이었다': '였다'}

# Native numerals as they stand before a counter.
NUMERAL = ('', '한', '두', '세', '네', '다섯', '여섯', '일곱', '여덟', '아홉', '열', '열한', '열두',
           '열세', '열네', '열다섯', '열여섯', '열일곱', '열여덟', '열아홉', '스무')

RIEUL = 8


def final_consonant(word):
    """Index of the last syllable's final consonant, 0 for none."""
    syllable = ord(word[-1]) - 0xAC00
    return syllable % 28 if 0 <= syllable < 11172 else 0


def josa(word, particle, wrong=False):
    """The word with its particle, named by the form after a consonant; wrong: the other form."""
    final = final_consonant(word)
    if particle == '으로':  # the one particle for which ㄹ counts as a vowel
        return word + ('으로' if (final not in (0, RIEUL)) != wrong else '로')
    return word + (particle if (final != 0) != wrong else VOWEL_FORM[particle])
