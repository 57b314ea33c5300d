"""A TCP proxy in front of a service that can lose an answer: the request is
handed on and worked on, the connection closes before the answer. Or hold back
what is asked, but for what comes on connections that are opened later."""
import socket
import threading


class LossyProxy:
    def __init__(self, target_port):
        self.target_port = target_port
        self.lose = 0       # that many answers will be lost
        self.lost = 0
        self.held = threading.Event()  # cleared: the next connection waits
        self.held.set()
        self.hold_next = False
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,),
                             daemon=True).start()

    def serve(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.target_port))
        except OSError:
            client.close()
            return
        with self.lock:
            wait, self.hold_next = self.hold_next, False
        if wait:
            self.held.wait(60)
        threading.Thread(target=self.pump, args=(client, server, False),
                         daemon=True).start()
        self.pump(server, client, True)

    def hold(self):
        """What the next connection asks will arrive when let_go() is called."""
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

    def pump(self, source, sink, answers):
        try:
            while True:
                data = source.recv(65536)
                if not data or (answers and self.must_lose()):
                    break
                sink.sendall(data)
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    def close(self):
        self.listener.close()
