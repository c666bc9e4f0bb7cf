"""Which writes to JupyterLab's settings are refused (R92)."""

from __future__ import annotations

import warnings

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import Application

from jupyter_valet.server.locked_settings import LockedSettings

SANITIZER = "@jupyterlab/apputils-extension:sanitizer"


@pytest.fixture
def locked() -> LockedSettings:
    return LockedSettings(Application(), [SANITIZER])


@pytest.mark.parametrize(
    "name",
    [
        SANITIZER,
        "%40jupyterlab%2Fapputils-extension%3Asanitizer",
        "@JupyterLab/Apputils-extension:sanitizer",
        "@jupyterlab:apputils-extension/sanitizer",
        "@jupyterlab/x/../apputils-extension:sanitizer",
        "@jupyterlab/x/%2e%2e/apputils-extension:sanitizer",
        "@jupyterlab/apputils-extension:./sanitizer",
        "@jupyterlab//apputils-extension:sanitizer",
        "../user-settings/@jupyterlab/apputils-extension:sanitizer",
        "/home/jane/.jupyter/lab/user-settings/@jupyterlab/apputils-extension:sanitizer",
        "@jupyterlab\\apputils-extension:sanitizer",
        "@jupyterlab/apputils-extension:sanitizer\n",
    ],
)
def test_a_locked_setting_is_locked_however_it_is_written(
    locked: LockedSettings, name: str
) -> None:
    """JupyterLab makes a path of the name: several names mean one file."""
    assert locked.locks("/base/lab/api/settings/" + name)


@pytest.mark.parametrize(
    "path",
    [
        "/base/lab/api/settings/@jupyterlab/apputils-extension:themes",
        "/base/lab/api/settings/jupyterlab-vim:plugin",
        "/base/lab/api/settings/",
        "/base/api/contents/api.ipynb",
        "/base/lab/api/workspaces/default",
    ],
)
def test_everything_else_goes_its_way(locked: LockedSettings, path: str) -> None:
    assert not locked.locks(path)


def test_a_locked_setting_can_be_read(locked: LockedSettings) -> None:
    path = f"/base/lab/api/settings/{SANITIZER}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a request without a connection
        asked = HTTPServerRequest("GET", path, headers=HTTPHeaders())
    assert locked.find_handler(asked) is None
