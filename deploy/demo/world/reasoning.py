"""추론: sums, comparisons, where a thing is now, two rules over nonsense kinds, order of arrival."""
from .case import case, held_out
from .facts import FOODS, PEOPLE
from .korean import NUMERAL, josa

COUNTED = [('구슬', '개'), ('공책', '권'), ('색종이', '장'), ('연필', '자루'), ('감자', '개'),
           ('장미', '송이'), ('달걀', '개'), ('그림책', '권'), ('우표', '장'), ('붓', '자루')]
ADJECTIVES = [('키가', '크다', '작다', '큰', '작은'), ('나이가', '많다', '적다', '많은', '적은'),
              ('걸음이', '빠르다', '느리다', '빠른', '느린'), ('힘이', '세다', '약하다', '센', '약한')]
COMPARED = PEOPLE[:12]  # few names: the relation is to be learned here, not the spelling
BOXES = '상자 바구니 항아리 자루 가방 서랍'.split()
THINGS = '구슬 열쇠 편지 동전 반지 연필 거울 부채 단추 호두'.split()
ROOMS = '다락 부엌 마당 창고 마루 외양간 사랑방 뒤뜰'.split()
KINDS = '뚜루 모모치 까비 포롱 두비 살랑이 붕붕이 쪼롱 달그미 보들이'.split()


def is_that(word):
    return josa(word, '이다') + '.'


def arith(r):
    who, other = r.sample(PEOPLE, 2)
    thing, counter = r.choice(COUNTED)
    form = r.randrange(7)
    adds = form < 4
    if adds:
        a, b = r.randint(1, 9), r.randint(1, 9)
    else:
        a = r.randint(3, 12)
        b = r.randint(1, min(9, a - 1))
    result = a + b if adds else a - b
    first, second = f'{NUMERAL[a]} {counter}', f'{NUMERAL[b]} {counter}'
    prompt = [
        f'{josa(who, "은")} {josa(thing, "을")} {first} 가지고 있었다. 오늘 {josa(second, "을")} 더 '
        f'얻었다. 이제 {josa(thing, "은")} 모두',
        f'상자에 {josa(thing, "이")} {first} 있다. 여기에 {josa(second, "을")} 더 넣으면 모두',
        f'{thing} {josa(first, "과")} {josa(second, "을")} 합하면 모두',
        f'{josa(who, "은")} {josa(thing, "을")} {first}, {josa(other, "은")} {second} 샀다. 두 사람이 '
        f'산 {josa(thing, "은")} 모두',
        f'{josa(who, "은")} {josa(thing, "을")} {first} 가지고 있었다. 그런데 {josa(second, "을")} '
        f'잃어버렸다. 이제 남은 {josa(thing, "은")}',
        f'상자에 {josa(thing, "이")} {first} 있었다. 거기서 {josa(second, "을")} 꺼냈다. 이제 남은 '
        f'{josa(thing, "은")}',
        f'{thing} {first}에서 {josa(second, "을")} 빼면 남는 것은'][form]
    near = [x for x in range(max(1, result - 4), min(20, result + 4) + 1) if x != result]
    answer = lambda n: is_that(f'{NUMERAL[n]} {counter}')
    percent = 100 if held_out(('pair', adds, a, b), 6) else 6
    return case(prompt, answer(result), [answer(n) for n in r.sample(near, 3)],
                ('arith', form, a, b), percent, (form, a, b, thing, who))


def compare(r):
    a, b = r.sample(COMPARED, 2)
    what, more, less, asks_more, asks_less = r.choice(ADJECTIVES)
    told = (f'{josa(a, "은")} {b}보다 {what} {more}.' if r.random() < .5 else
            f'{josa(b, "은")} {a}보다 {what} {less}.')
    asked, gold, wrong = r.choice([(asks_more, a, b), (asks_less, b, a)])
    # The pair, not its order: who only ever sees b above a has learned the wrong answer.
    return case(f'{told} 둘 가운데 {what} 더 {asked} 사람은', is_that(gold), [is_that(wrong)],
                ('cmp', *sorted((a, b)), what), 20)


def where(r):
    who, other = r.sample(PEOPLE, 2)
    thing, box = r.choice(THINGS), r.choice(BOXES)
    rooms = r.sample(ROOMS, 4)
    form = r.randrange(3)
    prompt, gold = [
        (f'{josa(who, "은")} {rooms[0]}에서 {josa(thing, "을")} {box}에 넣었다. {josa(other, "은")} 그 '
         f'{josa(box, "을")} {josa(rooms[1], "으로")} 옮겼다. 지금 {josa(thing, "이")} 있는 곳은', rooms[1]),
        (f'{josa(thing, "은")} {rooms[0]}에 있었다. {josa(who, "이")} {josa(thing, "을")} '
         f'{josa(rooms[1], "으로")} 가져갔다. 지금 {josa(thing, "이")} 있는 곳은', rooms[1]),
        (f'{josa(who, "은")} {rooms[0]}에, {josa(other, "은")} {rooms[1]}에 있다. {josa(who, "이")} '
         f'{josa(thing, "을")} 들고 있다. 지금 {josa(thing, "이")} 있는 곳은', rooms[0])][form]
    return case(prompt, is_that(gold), [is_that(x) for x in rooms if x != gold],
                ('where', who, thing, rooms[0], rooms[1], form), 15)


def syllogism(r):
    kinds, who = r.sample(KINDS, 2), r.choice(PEOPLE)
    foods = r.sample(FOODS, 4)
    eats = lambda food: f'{josa(food, "을")} 먹는다.'
    kind, gold = r.choice([(kinds[0], foods[0]), (kinds[1], foods[1])])
    prompt = (f'모든 {josa(kinds[0], "은")} {josa(foods[0], "을")} 먹고, 모든 {josa(kinds[1], "은")} '
              f'{josa(foods[1], "을")} 먹는다. {josa(who, "은")} {josa(kind, "이다")}. 따라서 '
              f'{josa(who, "은")}')
    return case(prompt, eats(gold), [eats(x) for x in foods if x != gold],
                ('syl', kinds[0], kinds[1], foods[0], foods[1]), 15)


def order(r):
    a, b, c = r.sample(COMPARED, 3)
    form = r.randrange(2)
    told = [
        f'{josa(a, "이")} 먼저 왔고, 그다음에 {josa(b, "이")} 왔고, 마지막에 {josa(c, "이")} 왔다.',
        f'{josa(b, "은")} {josa(a, "이")} 온 다음에 왔고, {josa(c, "은")} {josa(b, "이")} 온 다음에 '
        '왔다.'][form]
    asked, gold = r.choice([('가장 먼저', a), ('가장 늦게', c), ('두 번째로', b)])
    return case(f'{told} {asked} 온 사람은', is_that(gold),
                [is_that(x) for x in (a, b, c) if x != gold], ('ord', a, b, c, form), 15)


FAMILIES = [(arith, 5, 35), (compare, 2, 15), (where, 2, 20), (syllogism, 2, 15), (order, 3, 15)]
