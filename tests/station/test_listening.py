"""One address, one listener, and the same spelling wherever it is read."""

from __future__ import annotations

import socket

import pytest

from monitor.station.listening import AddressTakenError, address_of, listen, write_address


def test_port_0_takes_a_free_one_and_says_which():
    with listen("127.0.0.1", 0) as listener:
        host, port = listener.getsockname()
        assert port > 0
        assert address_of(listener) == f"{host}:{port}"
        with socket.create_connection((host, port), timeout=10):
            pass
        assert listener.get_inheritable()


def test_an_address_is_never_shared():
    with listen("127.0.0.1", 0) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(AddressTakenError, match=rf"127\.0\.0\.1:{port}.*--listen"):
            listen("127.0.0.1", port)


def test_ipv6_is_written_in_brackets():
    if not socket.has_ipv6:
        pytest.skip("needs IPv6")
    with listen("::1", 0) as listener:
        assert address_of(listener) == f"[::1]:{listener.getsockname()[1]}"


def test_an_address_that_is_not_ours_is_refused_with_a_remedy():
    with pytest.raises(AddressTakenError, match=r"cannot listen on 192\.0\.2\.1:80"):
        listen("192.0.2.1", 80)


def test_the_address_is_written_whole(tmp_path):
    write_address(tmp_path / "var", "127.0.0.1:8080")
    write_address(tmp_path / "var", "127.0.0.1:9090")
    assert (tmp_path / "var" / "address").read_text() == "127.0.0.1:9090\n"
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["address"]


def test_a_connection_whose_other_side_vanished_does_not_stay_for_ever():
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 15
