"""lm-evaluation-harness' own task classes and YAML files, over documents from the published files.

Its templates, its functions and its sampler run unchanged; only datasets.load_dataset is replaced,
by a reader that shares nothing with koeval.  Columns are renamed here as the data set's hub page
has them, which is what the YAML files were written for.
"""
import functools
import os

import published

BOOLEANS = {"True": 1, "TRUE": 1, "False": 0, "FALSE": 0}
# hub name -> (folder, {column: (published column, conversion)})
KOBEST = {
    "boolq": ("BoolQ", {"paragraph": ("Text", str), "question": ("Question", str),
                        "label": ("Answer", BOOLEANS.get)}),
    "copa": ("COPA", {"premise": ("sentence", str), "question": ("question", str),
                      "alternative_1": ("1", str), "alternative_2": ("2", str),
                      "label": ("Answer", lambda x: int(x) - 1)}),
    "hellaswag": ("HellaSwag", {"context": ("context", str), "ending_1": ("choice1", str),
                                "ending_2": ("choice2", str), "ending_3": ("choice3", str),
                                "ending_4": ("choice4", str), "label": ("label", int)}),
    "sentineg": ("SentiNeg", {"sentence": ("Text", str), "label": ("Label", int)}),
    "wic": ("WiC", {"word": ("Target", str), "context_1": ("SENTENCE1", str),
                    "context_2": ("SENTENCE2", str), "label": ("ANSWER", BOOLEANS.get)}),
}
KMMLU = {"question": ("question", str), "answer": ("answer", int), "A": ("A", str),
         "B": ("B", str), "C": ("C", str), "D": ("D", str)}


def documents(rows, columns):
    head = [name.strip() for name in rows[0]]
    at = {column: (head.index(source), convert) for column, (source, convert) in columns.items()}
    return [{column: convert(row[i].strip() if convert is not str else row[i])
             for column, (i, convert) in at.items()}
            for row in rows[1:] if any(row)]


def without_carriage_return(rows):
    return [row[:-1] + [row[-1].rstrip("\r")] for row in rows]


def kobest(shared, name):
    folder, columns = KOBEST[name]
    files = {"train": "train", "validation": "dev", "test": "test"}
    path = os.path.join(shared, "data/bench/kobest/v1.0", folder, "%s.tsv")
    return {split: documents(without_carriage_return(published.read_tsv(path % file)), columns)
            for split, file in files.items()}


def kmmlu_names(shared):
    return sorted(os.path.basename(path)[:-len("-test.csv")]
                  for path in published.kmmlu_files(shared) if path.endswith("-test.csv"))


def kmmlu(shared, name):
    file = {n.lower(): n for n in kmmlu_names(shared)}[name.lower()]
    path = os.path.join(shared, "data/bench/kmmlu/data", file + "-%s.csv")
    return {split: documents(published.read_csv(path % split), KMMLU) for split in ("dev", "test")}


def paths(shared, task):
    """SPLIT=FILE of what a task reads, as `koeval task render --data` takes them."""
    if task.startswith("kobest_"):
        folder = os.path.join(shared, "data/bench/kobest/v1.0", KOBEST[task[7:]][0])
        return ["%s=%s/%s.tsv" % (split, folder, file)
                for split, file in (("train", "train"), ("test", "test"))]
    names = {n.lower().replace("-", "_"): n for n in kmmlu_names(shared)}
    base = os.path.join(shared, "data/bench/kmmlu/data", names[task[6:]])
    return ["%s=%s-%s.csv" % (split, base, split) for split in ("dev", "test")]


def names(shared):
    return (["kobest_" + name for name in KOBEST] +
            ["kmmlu_" + n.lower().replace("-", "_") for n in kmmlu_names(shared)])


def serve(shared):
    """From here on lm-eval's load_dataset reads the published files."""
    import datasets
    import lm_eval.api.task
    import lm_eval.utils

    def load_dataset(path, name=None, **_):
        splits = (kobest if path.startswith("skt/kobest") else kmmlu)(shared, name)
        return datasets.DatasetDict({s: datasets.Dataset.from_list(d) for s, d in splits.items()})

    lm_eval.api.task.datasets.load_dataset = load_dataset
    # It compiles its template for every document; the compiled one gives the same text.
    lm_eval.utils.env.from_string = functools.lru_cache(None)(lm_eval.utils.env.from_string)


@functools.lru_cache(None)
def manager():
    """lm-eval's own YAML files, of these two benchmarks alone: it has thousands."""
    import lm_eval.tasks
    home = os.path.dirname(lm_eval.tasks.__file__)
    return lm_eval.tasks.TaskManager(include_defaults=False, include_path=[
        os.path.join(home, "kobest"), os.path.join(home, "kmmlu/default")])


def load(task, shots, seed=1234):
    """The task object of lm-eval, ready to build requests."""
    loaded = manager().load([task])
    objects = loaded["tasks"] if isinstance(loaded, dict) and "tasks" in loaded else loaded
    (found,) = [t for t in objects.values()]
    found.set_config(key="num_fewshot", value=shots)
    found.set_fewshot_seed(seed=seed)
    return found


def requests(task, limit=None):
    """(item, index, context, continuation) in order."""
    task.build_all_requests(limit=limit, rank=0, world_size=1)
    return sorted((i.doc_id, i.idx, i.args[0], i.args[1]) for i in task.instances)
