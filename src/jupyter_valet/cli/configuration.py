"""What Jupyter's configuration files say of the extension: the server and the CLI must agree."""

from __future__ import annotations

from typing import Any

from ..wire.errors import ValetError

_FILES = ("jupyter_valet_config", "jupyter_config", "jupyter_server_config")
"""As the server reads them: a later one wins."""


def configured(name: str) -> Any:
    """Return a setting of `ValetExtension` from the configuration files; None where none has it.

    What was given to the server on its command line is in no file. Files of the working folder are
    left out, although a server that starts there reads them: a folder of notebooks is not the
    person's configuration, and to read such a file is to run it. Raises `ValetError` for a file
    that cannot be read, because with a default in its place another vault would be meant.
    """
    from jupyter_core.paths import jupyter_config_path
    from traitlets.config import Application
    from traitlets.config.loader import LazyConfigValue

    reader = Application(raise_config_file_errors=True)
    for file in _FILES:
        try:
            reader.load_config_file(file, path=jupyter_config_path())
        except Exception as error:
            what = f"{file} cannot be read ({type(error).__name__})"
            raise ValetError("bad_configuration", what=what) from None
    section = reader.config.ValetExtension
    value = section.get(name)
    return value.get_value({}) if isinstance(value, LazyConfigValue) else value
