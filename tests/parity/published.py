"""The published benchmark files, read by nothing of koeval: csv and split of Python alone."""
import csv
import os


def kmmlu_files(shared):
    folder = os.path.join(shared, "data/bench/kmmlu/data")
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))
            if name.endswith(".csv")]


def kobest_files(shared):
    folder = os.path.join(shared, "data/bench/kobest/v1.0")
    return [os.path.join(folder, task, name) for task in sorted(os.listdir(folder))
            for name in sorted(os.listdir(os.path.join(folder, task))) if name.endswith(".tsv")]


def read_csv(path):
    """Rows of fields; a quoted field may hold line ends."""
    with open(path, encoding="utf-8-sig", newline="") as f:
        return list(csv.reader(f))


def read_tsv(path):
    """Rows of fields; a quote is a character like any other."""
    with open(path, encoding="utf-8-sig", newline="") as f:
        return [line.split("\t") for line in f.read().split("\n")]


def every_string(shared, benchmark):
    """Every field that is not empty, in the order of files, rows and columns."""
    files, read = {"kmmlu": (kmmlu_files, read_csv), "kobest": (kobest_files, read_tsv)}[benchmark]
    for path in files(shared):
        for row in read(path):
            yield from (field for field in row if field)
