"""Joins stdin and stdout to a TCP port: an ssh ProxyCommand for machines without nc.  usage: tcp_proxy.py HOST PORT"""

import os
import socket
import sys
import threading

connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))


def send() -> None:
    while data := os.read(0, 1 << 16):
        connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


threading.Thread(target=send, daemon=True).start()
while data := connection.recv(1 << 16):
    os.write(1, data)
