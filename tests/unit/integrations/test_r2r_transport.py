"""Requests to R2R are retried where that helps and harms nothing, and what fails is one sentence without secrets."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

import pytest

from autodev_lab.errors import LabError
from autodev_lab.integrations.r2r import (
    Credentials,
    OutcomeUnknown,
    Patience,
    R2RClient,
    R2RError,
    R2RRefused,
)
from autodev_lab.integrations.r2r_transport import R2RTransport

QUICK = Patience(seconds=5.0, first_pause=0.01, longest_pause=0.02, answer_seconds=5.0)
IMPATIENT = Patience(seconds=0.0, answer_seconds=0.2)
GRAPH = UUID(int=1)
SOME_WORD = "correct-horse-battery"


class Script(ThreadingHTTPServer):
    """A server that gives these answers in turn, the last one for ever: (status, content), or None to hang up."""

    def __init__(self, *answers: tuple[int, object] | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = list(answers)
        self.asked: list[tuple[str, str, dict[str, str], str]] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Script

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.server.asked.append((self.command, self.path, dict(self.headers), body))
        answers = self.server.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer is None:
            self.close_connection = True
            return
        status, content = answer
        text = content if isinstance(content, str) else json.dumps(content)
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    do_POST = do_DELETE = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def script() -> Iterator[type[Script]]:
    """Make servers that are gone at the end."""
    made: list[Script] = []

    class Made(Script):
        def __init__(self, *answers: tuple[int, object] | None) -> None:
            super().__init__(*answers)
            made.append(self)

    yield Made
    for server in made:
        server.shutdown()
        server.server_close()


def results(content: object) -> tuple[int, object]:
    return 200, {"results": content}


WELL = results({"message": "ok"})


OPEN: list[R2RClient | R2RTransport] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()


def client(url: str, patience: Patience = QUICK, **who: str) -> R2RClient:
    OPEN.append(one := R2RClient(url, credentials=Credentials(**who), patience=patience))
    return one


def one_sentence(error: LabError) -> str:
    sentence = str(error)
    assert sentence.strip() and "\n" not in sentence
    return sentence


@pytest.mark.parametrize("trouble", [None, (503, "starting"), (502, ""), (504, ""), (429, {"detail": "slow down"})])
def test_a_server_that_is_starting_or_busy_is_asked_again(script, trouble):
    server = script(trouble, trouble, results([]))
    assert client(server.url).relationships(GRAPH, 0) == ((), 0)
    assert len(server.asked) == 3


def test_a_fault_of_the_server_is_passed_over_but_not_for_ever(script):
    server = script((500, {"detail": {"message": "the database went away"}}), results([]))
    assert client(server.url).relationships(GRAPH, 0) == ((), 0)
    server = script((500, {"detail": {"message": "the database went away"}}))
    with pytest.raises(R2RRefused, match="answers 500: the database went away") as caught:
        client(server.url).relationships(GRAPH, 0)
    assert caught.value.status == 500
    assert len(server.asked) == 4


def test_what_is_refused_is_not_sent_again(script):
    server = script((422, {"detail": [{"msg": "limit is too large"}]}))
    with pytest.raises(R2RRefused, match="limit is too large"):
        client(server.url).relationships(GRAPH, 0)
    assert len(server.asked) == 1


@pytest.mark.parametrize("trouble", [None, (500, {"detail": "it raised, and may have inserted"}), (504, "")])
def test_what_must_not_be_doubled_is_sent_once(script, trouble):
    server = script(trouble)
    with pytest.raises(OutcomeUnknown) as caught:
        client(server.url).create_relationship(GRAPH, ("a", GRAPH), "CALLS", ("b", GRAPH))
    one_sentence(caught.value)
    assert len(server.asked) == 1


def test_patience_has_an_end(script):
    server = script(None)
    patience = Patience(seconds=0.1, first_pause=0.03, longest_pause=0.03)
    with pytest.raises(R2RError, match="cannot be reached; see that it is running"):
        client(server.url, patience).relationships(GRAPH, 0)
    assert 2 <= len(server.asked) <= 4


def test_nobody_listens():
    server = Script(WELL)
    url = server.url
    server.shutdown()
    server.server_close()
    with pytest.raises(R2RError, match=f"R2R at {url} cannot be reached") as caught:
        client(url).check()
    one_sentence(caught.value)


def test_a_server_that_does_not_answer():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(R2RError, match="does not answer"):
            client(url, IMPATIENT).check()


@pytest.mark.parametrize(
    "other",
    [
        (200, "<html>a shop</html>"),
        (200, {"status": "ok"}),
        (200, {"results": "yes"}),
        (404, "<html>not here</html>"),
        (404, {"detail": "Not Found"}),
        (200, ["ok"]),
    ],
)
def test_another_kind_of_server(script, other):
    server = script(other)
    with pytest.raises(R2RError, match=r"R2R|not answer as R2R 3 does") as caught:
        client(server.url).check()
    assert server.url in one_sentence(caught.value)


def test_a_list_in_another_form_names_the_version(script):
    server = script(results([{"id": "7"}]))
    with pytest.raises(R2RError, match=r"a form that R2R 3\.6 does not have"):
        client(server.url).relationships(GRAPH, 0)


@pytest.mark.parametrize("url", ["", "localhost:7272", "ftp://localhost", "http://", "http://localhost:port", "7272"])
def test_no_url(url):
    with pytest.raises(LabError, match="must be like http://localhost:7272"):
        client(url)


def test_a_url_with_credentials_is_not_repeated():
    with pytest.raises(LabError, match="must hold no credentials") as caught:
        client(f"http://me:{SOME_WORD}@localhost:7272")
    assert SOME_WORD not in one_sentence(caught.value)


def test_an_api_key_is_sent_and_never_told(script, caplog):
    caplog.set_level(logging.DEBUG)
    server = script(WELL, (403, {"message": f"the key {SOME_WORD} may not, nor sk-abcdef123456, nor eyJhbGciOi.x.y"}))
    one = client(server.url, api_key=SOME_WORD)
    with pytest.raises(R2RRefused) as caught:
        one.check()
    assert [headers.get("X-API-Key") for _, _, headers, _ in server.asked] == [None, SOME_WORD]
    told = one_sentence(caught.value) + caplog.text + repr(Credentials(api_key=SOME_WORD, password=SOME_WORD))
    assert "may not" in told
    for secret in (SOME_WORD, "abcdef123456", "eyJhbGciOi"):
        assert secret not in told


def test_a_password_is_changed_for_a_token_once_and_again_when_it_ends(script):
    tokens = [results({"access_token": {"token": name}}) for name in ("first", "second")]
    server = script(
        (503, "starting"), tokens[0], results([]), results([]), (401, {"message": "expired"}), tokens[1], results([])
    )
    one = client(server.url, email="lab@example.com", password=SOME_WORD)
    for _ in range(3):
        one.relationships(GRAPH, 0)
    told = [(path.split("?")[0], headers.get("Authorization")) for _, path, headers, _ in server.asked]
    listed = f"/v3/graphs/{GRAPH}/relationships"
    assert told == [
        ("/v3/users/login", None),
        ("/v3/users/login", None),
        (listed, "Bearer first"),
        (listed, "Bearer first"),
        (listed, "Bearer first"),
        ("/v3/users/login", None),
        (listed, "Bearer second"),
    ]
    assert SOME_WORD in server.asked[0][3]


@pytest.mark.parametrize("who", [{"api_key": SOME_WORD}, {"email": "lab@example.com", "password": SOME_WORD}, {}])
def test_wrong_credentials(script, who):
    server = script((401, {"message": f"{SOME_WORD} is wrong"}))
    with pytest.raises(R2RRefused, match="does not take these credentials; set AUTODEV_R2R_API_KEY") as caught:
        client(server.url, **who).relationships(GRAPH, 0)
    assert SOME_WORD not in one_sentence(caught.value)
    assert len(server.asked) == 1


def test_credentials_come_from_the_environment(monkeypatch):
    for name in ("API_KEY", "EMAIL", "PASSWORD"):
        monkeypatch.setenv(f"AUTODEV_R2R_{name}", name.lower())
    assert Credentials.from_environment() == Credentials("api_key", "email", "password")


def test_a_request_in_a_hurry_is_sent_once(script):
    server = script((503, "starting"))
    OPEN.append(transport := R2RTransport(server.url, Credentials(), QUICK))
    with pytest.raises(R2RRefused, match="503"):
        transport.ask("GET", "/health", hurry=True)
    assert len(server.asked) == 1
