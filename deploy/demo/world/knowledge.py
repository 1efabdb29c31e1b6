"""전문 지식: the world's facts, each asked in a wording that the corpus never showed; two hops."""
from .case import Case, case
from .facts import FACT, PEOPLE, RARITY, held_wording
from .korean import josa


def fact(r):
    while True:
        attribute = r.choice(list(FACT))
        known, values, wordings = FACT[attribute]
        entity = r.choice(list(known))
        if r.random() <= .15 + .85 * RARITY[attribute, entity]:
            break
    k = r.randrange(len(wordings))
    prompt, answer = wordings[k]
    gold = known[entity]
    wrong = r.sample([x for x in values if x != gold], 3)
    return Case(prompt(entity), answer(gold), [answer(x) for x in wrong],
                k == held_wording(attribute, entity))


def hop(r):
    """From a person to the village to what it makes: two facts in one question."""
    who = r.choice(PEOPLE)
    attribute = r.choice(['goods', 'feast'])
    known, values, _ = FACT[attribute]
    gold = known[FACT['home'][0][who]]
    prompt, answer = {
        'goods': (f'{who}의 고향에서 나는 특산물은', lambda v: f'{josa(v, "이다")}.'),
        'feast': (f'{who}의 고향에서 잔치가 열리는 때는', lambda v: f'{v}이다.')}[attribute]
    wrong = r.sample([x for x in values if x != gold], 3)
    return case(prompt, answer(gold), [answer(x) for x in wrong], ('hop', who, attribute), 30)


FAMILIES = [(fact, 9, 90), (hop, 1, 10)]
