"""A local server that speaks the two endpoints of Stripe's API that checkout links need, and fails as told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

SECRET_KEY = "sk_test_onlyForTheTestsOfMeterfold"  # the fake's own, and no secret
EXPIRES_AT = 1_773_230_400  # 2026-03-11T12:00:00Z
LINK = "https://checkout.stripe.com/c/pay/cs_test_{number}"


class Received(NamedTuple):
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    form: dict[str, str]


class Answer(NamedTuple):
    """What is answered: a body, as bytes or as an object. `hangs`: after the headers nothing comes."""

    status: int
    body: Any
    hangs: bool = False


#: An answer, or what makes it when the request has arrived.
Reply = Answer | Callable[[], Answer]


def settings_of(server: StripeServer) -> dict[str, str]:
    """The variables with which an engine asks this server."""
    return {"METERFOLD_STRIPE_SECRET_KEY": SECRET_KEY, "METERFOLD_STRIPE_API_BASE": server.url}


def stripe_error(status: int, kind: str, message: str, **more: Any) -> Answer:
    """An error as Stripe's API answers it."""
    return Answer(status, {"error": {"type": kind, "message": message, **more}})


class StripeServer:
    """Requests that arrived, and the replies to the next ones; without any, Stripe's own answers."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.replies: list[Reply] = []
        self.released = threading.Event()  # set to end the requests that hang
        self._customers: dict[str, str] = {}
        self._lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), self)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def serve(self) -> None:
        self._http.serve_forever(poll_interval=0.02)

    def close(self) -> None:
        self.released.set()
        self._http.shutdown()
        self._http.server_close()

    def reply(self, *answers: Reply) -> None:
        """Give these answers to the next requests, in turn, in place of Stripe's own."""
        self.replies.extend(answers)

    def forget(self) -> None:
        """Forget what was received, and what was to be replied."""
        self.received.clear()
        self.replies.clear()

    def answer(self, request: Received) -> Answer:
        with self._lock:
            self.received.append(request)
            if not self.replies:
                return self._of_stripe(request)
            reply = self.replies.pop(0)
        return reply if isinstance(reply, Answer) else reply()

    def _of_stripe(self, request: Received) -> Answer:
        if request.headers.get("authorization") != f"Bearer {SECRET_KEY}":
            return stripe_error(401, "invalid_request_error", "Invalid API Key provided: sk_test_*********fold")
        if request.path == "/v1/customers":
            key = request.headers["idempotency-key"]
            known = self._customers.setdefault(key, f"cus_test_{len(self._customers) + 1}")
            return Answer(200, {"id": known, "object": "customer", "email": request.form.get("email")})
        if request.path == "/v1/checkout/sessions":
            return self._session(request.form)
        return stripe_error(404, "invalid_request_error", f"Unrecognized request URL (POST: {request.path}).")

    def _session(self, form: dict[str, str]) -> Answer:
        for name in ("mode", "success_url"):
            if name not in form:
                return stripe_error(400, "invalid_request_error", f"Missing required param: {name}.", param=name)
        if form["mode"] == "setup" and not {"currency", "allowed_payment_method_types[0]"} & form.keys():
            return stripe_error(400, "invalid_request_error", "Missing required param: currency.", param="currency")
        number = sum(one.path == "/v1/checkout/sessions" for one in self.received)
        session = {
            "id": f"cs_test_{number}",
            "object": "checkout.session",
            "mode": form["mode"],
            "customer": form.get("customer"),
            "url": LINK.format(number=number),
            "expires_at": EXPIRES_AT,
        }
        return Answer(200, session)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], stripe: StripeServer) -> None:
        self.stripe = stripe
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away: they were told to."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.stripe.answer(Received(self.path, headers, dict(parse_qsl(body, strict_parsing=True))))
        encoded = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        if answer.hangs:
            self.wfile.flush()
            self.server.stripe.released.wait()
            return
        self.wfile.write(encoded)

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing."""


@contextmanager
def stripe_server() -> Iterator[StripeServer]:
    """A server in a thread of its own."""
    server = StripeServer()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()
