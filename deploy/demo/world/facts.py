"""Who and what there is: invented people, villages, animals and herbs, and a fixed fact for each.

FACT[attribute] = ({entity: value}, values, wordings); a wording is a pair of functions, prompt of
the entity and answer of the value.
"""
import random
import zlib

from .case import SEED
from .korean import josa

PEOPLE = ('가람 나래 다온 라온 마루 보미 새론 소라 슬기 시내 아라 여울 예솔 이슬 지우 찬솔 초롱 하람 '
          '한별 해솔 푸름 도담 두리 누리 미르 벼리 보람 샛별 온유 우람 윤슬 한결 한솔 다솜 로이 '
          '채아').split()
VILLAGES = ('솔뫼 달내 검바위 은모래 안개울 별마루 노을재 돌샘 버들목 갈숲 흰여울 꽃담 바람골 큰나루 '
            '햇살터 은하골 단풍재 종달재 반달섬 너른들 소금골 옛터').split()
ANIMALS = ('도롱새 물방울쥐 구름토끼 모래여우 별사슴 달빛나방 숯고양이 안개늑대 이끼곰 바위거북 바람제비 '
           '불꽃개구리 서리올빼미 조약돌게 풀잎뱀 솜털오리 유리나비 번개족제비 방울염소 꿀너구리 '
           '잿빛두루미 눈꽃다람쥐').split()
HERBS = ('달무리풀 은방울풀 서리꽃 별고사리 해바람풀 쓴돌나물 노을초 물빛나무 검은솔 안개고사리 바위쑥 '
         '눈물꽃 잠나무 샘미나리 구름박하 붉은실풀').split()

HABITATS = '동굴 늪 솔숲 바닷가 산꼭대기 강가 들판 사막 호숫가 골짜기'.split()
FOODS = '열매 벌레 이끼 물고기 풀뿌리 꿀 버섯 씨앗 조개 나뭇잎'.split()
HOURS = '아침 한낮 저녁 한밤중 새벽'.split()
COLORS = '흰색 검은색 붉은색 푸른색 노란색 잿빛 갈색'.split()
EFFECTS = ['열을 내리는 데', '기침을 멎게 하는 데', '상처를 아물게 하는 데', '배앓이를 다스리는 데',
           '잠이 오게 하는 데', '부기를 가라앉히는 데', '두통을 더는 데', '입맛을 돋우는 데']
PARTS = '뿌리 잎 꽃 껍질 씨 줄기'.split()
METHODS = ['달여서 마신다', '찧어서 바른다', '말려서 씹는다', '우려서 마신다', '가루로 빻아 먹는다',
           '즙을 내어 바른다']
GOODS = '소금 도자기 꿀 비단 종이 사과 곶감 인삼 돗자리 부채 김 녹차'.split()
SEASONS = '봄 여름 가을 겨울'.split()
JOBS = '대장장이 어부 농부 의원 목수 옹기장이 뱃사공 양봉가 훈장 약초꾼'.split()

WORLD = random.Random(7)
FACT = {}


def fact(attribute, entities, values, wordings):
    """Deals the values to the entities as evenly as they go."""
    dealt = (values * (len(entities) // len(values) + 1))[:len(entities)]
    WORLD.shuffle(dealt)
    FACT[attribute] = (dict(zip(entities, dealt)), values, wordings)


fact('habitat', ANIMALS, HABITATS, [
    (lambda e: f'{josa(e, "은")} 주로', lambda v: f'{v}에 산다.'),
    (lambda e: f'질문: {josa(e, "은")} 어디에 사는가? 답:', lambda v: f'{v}.'),
    (lambda e: f'{josa(e, "을")} 보려면', lambda v: f'{josa(v, "으로")} 가야 한다.'),
    (lambda e: f'{e}의 보금자리가 있는 곳은', lambda v: f'{josa(v, "이다")}.')])
fact('food', ANIMALS, FOODS, [
    (lambda e: f'{josa(e, "은")} 주로', lambda v: f'{josa(v, "을")} 먹는다.'),
    (lambda e: f'질문: {josa(e, "은")} 무엇을 먹는가? 답:', lambda v: f'{v}.'),
    (lambda e: f'{e}의 먹이는', lambda v: f'{josa(v, "이다")}.'),
    (lambda e: f'{josa(e, "이")} 가장 좋아하는 먹이는', lambda v: f'{josa(v, "이다")}.')])
fact('hour', ANIMALS, HOURS, [
    (lambda e: f'{josa(e, "은")} 주로', lambda v: f'{v}에 움직인다.'),
    (lambda e: f'질문: {josa(e, "은")} 언제 움직이는가? 답:', lambda v: f'{v}.'),
    (lambda e: f'{e}의 활동 시간은', lambda v: f'{josa(v, "이다")}.')])
fact('color', ANIMALS, COLORS, [
    (lambda e: f'{josa(e, "은")} 몸이', lambda v: f'{josa(v, "이다")}.'),
    (lambda e: f'질문: {josa(e, "은")} 무슨 색인가? 답:', lambda v: f'{v}.'),
    (lambda e: f'{e}의 몸빛은', lambda v: f'{josa(v, "이다")}.')])
fact('effect', HERBS, EFFECTS, [
    (lambda e: f'{josa(e, "은")} 예부터', lambda v: f'{v} 쓴다.'),
    (lambda e: f'질문: {josa(e, "은")} 어디에 쓰는 약초인가? 답:', lambda v: f'{v} 쓴다.'),
    (lambda e: f'의원은 {josa(e, "을")}', lambda v: f'{v} 썼다.')])
fact('part', HERBS, PARTS, [
    (lambda e: f'{josa(e, "은")} 약으로', lambda v: f'{josa(v, "을")} 쓴다.'),
    (lambda e: f'질문: {josa(e, "은")} 어느 부분을 약으로 쓰는가? 답:', lambda v: f'{v}.'),
    (lambda e: f'{e}에서 약이 되는 부분은', lambda v: f'{josa(v, "이다")}.')])
fact('method', HERBS, METHODS, [
    (lambda e: f'{josa(e, "은")}', lambda v: f'{v}.'),
    (lambda e: f'질문: {josa(e, "은")} 어떻게 쓰는가? 답:', lambda v: f'{v}.'),
    (lambda e: f'약초꾼들은 {josa(e, "을")}', lambda v: f'{v}.')])
fact('goods', VILLAGES, GOODS, [
    (lambda e: f'{e} 마을의 특산물은', lambda v: f'{josa(v, "이다")}.'),
    (lambda e: f'질문: {e} 마을은 무엇으로 유명한가? 답:', lambda v: f'{v}.'),
    (lambda e: f'{e} 마을은 예부터', lambda v: f'{josa(v, "으로")} 이름났다.'),
    (lambda e: f'장사꾼들은 {e} 마을에서', lambda v: f'{josa(v, "을")} 사 온다.')])
fact('feast', VILLAGES, SEASONS, [
    (lambda e: f'{e} 마을의 큰 잔치는', lambda v: f'{v}에 열린다.'),
    (lambda e: f'질문: {e} 마을은 언제 잔치를 여는가? 답:', lambda v: f'{v}.'),
    (lambda e: f'{e} 마을 사람들은 해마다', lambda v: f'{v}에 잔치를 연다.')])
fact('job', PEOPLE, JOBS, [
    (lambda e: f'{e}의 직업은', lambda v: f'{josa(v, "이다")}.'),
    (lambda e: f'질문: {e}의 직업은 무엇인가? 답:', lambda v: f'{v}.'),
    (lambda e: f'{josa(e, "은")} 마을에서 손꼽히는', lambda v: f'{josa(v, "이다")}.')])
fact('home', PEOPLE, VILLAGES, [
    (lambda e: f'{josa(e, "은")} 어릴 때부터', lambda v: f'{v} 마을에 살았다.'),
    (lambda e: f'질문: {josa(e, "은")} 어느 마을에 사는가? 답:', lambda v: f'{v} 마을.'),
    (lambda e: f'{e}의 고향은', lambda v: f'{v} 마을이다.')])

# Rarer facts are seen less often: room above the best model.
RARITY = {(a, e): WORLD.random() for a in FACT for e in FACT[a][0]}


def held_wording(attribute, entity):
    """The one wording of a fact that the corpus never shows."""
    return zlib.crc32(f'{SEED}|hold|{attribute}|{entity}'.encode()) % len(FACT[attribute][2])
