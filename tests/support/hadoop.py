"""A real HDFS for the tests: one NameNode and one DataNode, RPC and WebHDFS, started once per session.

The jars come with `make test` (scripts/hadoop.sh), Java and Jersey from Debian.
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from tests.support.servers import unavailable

USER = "ann"
_JARS = Path(__file__).resolve().parents[2] / ".venv" / "hadoop" / "lib"
_JERSEY = Path("/usr/share/java")
_JERSEY_JARS = ("jersey1-core.jar", "jersey1-json.jar", "jersey1-server.jar", "jersey1-servlet.jar", "jsr311-api.jar")
_NODES = ("namenode.NameNode", "datanode.DataNode")
_OPENED = (
    "java.base/java.lang",
    "java.base/java.io",
    "java.base/java.lang.reflect",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/sun.net.dns",
    "java.base/sun.nio.ch",
    "java.security.jgss/sun.security.krb5",
)
_LOGGING = """log4j.rootLogger=WARN,console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d %p %c{1}: %m%n
"""
_WEB = '<?xml version="1.0"?><web-app version="2.5" xmlns="http://java.sun.com/xml/ns/javaee"></web-app>\n'
# The nodes end with the tests even if they are killed: then the pipe closes by itself.
_UNTIL_STDIN_CLOSES = '"$@" </dev/null & node=$!; cat; kill -9 $node'
_READY_POLLS = 1_200
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Hadoop:
    """Where the NameNode listens."""

    rpc_port: int
    web_port: int
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def new_place(self) -> str:
        """An absolute path that nobody has used yet; the directory above exists."""
        return f"/{os.getpid()}-{next(self.numbers)}"

    def url(self, scheme: str, place: str) -> str:
        port = self.web_port if scheme == "webhdfs" else self.rpc_port
        return f"{scheme}://127.0.0.1:{port}{place}"

    def new_url(self, scheme: str) -> str:
        """The URL of an empty directory."""
        place = self.new_place()
        self.make(place)
        return self.url(scheme, place)

    def make(self, place: str, mode: str = "777") -> None:
        """Make a directory of the superuser; everybody may write to it, unless *mode* says otherwise."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for asked in ("MKDIRS", f"SETPERMISSION&permission={mode}"):
            url = f"http://127.0.0.1:{self.web_port}/webhdfs/v1{place}?op={asked}&user.name={_superuser()}"
            with opener.open(urllib.request.Request(url, method="PUT"), timeout=30):
                pass


@pytest.fixture(scope="session")
def hadoop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hadoop]:
    """A running HDFS; the test is skipped, or failed if servers are required, where there is none."""
    with serving(tmp_path_factory.mktemp("hadoop")) as server:
        yield server


@contextmanager
def serving(directory: Path) -> Iterator[Hadoop]:
    """An HDFS that keeps its files in *directory*, until the end of the block."""
    java = shutil.which("java")
    if java is None:
        unavailable("Java is not installed: apt-get install openjdk-17-jre-headless")
    if not (_JARS / "hadoop-hdfs-2.7.3.jar").is_file():
        unavailable("the jars of Hadoop are not here: make test")
    if not all((_JERSEY / name).is_file() for name in _JERSEY_JARS):
        unavailable("Jersey is not installed: apt-get install libjersey1-{core,json,server,servlet}-java")
    rpc, web, *others = _free_ports(5)
    _configure(directory, rpc, web, others)
    command = _command(java, directory)
    subprocess.run(
        [*command, f"org.apache.hadoop.hdfs.server.{_NODES[0]}", "-format", "-nonInteractive"],
        cwd=directory,
        env=_environment(),
        check=True,
        capture_output=True,
    )
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for node in _NODES:
            with (directory / f"{node}.log").open("wb") as log:
                processes.append(
                    subprocess.Popen(
                        [
                            "/bin/sh",
                            "-c",
                            _UNTIL_STDIN_CLOSES,
                            "sh",
                            *command,
                            f"org.apache.hadoop.hdfs.server.{node}",
                        ],
                        cwd=directory,
                        env=_environment(),
                        stdin=subprocess.PIPE,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                )
        if not _is_alive(web, processes):
            logs = "".join((directory / f"{node}.log").read_text(errors="replace")[-2000:] for node in _NODES)
            unavailable(f"Hadoop did not start: {logs}")
        yield Hadoop(rpc, web)
    finally:
        for process in processes:
            process.communicate()


def _command(java: str, directory: Path) -> list[str]:
    jars = [f"{_JARS}/*", *(str(_JERSEY / name) for name in _JERSEY_JARS)]
    opens = [f"--add-opens={package}=ALL-UNNAMED" for package in _OPENED]
    return [
        java,
        "-Xmx256m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:-UseContainerSupport",
        *opens,
        f"-Dhadoop.home.dir={directory}",
        "-cp",
        ":".join([str(directory / "conf"), *jars]),
    ]


def _configure(directory: Path, rpc: int, web: int, others: list[int]) -> None:
    conf = directory / "conf"
    for name in ("hdfs", "datanode"):
        (conf / "webapps" / name / "WEB-INF").mkdir(parents=True)
        (conf / "webapps" / name / "WEB-INF" / "web.xml").write_text(_WEB)
    (conf / "webapps" / "static").mkdir()
    (conf / "log4j.properties").write_text(_LOGGING)
    core = {
        "fs.defaultFS": f"hdfs://127.0.0.1:{rpc}",
        "hadoop.tmp.dir": f"{directory}/run",
        "hadoop.http.staticuser.user": _superuser(),
    }
    hdfs = {
        "dfs.replication": "1",
        "dfs.webhdfs.enabled": "true",
        "dfs.namenode.http-address": f"127.0.0.1:{web}",
        "dfs.datanode.address": f"127.0.0.1:{others[0]}",
        "dfs.datanode.http.address": f"127.0.0.1:{others[1]}",
        "dfs.datanode.ipc.address": f"127.0.0.1:{others[2]}",
        "dfs.namenode.fs-limits.min-block-size": "1024",
        "dfs.blockreport.incremental.intervalMsec": "0",
        "dfs.heartbeat.interval": "1",
    }
    for name, values in (("core-site.xml", core), ("hdfs-site.xml", hdfs)):
        rows = "".join(
            f"<property><name>{key}</name><value>{escape(value)}</value></property>\n" for key, value in values.items()
        )
        (conf / name).write_text(f"<configuration>\n{rows}</configuration>\n")


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "HADOOP_USER_NAME": _superuser()}


def _superuser() -> str:
    return "root"


def _is_alive(web: int, processes: list[subprocess.Popen[bytes]]) -> bool:
    """The NameNode answers and knows its DataNode."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url = f"http://127.0.0.1:{web}/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState"
    pause = threading.Event()
    for _ in range(_READY_POLLS):
        if any(process.poll() is not None for process in processes):
            return False
        try:
            with opener.open(url, timeout=5) as answer:
                if b'"NumLiveDataNodes" : 1' in answer.read():
                    return True
        except (OSError, urllib.error.URLError):
            pass
        pause.wait(_POLL_SECONDS)
    return False


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
