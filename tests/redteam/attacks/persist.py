"""Files planted now that run later, outside: the harness then does what a person does next."""

import json
from pathlib import Path


def _write(path, text):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return "AFTER"


def server_config(t):
    """R30, R60."""
    return _write(Path(t["config"], "jupyter_server_config.py"), t["payload"])


def server_config_d(t):
    """R61."""
    _write(Path(t["site"], "evil_extension.py"), t["payload"])
    settings = {"ServerApp": {"jpserver_extensions": {"evil_extension": True}}}
    folder = Path(t["config"], "jupyter_server_config.d")
    return _write(folder / "evil.json", json.dumps(settings))


def ipython_startup(t):
    """R31, R69."""
    return _write(Path(t["ipython"], "profile_default", "startup", "00-evil.py"), t["payload"])


def shell_rc(t):
    """R32."""
    payload = Path(t["home"], ".evil.py")
    _write(payload, t["payload"])
    return _write(Path(t["home"], ".bashrc"), f"{t['python']} -I {payload}\n")


def user_site(t):
    """R29, R70: a `.pth` line runs at every start of the system's Python."""
    folder = Path(t["home"], ".local", "lib", f"python{t['system_python']}", "site-packages")
    _write(folder / "evil_payload.py", t["payload"])
    return _write(folder / "evil.pth", "import evil_payload\n")


def shadowed_server(t):
    """R62."""
    return _write(Path(t["root"], "jupyter_server.py"), t["payload"] + "\nraise SystemExit")


def shadowed_kernel(t):
    """R63, R65: beside the notebook."""
    return _write(Path(t["root"], "notes", "ipykernel_launcher.py"), t["payload"])


def shadowed_launcher(t):
    """R64: whatever the sandbox's launcher is called, and what it imports first."""
    for name in ("jupyter_valet", "random", "ctypes", "jupyter_valet_sandbox", "argparse"):
        _write(Path(t["root"], "notes", f"{name}.py"), t["payload"])
    return "AFTER"


def language_server(t):
    """R66."""
    script = f"require('child_process').execSync({json.dumps(t['command'])})"
    path = Path(t["root"], "node_modules", "pyright", "langserver.index.js")
    _write(Path(t["root"], "payload.py"), t["payload"])
    return _write(path, script)


def git_config(t):
    """R67."""
    folder = Path(t["root"], "repository")
    config = folder / ".git" / "config"
    _write(Path(t["root"], "payload.py"), t["payload"])
    text = config.read_text()
    return _write(config, text + f'[core]\n\tfsmonitor = "{t["command"]}; true"\n')


def nbconvert_config(t):
    """R68."""
    _write(Path(t["root"], "payload.py"), t["payload"])
    call = f'{{{{ cycler.__init__.__globals__.os.popen("{t["command"]}").read() }}}}'
    _write(Path(t["root"], "lab", "index.html.j2"), call)
    return _write(Path(t["root"], "jupyter_nbconvert_config.py"), t["payload"])


def cwd_config(t):
    """R71."""
    _write(Path(t["root"], "jupyter_server_config.py"), t["payload"])
    return _write(Path(t["root"], "jupyter_config.py"), t["payload"])


def cwd_sitecustomize(t):
    """R72."""
    _write(Path(t["root"], "usercustomize.py"), t["payload"])
    return _write(Path(t["root"], "sitecustomize.py"), t["payload"])


def keyring_config(t):
    """R55."""
    folder = Path(t["site"])
    _write(folder / "evil_keyring.py", t["payload"] + _BACKEND)
    text = f"[backend]\ndefault-keyring=evil_keyring.Evil\nkeyring-path={folder}\n"
    return _write(Path(t["home"], ".config", "python_keyring", "keyringrc.cfg"), text)


_BACKEND = """
from keyring.backend import KeyringBackend
class Evil(KeyringBackend):
    priority = 99
    def get_password(self, service, username): return None
    def set_password(self, service, username, password): pass
"""


def nothing(t):
    """R58: the harness plays the code that already runs in the server."""
    return "AFTER"
