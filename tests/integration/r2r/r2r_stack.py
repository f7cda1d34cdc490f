"""A real R2R server on this machine without docker: PostgreSQL from pip, and a stand-in for the service of vectors.

    python tests/integration/r2r/r2r_stack.py $AUTODEV_R2R_ENV     # says where it is, and runs until interrupted

R2R is configured as in compose.yaml. Everything listens on the loopback interface, has its data in a temporary folder,
and is gone afterwards.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import numpy as np
import yaml
from postgres_from_pip import Postgres
from processes import end, free_port, wait_for

from autodev_lab.integrations.r2r import Credentials
from autodev_lab.memory.hashed_embedder import HashedEmbedder

COMPOSE = Path(__file__).parents[3] / "compose.yaml"
EMAIL, PASSWORD = "lab@example.com", "only-for-tests"
"""Who R2R makes superuser at its first start."""

DIMENSIONS = 512
OWN_DATABASE = """
[database]
disable_create_extension = true # PostgreSQL from pip has pgvector and no other extension
[database.postgres_configuration_settings]
max_connections = 20
"""


def configuration() -> str:
    """R2R's configuration from compose.yaml, with its variables filled in."""
    written: str = yaml.safe_load(COMPOSE.read_text("utf-8"))["configs"]["r2r"]["content"]
    variables = {"R2R_ADMIN_EMAIL": EMAIL, "R2R_ADMIN_PASSWORD": PASSWORD}
    return re.sub(r"\$\{(\w+)[^}]*\}", lambda found: variables[found[1]], written)


class _Vectors(BaseHTTPRequestHandler):
    """Answers as OpenAI's service of embeddings does, with vectors that depend on the text alone."""

    protocol_version = "HTTP/1.1"
    server: _VectorServer

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
        try:
            self.server.tell(texts)
        except PermissionError as refusal:
            self._answer(401, {"error": {"message": str(refusal), "type": "invalid_request_error", "code": None}})
            return
        vectors = HashedEmbedder(DIMENSIONS - 1).embed(texts)
        # The last number keeps the vector of a text without words from being zero, which has no direction.
        vectors = np.hstack([vectors, np.full((len(texts), 1), 0.01, np.float32)])
        coded = asked.get("encoding_format") == "base64"
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": base64.b64encode(vector.tobytes()).decode() if coded else vector.tolist(),
            }
            for index, vector in enumerate(vectors)
        ]
        usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
        self._answer(200, {"object": "list", "data": data, "model": asked.get("model", "hashed"), "usage": usage})

    def _answer(self, status: int, answer: dict[str, object]) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


class _VectorServer(ThreadingHTTPServer):
    def __init__(self, tell: Callable[[list[str]], None]) -> None:
        super().__init__(("127.0.0.1", 0), _Vectors)
        self.tell = tell

    def handle_error(self, request: object, client_address: object) -> None:
        """R2R that was killed takes no answer; that is no news."""


class R2RStack:
    """PostgreSQL, the stand-in and R2R; use it as a context.

    Parameters
    ----------
    environment
        The folder that `prepare.py` made.

    Attributes
    ----------
    watch
        Called with the texts that R2R wants vectors of, before it gets them: it is in the middle of something then. A
        PermissionError is answered as a wrong key is.
    """

    def __init__(self, environment: Path) -> None:
        self._python = environment / "bin" / "python"
        self._packages = next(environment.glob("lib/python3*/site-packages"))
        self._folder = Path(tempfile.mkdtemp(prefix="autodev-lab-r2r-"))
        self._port = free_port()
        self.database = Postgres(self._packages, self._folder)
        self._server: subprocess.Popen[bytes] | None = None
        self._vectors = _VectorServer(self._tell)
        self.watch: Callable[[list[str]], None] | None = None
        self.url = f"http://127.0.0.1:{self._port}"
        self.credentials = Credentials(email=EMAIL, password=PASSWORD)

    def __enter__(self) -> R2RStack:
        try:
            threading.Thread(target=self._vectors.serve_forever, daemon=True).start()
            self.database.create()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.database.stop()
        self._vectors.shutdown()
        self._vectors.server_close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _tell(self, texts: list[str]) -> None:
        if self.watch is not None:
            self.watch(texts)

    def start(self) -> None:
        """Start R2R, on the same port and data as before, and wait until it answers."""
        configured = self._folder / "r2r.toml"
        configured.write_text(configuration() + OWN_DATABASE, "utf-8")
        vectors = f"http://127.0.0.1:{self._vectors.server_address[1]}/v1"
        settings = {
            "HOME": str(self._folder),
            "OPENAI_API_KEY": "sk-nobody-pays-for-this",
            "OPENAI_API_BASE": vectors,
            "OPENAI_BASE_URL": vectors,
            "R2R_CONFIG_PATH": str(configured),
            "R2R_PROJECT_NAME": "autodev_lab",
            "R2R_POSTGRES_USER": "postgres",
            "R2R_POSTGRES_PASSWORD": "postgres",
            "R2R_POSTGRES_HOST": "127.0.0.1",
            "R2R_POSTGRES_PORT": str(self.database.port),
            "R2R_POSTGRES_DBNAME": "postgres",
            "R2R_HOST": "127.0.0.1",
            "R2R_PORT": str(self._port),
            "R2R_SECRET_KEY": "for-tests-only",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "TIKTOKEN_CACHE_DIR": str(self._packages / "litellm" / "litellm_core_utils" / "tokenizers"),
            "TELEMETRY_ENABLED": "false",
            "R2R_LOG_LEVEL": "WARNING",
        }
        log_file = self._folder / "r2r.log"
        with log_file.open("ab") as log:
            self._server = subprocess.Popen(
                [str(self._python), "-m", "r2r.serve"],
                cwd=self._folder,
                env={"PATH": os.environ["PATH"], **settings},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for(self._server, log_file, self._healthy)

    def _healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/v3/health").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        """Stop R2R in order."""
        if self._server is not None:
            end(self._server)

    def kill(self) -> None:
        """Kill R2R in the middle of whatever it does."""
        assert self._server is not None
        self._server.kill()
        self._server.wait()


def main() -> int:
    """Run a server until it is interrupted; returns the exit status."""
    if len(sys.argv) != 2 or not (Path(sys.argv[1]) / "bin" / "python").exists():
        print("give the folder that prepare.py prints", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with R2RStack(Path(sys.argv[1])) as stack:
        print(f"{stack.url} AUTODEV_R2R_EMAIL={EMAIL} AUTODEV_R2R_PASSWORD={PASSWORD}", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
