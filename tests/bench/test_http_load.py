"""The HTTP client of the benchmarks reads complete responses, one after the other."""

from __future__ import annotations

import socket

from bench.http_load import Address, KeepAlive, percentiles


def test_a_response_in_parts_is_complete_with_its_last_byte() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = KeepAlive(Address("127.0.0.1", server.getsockname()[1], "sk-x"))
        answering, _ = server.accept()
        with answering:
            seen = []
            for part in (b"HTTP/1.1 200 OK\r\ncontent-", b"length: 4\r\n\r\nab", b"cd"):
                answering.sendall(part)
                seen.append(connection.receive())
            answering.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
            seen.append(connection.receive())
        connection.close()
    assert seen == [None, None, 200, 503]


def test_percentiles_are_of_the_values_given() -> None:
    assert percentiles([]) == (0.0, 0.0, 0.0)
    assert percentiles([float(number) for number in range(200, 0, -1)]) == (101.0, 199.0, 200.0)
