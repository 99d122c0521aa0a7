"""The two sockets with something in between: what is changed, repeated or sent back does not arrive."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future

import gevent
import pytest
import zmq
from locust.rpc import Message

from confman_tui.load.workers.envelope import MOST_FROM_WORKER
from confman_tui.load.workers.sockets import MasterSocket, WorkerSocket
from tests.support.waiting import DEADLINE_S, wait_for

TOKEN = "0123456789abcdeffedcba9876543210"
HEARTBEAT = {"state": "ready", "current_cpu_usage": 1.0, "current_memory_usage": 1}
Tamper = Callable[[socket.socket, bytes], None]


class Between:
    """Passes on what a worker and its master send each other, and keeps what the worker sent."""

    def __init__(self, port: int) -> None:
        self._master = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.sent: list[bytes] = []
        self.answered: list[bytes] = []
        self.to_master: socket.socket | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        worker, _address = self._listener.accept()
        self.to_master = socket.create_connection(("127.0.0.1", self._master))
        threading.Thread(target=self._pass, args=(self.to_master, worker, self.answered), daemon=True).start()
        self._pass(worker, self.to_master, self.sent)

    @staticmethod
    def _pass(source: socket.socket, sink: socket.socket, kept: list[bytes]) -> None:
        try:
            while data := source.recv(65536):
                kept.append(data)
                sink.sendall(data)
        except OSError:
            pass

    def close(self) -> None:
        self._listener.close()
        if self.to_master is not None:
            self.to_master.close()


class Heard:
    """A master's socket that keeps what it receives."""

    def __init__(self) -> None:
        self.refused = 0
        self.bad: list[str] = []
        self.messages: list[tuple[str, str]] = []
        self.socket = MasterSocket("127.0.0.1", 0, TOKEN, self._on_refused, lambda who, why: self.bad.append(why))
        self._reader = gevent.spawn(self._read)

    def _on_refused(self) -> None:
        self.refused += 1

    def _read(self) -> None:
        while True:
            client_id, message = self.socket.recv_from_client()
            self.messages.append((client_id, message.type))

    def wait(self, condition: Callable[[], bool]) -> None:
        with gevent.Timeout(DEADLINE_S):
            while not condition():
                gevent.sleep(0.01)

    def close(self) -> None:
        self._reader.kill()
        context = self.socket.socket.context
        self.socket.close(linger=0)
        context.term()


def on_a_hub(work: Callable[[], None]) -> None:
    """On a thread with a hub of its own, as the engine's."""
    done: Future[None] = Future()

    def live() -> None:
        try:
            work()
            done.set_result(None)
        except BaseException as error:
            done.set_exception(error)
        finally:
            gevent.get_hub().destroy(destroy_loop=True)

    threading.Thread(target=live, daemon=True).start()
    done.result(DEADLINE_S)


def beat(worker: WorkerSocket, sender: str = "worker") -> None:
    worker.send(Message("heartbeat", HEARTBEAT, sender))  # type: ignore[no-untyped-call]


def again(between: Between) -> bytes:
    return between.sent[-1]


def changed(between: Between) -> bytes:
    """The last message with one bit of its content another."""
    last = bytearray(between.sent[-1])
    last[-1] ^= 1
    return bytes(last)


def back(between: Between) -> bytes:
    """The master's own last message."""
    return between.answered[-1]


@pytest.mark.parametrize("forged", [again, changed, back])
def test_what_is_repeated_changed_or_sent_back_does_not_arrive(forged: Callable[[Between], bytes]) -> None:
    def work() -> None:
        master = Heard()
        between = Between(master.socket.port)
        worker = WorkerSocket("127.0.0.1", between.port, "worker", TOKEN, lambda: None)
        try:
            beat(worker)
            master.wait(lambda: len(master.messages) == 1)
            answer = Message("heartbeat", None, "worker")  # type: ignore[no-untyped-call]
            master.socket.send_to_client(answer)
            assert worker.recv().type == "heartbeat"
            assert between.to_master is not None
            between.to_master.sendall(forged(between))
            master.wait(lambda: master.refused > 0)
            assert master.messages == [("worker", "heartbeat")]
            assert master.bad == []
        finally:
            between.close()
            close(worker)
            master.close()

    on_a_hub(work)


def close(worker: WorkerSocket) -> None:
    context = worker.socket.context
    worker.close(linger=0)
    context.term()


def test_a_whole_conversation_repeated_is_turned_away() -> None:
    def work() -> None:
        master = Heard()
        between = Between(master.socket.port)
        worker = WorkerSocket("127.0.0.1", between.port, "worker", TOKEN, lambda: None)
        try:
            beat(worker)
            master.wait(lambda: len(master.messages) == 1)
            assert master.refused == 0
            with socket.create_connection(("127.0.0.1", master.socket.port)) as later:
                later.sendall(b"".join(between.sent))
                master.wait(lambda: master.refused > 0)
            assert master.messages == [("worker", "heartbeat")]
        finally:
            between.close()
            close(worker)
            master.close()

    on_a_hub(work)


def test_a_message_counts_for_the_connection_that_it_came_from_and_has_one_part_of_bounded_size() -> None:
    def work() -> None:
        master = Heard()
        worker = WorkerSocket("127.0.0.1", master.socket.port, "worker", TOKEN, lambda: None)
        raw: zmq.Socket[bytes] = worker.socket
        try:
            beat(worker, "somebody else")
            master.wait(lambda: len(master.messages) == 1)
            assert master.messages == [("worker", "heartbeat")]
            raw.send_multipart([b"a", b"b", b"c"])
            master.wait(lambda: bool(master.bad))
            assert master.bad == ["it has more than one part"]
            # too large a one costs the connection, and the next one arrives on another
            raw.send(bytes(MOST_FROM_WORKER + 1))
            master.wait(lambda: bool(arrived_again(worker, master)))
            assert len(master.bad) == 1
        finally:
            close(worker)
            master.close()

    on_a_hub(work)


def arrived_again(worker: WorkerSocket, master: Heard) -> bool:
    beat(worker)
    gevent.sleep(0.05)
    return len(master.messages) > 1


def test_a_fake_master_hears_nothing() -> None:
    """Without the token it can't answer the worker, which tells that it was turned away."""
    turned_away = threading.Event()

    def work() -> None:
        other = Heard.__new__(Heard)
        other.socket = MasterSocket("127.0.0.1", 0, "f" * 16 + TOKEN[:16], lambda: None, lambda who, why: None)
        worker = WorkerSocket("127.0.0.1", other.socket.port, "worker", TOKEN, turned_away.set)
        try:
            beat(worker)
            with gevent.Timeout(DEADLINE_S):
                while not turned_away.is_set():
                    gevent.sleep(0.01)
            assert not other.socket.socket.poll(0)
        finally:
            close(worker)
            context = other.socket.socket.context
            other.socket.close(linger=0)
            context.term()

    on_a_hub(work)
    wait_for(turned_away.is_set)
