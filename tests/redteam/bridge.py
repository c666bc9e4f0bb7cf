"""`bridge.py SOCKET`: standard input and output, joined to a UNIX socket; ends with either."""

import os
import socket
import sys
import threading


def to_the_socket(peer: socket.socket) -> None:
    """Copy what the server says; its end of file goes through, too."""
    while data := os.read(0, 65536):
        peer.sendall(data)
    peer.shutdown(socket.SHUT_WR)


with socket.socket(socket.AF_UNIX) as door:
    door.connect(sys.argv[1])
    threading.Thread(target=to_the_socket, args=(door,), daemon=True).start()
    while said := door.recv(65536):
        os.write(1, said)
