"""Hugging Face: models and datasets of the Hub, and their rows (huggingface.co/docs/hub/api)."""

from __future__ import annotations

from ..egress.origin import Origin
from .model import Operation, Paging, Parameter, Toolset

_VIEWER = Origin.parse("https://datasets-server.huggingface.co")
_TEXT = {"type": "string", "minLength": 1}
_SEARCH = Parameter("search", "query", {"type": "string"}, "Words in its name")
_AUTHOR = Parameter("author", "query", {"type": "string"}, "Only of this person or organization")
_FILTER = Parameter("filter", "query", {"type": "string"}, "Only with this tag")
_SORT = Parameter(
    "sort",
    "query",
    {"enum": ["downloads", "likes", "lastModified", "trendingScore"], "default": "downloads"},
    "By what",
)
_LIMIT = Parameter(
    "limit", "query", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}, "How many"
)
_CURSOR = Parameter("cursor", "query", {"type": "string"}, "From the page before")
_MODEL = Parameter(
    "model", "path", _TEXT, "Id, such as `google-bert/bert-base-uncased`", required=True,
    reserved=True,
)  # fmt: skip
_DATASET = Parameter(
    "dataset", "path", _TEXT, "Id, such as `stanfordnlp/imdb`", required=True, reserved=True
)
_REVISION = Parameter("revision", "path", _TEXT, "Branch, tag or commit: `main`", required=True)
_FILE = Parameter("path", "path", _TEXT, "Path in the repository", required=True, reserved=True)
_VIEWED = Parameter("dataset", "query", _TEXT, "Id of the dataset", required=True)
_CONFIG = Parameter("config", "query", _TEXT, "Configuration: `default` for most", required=True)
_SPLIT = Parameter("split", "query", _TEXT, "Split, such as `train`", required=True)
_KNOWN = (
    "{id: id, author: author, downloads: downloads, likes: likes, tags: tags, gated: gated, "
    "private: private, modified: lastModified"
)
_PAGES = Paging("link", "cursor")

_OPERATIONS = (
    Operation(
        "whoami",
        "Get the person who is signed in and their organizations",
        "GET",
        "/api/whoami-v2",
        scopes=frozenset({"openid", "profile"}),
        select="{name: name, fullname: fullname, type: type, orgs: orgs[].name}",
    ),
    Operation(
        "list_models",
        "Search the models on the Hub",
        "GET",
        "/api/models",
        (_SEARCH, _AUTHOR, _FILTER, _SORT, _LIMIT, _CURSOR),
        paging=_PAGES,
        select=f"[].{_KNOWN}, task: pipeline_tag}}",
    ),
    Operation(
        "get_model",
        "Get what the Hub knows of one model, with its files",
        "GET",
        "/api/models/{model}",
        (_MODEL,),
        select=f"{_KNOWN}, task: pipeline_tag, library: library_name, card: cardData, "
        "files: siblings[].rfilename}",
    ),
    Operation(
        "list_datasets",
        "Search the datasets on the Hub",
        "GET",
        "/api/datasets",
        (_SEARCH, _AUTHOR, _FILTER, _SORT, _LIMIT, _CURSOR),
        paging=_PAGES,
        select=f"[].{_KNOWN}, description: description}}",
    ),
    Operation(
        "get_dataset",
        "Get what the Hub knows of one dataset, with its files",
        "GET",
        "/api/datasets/{dataset}",
        (_DATASET,),
        select=f"{_KNOWN}, description: description, card: cardData, files: siblings[].rfilename}}",
    ),
    Operation(
        "read_model_file",
        "Read a text file of a model, such as README.md or config.json",
        "GET",
        "/{model}/resolve/{revision}/{path}",
        (_MODEL, _REVISION, _FILE),
        accept="*/*",
    ),
    Operation(
        "read_dataset_file",
        "Read a text file of a dataset, such as README.md",
        "GET",
        "/datasets/{dataset}/resolve/{revision}/{path}",
        (_DATASET, _REVISION, _FILE),
        accept="*/*",
    ),
    Operation(
        "list_splits",
        "List the configurations and splits of a dataset",
        "GET",
        "/splits",
        (_VIEWED,),
        origin=_VIEWER,
        select="{splits: splits[].{config: config, split: split}}",
    ),
    Operation(
        "read_rows",
        "Read rows of a dataset",
        "GET",
        "/rows",
        (
            _VIEWED,
            _CONFIG,
            _SPLIT,
            Parameter("offset", "query", {"type": "integer", "minimum": 0}, "First row"),
            Parameter(
                "length",
                "query",
                {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
                "How many rows",
            ),
        ),
        origin=_VIEWER,
        select="{total: num_rows_total, rows: rows[].row}",
    ),
    Operation(
        "search_rows",
        "Search the texts of a dataset",
        "GET",
        "/search",
        (
            _VIEWED,
            _CONFIG,
            _SPLIT,
            Parameter("query", "query", _TEXT, "Words to search for", required=True),
            Parameter("offset", "query", {"type": "integer", "minimum": 0}, "First match"),
            Parameter(
                "length",
                "query",
                {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
                "How many rows",
            ),
        ),
        origin=_VIEWER,
        select="{total: num_rows_total, rows: rows[].row}",
    ),
)

HUGGINGFACE = Toolset(
    "huggingface",
    "Hugging Face",
    "huggingface",
    Origin.parse("https://huggingface.co"),
    _OPERATIONS,
    listing="connected",
)
