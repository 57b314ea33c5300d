"""An HTTP proxy in front of a service that does what networks do: lose an
answer, deliver a request twice, let one wait, or keep one and deliver it
late."""
import socket
import threading


def read_message(stream):
    """One request or answer as bytes; b"" when the sender is gone."""
    head = b""
    length = 0
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return b""
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        head += line
    body = stream.read(length)
    return head + body if len(body) == length else b""


def status_of(answer):
    return int(answer.split()[1]) if answer else 0


class LossyProxy:
    def __init__(self, target_port):
        self.target_port = target_port
        self.lost = 0
        self.doubled = []    # HTTP statuses of the second deliveries
        self.reset()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def reset(self):
        self.lose = 0        # that many answers will be lost
        self.double = 0      # that many requests will be delivered twice,
        self.at_once = False  # both at the same time
        self.keeping = False
        self.kept = []       # requests that nobody has seen yet
        self.hold_next = False  # the next request waits for let_go()
        self.held = threading.Event()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,),
                             daemon=True).start()

    def serve(self, client):
        """Request by request until somebody closes."""
        try:
            requests = client.makefile("rb")
            while request := read_message(requests):
                if self.keep(request):
                    break
                self.wait_if_held()
                answer = self.deliver_maybe_twice(request)
                if not answer or self.must_lose():
                    break
                client.sendall(answer)
            client.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        client.close()

    def deliver(self, request):
        """On a connection of its own; the answer, b"" for none."""
        try:
            with socket.create_connection(("127.0.0.1",
                                           self.target_port)) as server:
                server.sendall(request)
                return read_message(server.makefile("rb"))
        except OSError:
            return b""

    def deliver_maybe_twice(self, request):
        if not self.must_double():
            return self.deliver(request)
        again = threading.Thread(target=lambda: self.doubled.append(
            status_of(self.deliver(request))))
        if self.at_once:
            again.start()
        answer = self.deliver(request)
        if not self.at_once:
            again.start()
        again.join()
        return answer

    def wait_if_held(self):
        with self.lock:
            wait, self.hold_next = self.hold_next, False
        if wait:
            self.held.wait(60)

    def must_double(self):
        with self.lock:
            if self.double > 0:
                self.double -= 1
                return True
        return False

    def keep(self, request):
        with self.lock:
            if self.keeping:
                self.kept.append(request)
            return self.keeping

    def deliver_late(self):
        """What was kept, and how it was answered: HTTP statuses."""
        with self.lock:
            self.keeping, late, self.kept = False, self.kept, []
        return [status_of(self.deliver(request)) for request in late]

    def hold(self):
        """The next request will arrive when let_go() is called; those behind
        it at once."""
        self.held.clear()
        self.hold_next = True

    def let_go(self):
        self.hold_next = False
        self.held.set()

    def must_lose(self):
        with self.lock:
            if self.lose > 0:
                self.lose -= 1
                self.lost += 1
                return True
        return False

    def close(self):
        self.listener.close()
