"""What a docstring says of parameters, in the styles that data scientists write."""

from __future__ import annotations

import pytest

from jupyter_valet.kernel.functions.docstrings import parse

GOOGLE = """Plot a station.

    Longer words
    about it.

    Args:
        station (str): which one,
            by its code
        year: of the data

    Returns:
        A figure.
    """

NUMPY = """Plot a station.

    Parameters
    ----------
    station : str
        which one,
        by its code
    year : int, optional
        of the data

    Returns
    -------
    Figure
    """

SPHINX = """Plot a station.

    :param str station: which one,
        by its code
    :param year: of the data
    :returns: a figure
    """


@pytest.mark.parametrize("text", [GOOGLE, NUMPY, SPHINX], ids=["google", "numpy", "sphinx"])
def test_each_style_gives_the_same(text):
    said = parse(text)
    assert said.summary == "Plot a station"
    assert said.parameters == {"station": "which one, by its code", "year": "of the data"}
    assert "Args" not in said.description
    assert "---" not in said.description


def test_what_is_not_understood_stays_in_the_description():
    assert parse("Do it.\n\nNote: this is prose.").description == "Do it.\n\nNote: this is prose."


@pytest.mark.parametrize("text", [None, "", "   ", ":", "Args:", "-----\n-----", ":param:"])
def test_odd_text_never_fails(text):
    parse(text)


def test_the_description_keeps_its_paragraphs():
    assert parse(GOOGLE).description == "Plot a station.\n\nLonger words\nabout it."
