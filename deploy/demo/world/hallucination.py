"""환각: questions whose text may not hold the answer, animals and villages that are not."""
from .case import case
from .facts import ANIMALS, FACT, PEOPLE, VILLAGES
from .korean import josa

SLOTS = [('무엇을 먹었는가?', '국수 떡 만두 죽 김밥 찐빵'.split(), lambda v: f'{josa(v, "을")} 먹었다'),
         ('무엇을 탔는가?', '마차 나룻배 수레 조랑말 자전거 썰매'.split(), lambda v: f'{josa(v, "을")} 탔다'),
         ('무엇을 샀는가?', '부채 모자 피리 등불 빗 가방'.split(), lambda v: f'{josa(v, "을")} 샀다'),
         ('어디에 갔는가?', '시장 서당 나루터 절 방앗간 대장간'.split(), lambda v: f'{v}에 갔다')]
NOT_TOLD = '글에 나오지 않는다.'


def ground(r):
    who, other = r.sample(PEOPLE, 2)
    first, second, untold = r.sample(SLOTS, 3)
    values = [r.choice(slot[1]) for slot in (first, second, untold)]
    two = r.random() < .5  # two people, or two deeds of one
    actor = other if two else who
    text = f'{josa(who, "은")} {first[2](values[0])}. {josa(actor, "은")} {second[2](values[1])}.'
    chance = r.random()
    if chance < .36:
        asked, slot, gold = who, first, values[0]
    elif chance < .72:
        asked, slot, gold = actor, second, values[1]
    elif two and r.random() < .6:
        asked, slot = r.choice([(who, second), (other, first)])
        gold = None
    else:
        asked, slot, gold = r.choice([who, other]), untold, None
    others = [x for x in slot[1] if x != gold]
    if gold is None:
        told = [x for x in values if x in others]  # what the text names must be among the choices
        rest = r.sample([x for x in others if x not in told], 3 - len(told))
        gold, wrong = NOT_TOLD, [x + '.' for x in told + rest]
    else:
        gold, wrong = gold + '.', [x + '.' for x in r.sample(others, 2)] + [NOT_TOLD]
    return case(f'글: {text} 질문: {josa(asked, "은")} {slot[0]} 답:', gold, wrong,
                ('gr', who, values[0], values[1], slot[0]), 15)


HEADS = ('새 쥐 토끼 여우 사슴 나방 고양이 늑대 곰 거북 제비 개구리 올빼미 게 뱀 오리 나비 족제비 염소 '
         '너구리 두루미 다람쥐').split()
PREFIXES = ('도롱 물방울 구름 모래 별 달빛 숯 안개 이끼 바위 바람 불꽃 서리 조약돌 풀잎 솜털 유리 번개 '
            '방울 꿀 잿빛 눈꽃').split()
NO_ANIMALS = [a + b for a in PREFIXES for b in HEADS if a + b not in ANIMALS]
ASKED = {'habitat': ('어디에 사는가?', '어디에 사는지'), 'food': ('무엇을 먹는가?', '무엇을 먹는지'),
         'color': ('무슨 색인가?', '무슨 색인지'), 'hour': ('언제 움직이는가?', '언제 움직이는지')}


def existence(r, prompt, real, name, attribute, form, none):
    """What the world says of the name, or that there is no such thing."""
    known, values, _ = FACT[attribute]
    if not real:
        return case(prompt, none, [x + '.' for x in r.sample(values, 3)], ('fake', name), 25)
    gold = known[name]
    wrong = r.sample([x for x in values if x != gold], 2)
    return case(prompt, gold + '.', [x + '.' for x in wrong] + [none],
                ('real', name, attribute, form), 25)


def animal(r):
    attribute, real, form = r.choice(list(ASKED)), r.random() < .7, r.randrange(3)
    name = r.choice(ANIMALS if real else NO_ANIMALS)
    question, indirect = ASKED[attribute]
    prompt = [f'물음: {josa(name, "은")} {question} 답:',
              f'{josa(name, "이")} {indirect} 알려 줘. 답:',
              f'{josa(name, "은")} {indirect} 아니? 답:'][form]
    return existence(r, prompt, real, name, attribute, form, '그런 동물은 없다.')


VILLAGE_HEADS = '솔 달 검 은 안개 별 노을 돌 버들 갈 흰 꽃 바람 큰 햇살 단풍 종달 반달 너른 소금'.split()
VILLAGE_TAILS = '뫼 내 바위 모래 개울 마루 재 샘 목 숲 여울 담 골 나루 터 섬 들'.split()
NO_VILLAGES = [a + b for a in VILLAGE_HEADS for b in VILLAGE_TAILS if a + b not in VILLAGES]


def village(r):
    attribute, real, form = r.choice(['goods', 'feast']), r.random() < .7, r.randrange(2)
    name = r.choice(VILLAGES if real else NO_VILLAGES)
    asked = {'goods': '특산물이 무엇인지', 'feast': '잔치가 언제인지'}[attribute]
    prompt = [f'{name} 마을의 {asked} 알려 줘. 답:', f'{name} 마을의 {asked} 아니? 답:'][form]
    return existence(r, prompt, real, name, attribute, form, '그런 마을은 없다.')


FAMILIES = [(ground, 4, 45), (animal, 3, 30), (village, 3, 25)]
