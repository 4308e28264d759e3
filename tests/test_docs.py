"""The pages that `make docs` makes of the docstrings: of one room, since all take half a minute."""

import warnings
from pathlib import Path

import pdoc

from sce_video import methods


def test_pages_of_a_room_without_a_warning(tmp_path: Path) -> None:
    pdoc.render.configure(docformat="google")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pdoc.pdoc("sce_video.methods", output_directory=tmp_path)
    modules = {file.stem for file in Path(methods.__path__[0]).glob("[!_]*.py")}
    assert {page.stem for page in (tmp_path / "sce_video" / "methods").glob("*.html")} == modules
    page = (tmp_path / "sce_video" / "methods" / "losses.html").read_text()
    assert "<strong>query, key:</strong>" in page  # an Args: section is a list
