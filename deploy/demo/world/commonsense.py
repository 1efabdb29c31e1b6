"""상식: sizes and speeds, days and months, what one does with a thing, cause and effect, seasons."""
from .case import case
from .facts import PEOPLE, SEASONS, VILLAGES
from .korean import josa

SIZE = ('개미 나비 참새 다람쥐 비둘기 토끼 고양이 여우 염소 돼지 호랑이 황소 하마 코끼리 고래').split()
WEIGHT = '깃털 종이컵 연필 사과 벽돌 수박 의자 책상 냉장고 자동차 트럭 기차'.split()
SPEED = '달팽이 거북 손수레 자전거 자동차 고속열차 비행기'.split()
SCALES = [(SIZE, '더 큰 것은', '더 작은 것은', '크다', '작다', '몸집이 '),
          (WEIGHT, '더 무거운 것은', '더 가벼운 것은', '무겁다', '가볍다', ''),
          (SPEED, '더 빠른 것은', '더 느린 것은', '빠르다', '느리다', '')]


def scale(r):
    things, asks_more, asks_less, more, less, body = SCALES[r.choices([0, 1, 2], [5, 4, 1])[0]]
    while True:
        i, k = r.sample(range(len(things)), 2)
        if abs(i - k) >= 2:  # neighbours are a matter of opinion
            break
    a, b = things[i], things[k]
    if r.random() < .6:
        upward = r.random() < .5
        prompt = f'{josa(a, "과")} {b} 가운데 {body}{asks_more if upward else asks_less}'
        gold, wrong = (a, b) if (i > k) == upward else (b, a)
        gold, wrong = josa(gold, '이다'), josa(wrong, '이다')
    else:
        prompt = f'{josa(a, "은")} {b}보다{" 몸집이" if body else ""}'
        gold, wrong = (more, less) if i > k else (less, more)
    return case(prompt, gold + '.', [wrong + '.'], ('scale', min(a, b), max(a, b)), 25)


DAYS = '월요일 화요일 수요일 목요일 금요일 토요일 일요일'.split()
MONTHS = '일월 이월 삼월 사월 오월 유월 칠월 팔월 구월 시월 십일월 십이월'.split()
DAY_SPAN = {1: '하루', 2: '이틀', 3: '사흘'}
MONTH_SPAN = {1: '한 달', 2: '두 달'}
GOING = [('떠난다', '떠나는'), ('돌아온다', '돌아오는'), ('이사한다', '이사하는'), ('쉰다', '쉬는'),
         ('장에 간다', '장에 가는')]


def calendar(r):
    who, form = r.choice(PEOPLE), r.randrange(5)
    verb, going = r.choice(GOING)
    circle, spans = (DAYS, DAY_SPAN) if form < 4 else (MONTHS, MONTH_SPAN)
    at, step = r.randrange(len(circle)), r.choice(list(spans))
    start, span = circle[at], spans[step]
    if form == 3:
        word, step = r.choice([('내일', 1), ('모레', 2)])
    prompt, ending, sign = [
        (f'오늘은 {start}이다. {josa(who, "은")} {span} 뒤에 {verb}. {josa(who, "이")} {going} 날은', '이다.', 1),
        (f'{josa(who, "은")} {start}에 길을 떠나 {span} 뒤에 돌아왔다. 돌아온 날은', '이었다.', 1),
        (f'{josa(who, "은")} {start}에 돌아왔다. 길을 떠난 것은 그보다 {span} 전인', '이었다.', -1),
        (f'오늘은 {start}이다. {josa(who, "은")} {word if form == 3 else ""} {verb}. {josa(who, "이")} '
         f'{going} 날은', '이다.', 1),
        (f'{josa(who, "은")} {start}에 길을 떠나 {span} 뒤에 돌아왔다. 돌아온 달은', '이었다.', 1)][form]
    gold = circle[(at + sign * step) % len(circle)]
    wrong = r.sample([x for x in circle if x not in (gold, start)], 3)
    # Whole combinations are hardly held out: a tiny model would learn that they never come.
    return case(prompt, gold + ending, [x + ending for x in wrong], ('week', form, at, step), 5,
                (who, form, at, step))


AFFORDANCES = [
    ('김밥 떡 만두 국수 빵 비빔밥 호박죽 찐빵 옥수수 고구마',
     ['맛있게 먹었다.', '배불리 먹었다.', '접시에 담아 냈다.', '한입 베어 물었다.']),
    ('물 우유 식혜 녹차 보리차 수정과 사과즙 꿀물',
     ['꿀꺽꿀꺽 마셨다.', '잔에 따랐다.', '한 모금 들이켰다.', '시원하게 마셨다.']),
    ('저고리 바지 치마 외투 조끼 두루마기 셔츠 원피스',
     ['단정하게 입었다.', '깨끗이 빨아 널었다.', '옷장에 걸었다.', '벗어서 개어 놓았다.']),
    ('버스 기차 마차 나룻배 자전거 지하철 택시 여객선',
     ['타고 갔다.', '기다렸다가 탔다.', '놓쳐서 걸어갔다.', '타고 고향에 다녀왔다.']),
    ('소설 시집 신문 동화책 편지 일기 만화책 잡지',
     ['소리 내어 읽었다.', '밤늦도록 읽었다.', '첫 장부터 펼쳐 읽었다.', '읽다가 잠들었다.']),
    ('피리 가야금 거문고 장구 북 해금 기타 피아노',
     ['흥겹게 연주했다.', '서툴게 연주했다.', '연주하며 노래했다.', '연주하는 법을 배웠다.']),
    ('장미 감나무 선인장 국화 배추 고추 호박 해바라기',
     ['마당에 심었다.', '물을 주며 가꾸었다.', '볕이 드는 곳에 심었다.', '정성껏 길렀다.']),
    ('강아지 송아지 병아리 망아지 고양이 거위',
     ['쓰다듬어 주었다.', '품에 안았다.', '불러 먹이를 주었다.', '데리고 산책했다.'])]


def affordance(r):
    kind, who = r.randrange(len(AFFORDANCES)), r.choice(PEOPLE)
    noun, gold = r.choice(AFFORDANCES[kind][0].split()), r.choice(AFFORDANCES[kind][1])
    others = r.sample([x for x in range(len(AFFORDANCES)) if x != kind], 3)
    return case(f'{josa(who, "은")} {josa(noun, "을")}', gold,
                [r.choice(AFFORDANCES[x][1]) for x in others], ('aff', noun, gold), 12,
                (who, noun, gold))


CAUSES = [
    (['비를 맞아서', '물웅덩이에 빠져서', '소나기를 만나서', '물벼락을 맞아서'],
     ['옷이 흠뻑 젖었다.', '수건으로 몸을 닦았다.', '젖은 옷을 말렸다.']),
    (['하루 종일 굶어서', '아침을 걸러서', '점심을 못 먹어서', '도시락을 두고 와서'],
     ['배가 고팠다.', '밥을 두 그릇이나 먹었다.', '먹을 것부터 찾았다.']),
    (['밤을 새워서', '잠을 설쳐서', '새벽까지 일해서', '모기 때문에 못 자서'],
     ['하품을 했다.', '낮잠을 잤다.', '꾸벅꾸벅 졸았다.']),
    (['눈보라를 맞아서', '난로가 꺼져서', '얇은 옷만 입고 나가서', '찬바람을 오래 맞아서'],
     ['덜덜 떨었다.', '담요를 둘렀다.', '불을 쬐었다.']),
    (['땡볕 아래에서 일해서', '한낮에 밭을 매서', '바람 한 점 없는 방에 있어서', '불가마 옆에 서 있어서'],
     ['땀을 뻘뻘 흘렸다.', '부채질을 했다.', '시원한 그늘을 찾았다.']),
    (['등불이 꺼져서', '해가 져서', '동굴 깊이 들어가서', '달도 없는 밤이라서'],
     ['앞이 보이지 않았다.', '촛불을 켰다.', '손으로 더듬으며 걸었다.']),
    (['돌부리에 걸려 넘어져서', '계단에서 미끄러져서', '나무에서 떨어져서', '낫에 베여서'],
     ['상처가 났다.', '약을 발랐다.', '붕대를 감았다.']),
    (['짠 음식을 먹어서', '물을 챙기지 않아서', '물 없이 사막을 걸어서', '물통을 잃어버려서'],
     ['목이 말랐다.', '물을 벌컥벌컥 마셨다.', '우물부터 찾았다.']),
    (['늦잠을 자서', '배를 놓쳐서', '길을 잘못 들어서', '시계가 멈춰서'],
     ['약속에 늦었다.', '헐레벌떡 뛰어갔다.', '기다리던 친구에게 사과했다.']),
    (['선물을 받아서', '시험에 붙어서', '잃어버린 강아지를 찾아서', '경주에서 이겨서'],
     ['활짝 웃었다.', '덩실덩실 춤을 추었다.', '콧노래를 불렀다.']),
    (['아끼던 그릇이 깨져서', '친구가 멀리 떠나서', '기르던 새가 죽어서', '할머니 댁을 떠나게 되어서'],
     ['눈물을 흘렸다.', '깊은 한숨을 쉬었다.', '말없이 고개를 숙였다.']),
    (['곰을 만나서', '천둥이 쳐서', '어두운 숲에서 이상한 소리가 나서', '집에 도둑이 들어서'],
     ['깜짝 놀랐다.', '무서워서 숨었다.', '살려 달라고 외쳤다.'])]
# Pairs of causes whose effects could be confused by a reasonable person.
CONFUSABLE = {frozenset(x) for x in [(0, 3), (4, 7), (5, 11), (6, 10), (6, 11), (1, 7), (8, 11),
                                     (10, 11), (2, 5)]}


def cause(r):
    kind, who = r.randrange(len(CAUSES)), r.choice(PEOPLE)
    because, effect = r.choice(CAUSES[kind][0]), r.choice(CAUSES[kind][1])
    others = [x for x in range(len(CAUSES)) if x != kind and frozenset((x, kind)) not in CONFUSABLE]
    return case(f'{josa(who, "은")} {because}', effect,
                [r.choice(CAUSES[x][1]) for x in r.sample(others, 3)], ('cause', because, effect), 12,
                (who, because, effect))


SEASON_SIGNS = [
    (['꽃샘추위가 있는', '새싹이 돋는', '개나리가 피는', '제비가 돌아오는', '입학식이 있는'],
     ['씨앗을 뿌린다.', '나물을 캔다.', '꽃구경을 간다.', '겨울옷을 집어넣는다.']),
    (['매미가 우는', '장마가 지는', '수박이 익는', '해가 가장 긴', '모기가 많은'],
     ['바다에서 헤엄친다.', '부채를 꺼낸다.', '얼음과자를 먹는다.', '모기장을 친다.']),
    (['단풍이 드는', '벼가 익는', '귀뚜라미가 우는', '밤송이가 벌어지는', '추석이 있는'],
     ['벼를 벤다.', '송편을 빚는다.', '낙엽을 쓴다.', '도토리를 줍는다.']),
    (['눈이 내리는', '강물이 어는', '밤이 가장 긴', '처마에 고드름이 달리는', '동지가 있는'],
     ['썰매를 탄다.', '난로를 피운다.', '눈사람을 만든다.', '털장갑을 낀다.'])]


def season(r):
    kind, village = r.randrange(4), r.choice(VILLAGES)
    sign, custom = r.choice(SEASON_SIGNS[kind][0]), r.choice(SEASON_SIGNS[kind][1])
    if r.random() < .3:
        return case(f'{village} 마을에서 {sign} 계절은', SEASONS[kind] + '이다.',
                    [x + '이다.' for x in SEASONS if x != SEASONS[kind]], ('season', sign), 6,
                    (village, sign))
    return case(f'{sign} 계절이 오면 {village} 마을 사람들은', custom,
                [r.choice(SEASON_SIGNS[x][1]) for x in range(4) if x != kind],
                ('custom', sign, custom), 12, (village, sign, custom))


FAMILIES = [(scale, 3, 30), (calendar, 4, 15), (affordance, 2, 20), (cause, 2, 20), (season, 1, 15)]
