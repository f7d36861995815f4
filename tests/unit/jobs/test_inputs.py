"""What a job says of the texts it is given."""

import pytest

from elusive.data.texts import Text
from elusive.jobs.inputs import warned_of_tags
from elusive.progress import Bars


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<name>Ada</name> of <city>Rome</city>", "--strip-tags city,name removes them"),
        ("<p>Ada</p> of Rome", ""),
    ],
)
def test_tags_of_biographies_in_a_text_are_told_once(capsys: pytest.CaptureFixture[str], text: str, said: str) -> None:
    texts = [Text("1", text), Text("2", text)]
    assert list(warned_of_tags(iter(texts), Bars())) == texts
    assert capsys.readouterr().err.count("warning") == bool(said)
    assert not list(warned_of_tags(iter([]), Bars()))
