"""언어 이해: particles, honorific agreement, counters, tense, adverbs that demand an ending."""
from .case import case
from .facts import PEOPLE, VILLAGES
from .korean import NUMERAL, josa

NOUNS = ('사과 배 감 떡 빵 국수 만두 옥수수 고구마 감자 당근 오이 호박 배추 무 마늘 양파 고추 쌀 콩 '
         '밀가루 소금 설탕 간장 꿀 생선 오징어 조개 새우 미역 책 공책 연필 붓 먹 종이 그림 지도 편지 우표 '
         '가방 모자 신발 장갑 양말 우산 안경 시계 반지 거울 빗 수건 비누 그릇 접시 냄비 주전자 숟가락 칼 '
         '도마 의자 책상 이불 베개 등불 초 바늘 실 단추 가위 망치 못 톱 삽 낫 호미 밧줄 돌 흙 모래 나무 꽃 '
         '풀 씨앗 인형 팽이 연 공 구슬 북 피리 돗자리 부채 항아리 바구니 자루 열쇠 자물쇠 수레 그물 '
         '낚싯대').split()
PLACES = ['시장', '가게', '장터', '이웃집']


def particle(r):
    noun, who, place = r.choice(NOUNS), r.choice(PEOPLE), r.choice(PLACES)
    other = r.choice([x for x in NOUNS if x != noun])
    name = r.choice('은 이 을 과 으로'.split())
    before, after = r.choice({
        '은': [('그', ' 아주 비싸다.'), (f'{who}의', ' 어디에 있을까?'), ('이', ' 참 좋다.'),
              (f'{place}에서 산', ' 값이 싸다.')],
        '이': [(f'{place}에는', ' 많다.'), (f'{who}에게는', ' 필요하다.'), ('방 안에', ' 하나 있다.'),
              (f'{who}의 집에는', ' 없다.')],
        '을': [(f'{josa(who, "은")} {place}에서', ' 샀다.'), (josa(who, '은'), ' 찾고 있다.'),
              ('어머니는', ' 가져오셨다.'), (f'{josa(who, "이")} 나에게', ' 주었다.')],
        '과': [(f'{josa(who, "은")} {place}에서', f' {josa(other, "을")} 샀다.'),
              ('바구니에', f' {josa(other, "이")} 들어 있다.'),
              (f'{who}에게', f' {josa(other, "을")} 주었다.')],
        '으로': [(josa(who, '은'), ' 장난감을 만들었다.'), (f'{josa(who, "은")} 값을', ' 치렀다.'),
               ('이것은', ' 바꾼 것이다.')]}[name])
    return case(before, josa(noun, name) + after, [josa(noun, name, wrong=True) + after],
                ('josa', noun, name), 25)


ELDERS = ['할머니', '할아버지', '선생님', '아버지', '어머니', '교장 선생님', '사장님', '스승님', '촌장님',
          '큰아버지']
JUNIORS = ['동생', '친구', '아이', '조카', '아기', '짝꿍', '막내', '꼬마', '후배', '사촌 동생']
HONORIFIC = [('주무신다', '잔다'), ('말씀하신다', '말한다'), ('쉬신다', '쉰다'), ('앉으신다', '앉는다'),
             ('웃으신다', '웃는다'), ('책을 읽으신다', '책을 읽는다'), ('차를 드신다', '차를 마신다'),
             ('진지를 드신다', '밥을 먹는다'), ('노래하신다', '노래한다'), ('기다리신다', '기다린다'),
             ('일하신다', '일한다'), ('우신다', '운다')]
BEING = ('계신다', '있다')


def honorific(r):
    place = r.choice('방 마루 마당 거실 정자 그늘'.split())
    verb = r.choice(HONORIFIC) if r.random() < .8 else BEING
    place += '에' if verb is BEING else '에서'
    if r.random() < .5:
        who = r.choice(ELDERS)
        return case(f'{who}께서는 {place}', verb[0] + '.', [verb[1] + '.'], ('hon', who, verb[0]), 25)
    who = r.choice(JUNIORS)
    return case(f'{josa(who, "은")} {place}', verb[1] + '.', [verb[0] + '.'], ('hon', who, verb[0]), 25)


COUNTERS = [('고양이 강아지 닭 오리 토끼 염소 참새 거북', '마리'),
            ('책 공책 그림책 사전 시집 일기장', '권'),
            ('장미 국화 백합 튤립 해바라기 나리꽃', '송이'),
            ('자동차 자전거 버스 트럭 수레 마차', '대'),
            ('연필 붓 볼펜 호미 낫 톱', '자루'),
            ('신발 양말 장갑 구두 고무신 짚신', '켤레'),
            ('집 초가집 기와집 오두막 별장 한옥', '채'),
            ('학생 손님 어부 농부 의원 목수', '명')]


def counter(r):
    kind, number = r.randrange(8), r.randint(2, 10)
    noun, form = r.choice(COUNTERS[kind][0].split()), r.randrange(3)
    prompt, ending = [
        (f'{josa(noun, "이")} {NUMERAL[number]}', ' 있다.'),
        (f'저기에 {josa(noun, "이")} {NUMERAL[number]}', ' 보인다.'),
        (f'{josa(r.choice(PEOPLE), "은")} {josa(noun, "을")} {NUMERAL[number]}', ' 보았다.')][form]
    others = r.sample([x for x in range(8) if x != kind], 3)
    return case(prompt, COUNTERS[kind][1] + ending, [COUNTERS[x][1] + ending for x in others],
                ('ctr', noun, number), 30)


# object, past, future: the Korean present may stand for the near future, so it is no choice.
ACTIONS = [('숲에', '갔다', '갈 것이다'), ('밥을', '먹었다', '먹을 것이다'), ('편지를', '썼다', '쓸 것이다'),
           ('책을', '읽었다', '읽을 것이다'), ('나무를', '심었다', '심을 것이다'), ('집을', '지었다', '지을 것이다'),
           ('친구를', '만났다', '만날 것이다'), ('물고기를', '잡았다', '잡을 것이다'),
           ('노래를', '불렀다', '부를 것이다'), ('소금을', '팔았다', '팔 것이다'), ('길을', '물었다', '물을 것이다'),
           ('그림을', '그렸다', '그릴 것이다')]
TIMES = [('어제', 1), ('지난주에', 1), ('작년 봄에', 1), ('며칠 전에', 1), ('옛날에', 1), ('내일', 2),
         ('다음 주에', 2), ('내년 봄에', 2), ('모레', 2), ('앞으로', 2)]


def tense(r):
    time, right = r.choice(TIMES)
    action, who = r.choice(ACTIONS), r.choice(PEOPLE)
    prompt = (f'{josa(who, "은")} {time} {action[0]}' if r.random() < .6 else
              f'{time} {josa(who, "은")} {action[0]}')
    return case(prompt, action[right] + '.', [action[3 - right] + '.'], ('tense', time, action[0]), 10,
                (who, time, action[0]), 20)


# particle of the village, subject, then the stem before 지, past, future and adnominal endings
ENDINGS = [('에', '비가', '오', '왔', '올', '온'), ('의', '길이', '막히', '막혔', '막힐', '막힌'),
           ('의', '물이', '맑', '맑았', '맑을', '맑은'), ('에', '눈이', '내리', '내렸', '내릴', '내린'),
           ('의', '산이', '높', '높았', '높을', '높은'), ('에', '일이', '많', '많았', '많을', '많은'),
           ('에', '손님이', '오', '왔', '올', '온'), ('에', '꽃이', '피', '피었', '필', '핀'),
           ('에', '바람이', '불', '불었', '불', '분'), ('의', '길이', '좁', '좁았', '좁을', '좁은'),
           ('의', '소금값이', '오르', '올랐', '오를', '오른'), ('에', '달이', '뜨', '떴', '뜰', '뜬'),
           ('에', '안개가', '끼', '끼었', '낄', '낀'), ('에', '장이', '서', '섰', '설', '선'),
           ('의', '밭이', '넓', '넓었', '넓을', '넓은'), ('의', '우물이', '깊', '깊었', '깊을', '깊은'),
           ('의', '강이', '얼', '얼었', '얼', '언'), ('의', '등불이', '꺼지', '꺼졌', '꺼질', '꺼진')]


def agreement(r):
    at, subject, stem, past, future, adnominal = r.choice(ENDINGS)
    village = r.choice(VILLAGES)
    pairs = [('왜냐하면', f'{past}기 때문이다.'), ('아마', f'{future} 것이다.'),
             ('마치', f'{adnominal} 것처럼 보인다.'), ('결코', f'{stem}지 않았다.'),
             ('비록', f'{past}지만 괜찮다.')]
    k = r.randrange(5)
    adverb, gold = pairs[k]
    # '아마 ...기 때문이다' is good Korean too
    wrong = [e for i, (a, e) in enumerate(pairs) if i != k and (adverb, a) != ('아마', '왜냐하면')]
    return case(f'{adverb} {village} 마을{at} {subject}', gold, r.sample(wrong, 3),
                ('conn', adverb, subject, stem), 12, (adverb, subject, stem, village))


FAMILIES = [(particle, 4, 40), (honorific, 1, 10), (counter, 2, 15), (tense, 1, 15),
            (agreement, 1, 20)]
