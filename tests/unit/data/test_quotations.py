"""Quotation marks that stand in a text and are no quoting of csv: every line is read, or set aside under its number."""

import csv
import io

import pytest
from corpus_files import read_all
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from question_samples import passages_of, questions_of

from elusive.data import delimited
from elusive.data.rejected import Reason

BROKEN = Reason.BROKEN_CSV
HEADER = "id\ttext\ttitle\n"
READ = {
    "a quotation over two rows": (
        '1\t"Once, he began, there was a heron\tA\n2\tand it stood on one leg."\tB\n3\tthree\tC\n',
        ['"Once, he began, there was a heron', 'and it stood on one leg."', "three"],
    ),
    "over three rows, with ids that have a stem": (
        'p8\t"One\tA\np9\ttwo\tB\np10\tthree"\tC\n',
        ['"One', "two", 'three"'],
    ),
    "from a text into a title": ('1\t"One\tA\n2\ttwo\tand "B\n3\tthree\tC\n', ['"One', "two", "three"]),
    "never closed": ('1\tone\tA\n2\t"two\tB\n3\tthree\tC', ["one", '"two', "three"]),
    "closed by another opening": (
        '1\t"Hello, he said\tA\n2\ttwo\tB\n3\tShe replied "yes"\tC\n4\t"Four\tD\n5\tfive\tE\n',
        ['"Hello, he said', "two", 'She replied "yes"', '"Four', "five"],
    ),
    "a word in quotes at the beginning": ('1\t"One" he said\tA\n2\ttwo\tB\n', ['"One" he said', "two"]),
    "with newlines of Windows": ('1\t"One\tA\r\n2\ttwo"\tB\r\n', ['"One', 'two"']),
}


@pytest.mark.parametrize("case", READ)
def test_rows_between_tabs_are_read_one_a_line(write, case):
    rows, texts = READ[case]
    path = write("p.tsv", HEADER + rows)
    for read, found in ((read_all(path), read_all(path).strings), (p := passages_of(path), [x.text for x in p.items])):
        assert found == texts
        assert not read.rejections


def test_titles_and_ids_are_those_of_the_line(write):
    rows, _ = READ["a quotation over two rows"]
    read = passages_of(write("p.tsv", HEADER + rows))
    assert [(passage.id, passage.title) for passage in read.items] == [("1", "A"), ("2", "B"), ("3", "C")]


TOLD = {
    "ids that do not count on": ("p.tsv", '7\t"One\tA\n3\ttwo"\tB\n9\tthree\tC\n', ["three"], [2, 3]),
    "no ids, and no sign of what was meant": ("p.tsv", 'a\t"One\tA\nb\ttwo"\tB\nc\tthree\tC\n', ["three"], [2, 3]),
    "commas, ids that count on": ("p.csv", '1,"One,A\n2,two",B\n3,three,C\n', ["three"], [2, 3]),
    "commas, never closed": ("p.csv", '1,one,A\n2,"two,B\n3,three,C\n4,four,D\n', ["one", "three", "four"], [3]),
    "commas, closed by another opening": ("p.csv", '1,"one,A\n2,two,B\n3,"three",C\n', ["two", "three"], [2]),
    "a text of several lines, broken": ("p.tsv", '1\t"One\nmore" of it\tA\n2\ttwo\tB\n', ["two"], [2, 3]),
    "likewise between commas": ("p.csv", '1,"One\nmore" of it,A\n2,two,B\n', ["two"], [2, 3]),
    "quotes escaped in another way": ("p.tsv", '1\t"He said \\"no\\""\tA\n2\ttwo\tB\n', ["two"], [2]),
}


@pytest.mark.parametrize("case", TOLD)
def test_lines_that_are_lost_are_told(write, case):
    name, rows, texts, lost = TOLD[case]
    header = HEADER.replace("\t", ",") if name.endswith("csv") else HEADER
    read = read_all(write(name, header + rows))
    assert read.strings == texts
    assert read.reasons == [(line, BROKEN) for line in lost]


def test_what_holds_lines_together_is_said(write):
    read = read_all(write("p.tsv", HEADER + '7\t"One\tA\n3\ttwo"\tB\n9\tthree\tC\n'))
    assert "lines 2 to 3, each a row by itself, are held together by a quotation" in read.rejections[0].detail
    read = read_all(write("p.csv", "id,text\n" + '1,"One\nmore",x\n2,two\n'))
    assert read.reasons == [(2, Reason.FIELD_COUNT)]
    assert "lines 2 to 3" in read.rejections[0].detail


LEGITIMATE = [
    "several\nlines",
    "a table:\nfoo\tbar\nfoo\tbaz",
    'He said "no",\nand\tleft',
    "first\tcell\nsecond\tcell",
    "x\n\ty",
    "a list\n7 apples\t8 pears",
]


@pytest.mark.parametrize("text", LEGITIMATE)
@pytest.mark.parametrize("name", ["p.tsv", "p.csv"])
def test_a_quoted_text_of_several_lines_is_one_text(write, name, text):
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter="\t" if name == "p.tsv" else ",")
    writer.writerows([["id", "text", "title"], ["12", text, "A"], ["13", "two", "B"]])
    assert read_all(write(name, file.getvalue())).strings == [text, "two"]
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter="\t" if name == "p.tsv" else ",")
    writer.writerows([["id", "text"], ["12", text], ["13", "two"]])
    assert read_all(write(name, file.getvalue())).strings == [text, "two"]


raw_texts = st.text('ab" ,', min_size=1, max_size=8).filter(lambda text: text.strip(' "') and '""' not in text)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(raw_texts, min_size=1, max_size=8), titled=st.booleans())
def test_no_line_of_a_file_without_quoting_is_lost_untold(write, texts, titled):
    end = "\tT" if titled else ""
    lines = [f"{number}\t{text}{end}" for number, text in enumerate(texts, start=1)]
    read = read_all(write("p.tsv", "id\ttext" + ("\ttitle" if titled else "") + "\n" + "\n".join(lines)))
    assert not read.rejections
    assert read.ids == [str(number) for number in range(1, len(texts) + 1)]
    for found, text in zip(read.strings, texts, strict=True):
        assert found in (text, text[1:-1])  # a cell that is quoted as a whole is as csv has it


def test_each_line_is_read_a_few_times_at_most(write, monkeypatch):
    n_lines = 3_000
    path = write("p.tsv", HEADER + "".join(f'{n}\t"Row {n}\tT\n' for n in range(n_lines)))
    n_taken = 0
    take = delimited._Records.__next__

    def counted(records):
        nonlocal n_taken
        n_taken += 1
        return take(records)

    monkeypatch.setattr(delimited._Records, "__next__", counted)
    assert len(read_all(path).texts) == n_lines
    assert n_taken < 3 * n_lines


def test_questions_between_tabs_may_begin_with_a_quotation(write):
    rows = "\"Hey Jude\" was sung by\t['The Beatles']\n\"Help\tin 1965\t['x']\n"
    read = questions_of(write("q.tsv", rows))
    assert [question.question for question in read.items] == ['"Hey Jude" was sung by']
    assert read.reasons == [(2, BROKEN)]


SEPARATED = {
    "semicolons": ("c.csv", 'id;text\n1;"Café; au lait"\n2;two, three\n'),
    "tabs under .csv": ("c.csv", "id\ttext\n1\tCafé; au lait\n2\ttwo, three\n"),
    "bars": ("c.csv", "id|text\n1|Café; au lait\n2|two, three\n"),
    "commas under .tsv": ("c.tsv", 'id,text\n1,Café; au lait\n2,"two, three"\n'),
    "semicolons under .tsv": ("c.tsv", 'id;text\n1;"Café; au lait"\n2;two, three\n'),
    "semicolons without suffix": ("c", 'id;text\n1;"Café; au lait"\n2;two, three\n'),
    "Excel's own line": ("c.csv", 'sep=;\r\nid;text\r\n1;"Café; au lait"\r\n2;two, three\r\n'),
    "Excel's line of a comma": ("c.csv", 'sep=,\nid,text\n1,Café; au lait\n2,"two, three"\n'),
    "a mark and semicolons": ("c.csv", '\ufeffid;text\n1;"Café; au lait"\n2;two, three\n'),
    "quoted names": ("c.csv", '"id";"text"\n1;"Café; au lait"\n2;two, three\n'),
}


@pytest.mark.parametrize("case", SEPARATED)
def test_cells_are_separated_as_the_header_says(write, case):
    path = write(*SEPARATED[case])
    assert [(text.id, text.text) for text in read_all(path).texts] == [("1", "Café; au lait"), ("2", "two, three")]
    assert [(p.id, p.text) for p in passages_of(path).items] == [("1", "Café; au lait"), ("2", "two, three")]


def test_a_header_of_one_column_is_no_sign_of_another_separator(write):
    assert read_all(write("c.csv", "text\none; two\n")).strings == ["one; two"]
    named = write("d.csv", "id;text\nfirst\n")
    assert read_all(named, text_column="id;text").strings == ["first"]


def test_questions_between_semicolons_are_read(write):
    read = questions_of(write("q.csv", "id;question;answers\n1;Who, and when?;\"['Ann, 1969']\"\n"))
    assert [(question.question, question.answers) for question in read.items] == [("Who, and when?", ("Ann, 1969",))]
