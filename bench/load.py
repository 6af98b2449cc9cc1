"""The load: wrk with `load.lua`, what it sends, and what it says."""

import http.client
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gateways import CALLER_KEY
from process import LOAD_CORE, RUN, pinned
from stub import STREAM_TEXT, TEXT

__all__ = [
    "PATH",
    "WORKLOADS",
    "Result",
    "Target",
    "VerifyError",
    "Workload",
    "body_file",
    "verify",
    "wrk",
    "wrk_version",
]

#: Every workload speaks OpenAI's chat completions.
PATH = "/v1/chat/completions"
#: Seconds after which an answer counts as an error.
TIMEOUT = 30
_SCRIPT = Path(__file__).parent / "load.lua"


class VerifyError(Exception):
    """A gateway's answer is not what the stub said."""


@dataclass(frozen=True)
class Workload:
    """What is asked of a gateway."""

    name: str
    title: str
    #: The name in the request's `model`.
    model: str
    stream: bool
    translated: bool
    #: Milliseconds between the chunks of a stream.
    pace_ms: int = 0


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("json", "JSON, passed through", "chat", False, False),
        Workload("sse", "SSE stream of 50 chunks, passed through", "chat", True, False),
        Workload("sse-paced", "The same, a chunk every 2 ms", "chat", True, False, pace_ms=2),
        Workload("translate", "JSON, OpenAI in, Anthropic behind", "translated", False, True),
        Workload("translate-sse", "SSE, OpenAI in, Anthropic behind", "translated", True, True),
    )
}


@dataclass(frozen=True)
class Target:
    """Where to send a workload, and with which headers."""

    url: str
    headers: dict[str, str]

    @property
    def all_headers(self) -> dict[str, str]:
        """The caller's key among them."""
        return {"Authorization": f"Bearer {CALLER_KEY}", **self.headers}


@dataclass(frozen=True)
class Result:
    """What wrk counted."""

    requests: int
    seconds: float
    bytes: int
    connect: int
    read: int
    write: int
    status: int
    timeout: int
    bad: int
    stuck: int
    p99_us: int
    max_us: int

    @property
    def errors(self) -> int:
        """Answers that were not 2xx, not whole, too late, or never came."""
        never = self.connect + self.read + self.write + self.stuck
        return never + max(self.status, self.bad) + self.timeout

    @property
    def fault(self) -> str:
        """The errors in words; empty where there were none."""
        counts = {
            "not 2xx": self.status,
            "not whole": self.bad,
            "late": self.timeout,
            "never answered": self.stuck,
            "connect": self.connect,
            "read": self.read,
            "write": self.write,
        }
        return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def body(model: str, *, stream: bool) -> bytes:
    """A request of about 0.9 KB."""
    system = (
        "You are the assistant inside a product that people use for their daily work. Answer in "
        "plain English, in at most three short paragraphs, and say so when you do not know. "
    )
    question = (
        "Our quarterly report shows that the number of support tickets went up by twelve percent "
        "while the number of customers grew by four percent. Please name the three most likely "
        "reasons, in order of likelihood, say for each which figure we should look at next to "
        "confirm or refute it, and finish with one sentence that I can put on a slide for people "
        "who were not in the meeting and have not seen the figures before. Keep to what the report "
        "says; where you add an assumption of your own, mark it as one, and tell me how I could "
        "check it without asking another team for their data."
    )
    messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
    request = {"model": model, "messages": messages, "max_tokens": 512, "temperature": 0.2}
    return json.dumps(request | ({"stream": True} if stream else {})).encode()


def body_file(model: str, *, stream: bool) -> Path:
    """The request in a file for wrk."""
    path = RUN / f"body-{model}{'-stream' if stream else ''}.json"
    path.write_bytes(body(model, stream=stream))
    return path


def wrk(
    target: Target,
    bodies: list[Path],
    *,
    seconds: int,
    connections: int,
    check: bool = False,
    patience: int = 0,
) -> Result:
    """Runs wrk to its end on the load core.

    Args:
        target: Where to.
        bodies: The requests' bodies; several take turns.
        seconds: How long.
        connections: How many callers at once.
        check: Whether to look into every answer.
        patience: A caller without an answer in the last so many seconds counts as an error (each
            then has a thread of wrk's); 0 to count only answers that came.
    """
    threads = connections if patience else 1
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", f"--timeout={TIMEOUT}s"]
    command += ["-s", str(_SCRIPT), target.url + PATH, "--"]
    command += [f"header={name}: {value}" for name, value in target.all_headers.items()]
    command += [f"body={path}" for path in bodies]
    command += ["check=1"] * check + [f"patience={patience}"]
    done = subprocess.run(pinned(command, LOAD_CORE), capture_output=True, text=True, check=True)
    if done.stderr:
        print(f"    wrk: {done.stderr.strip()[:600]}")
    (line,) = (text for text in done.stdout.splitlines() if text.startswith("RESULT "))
    return Result(**json.loads(line.removeprefix("RESULT ")))


def wrk_version() -> str:
    """As wrk says it."""
    done = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).split("[")[0].removeprefix("wrk").strip()


def verify(target: Target, workload: Workload) -> int:
    """Asks once and reads the whole answer.

    Returns:
        The length of the body, bytes.

    Raises:
        VerifyError: The answer is not 200, or its text is not the stub's, or has no proper end.
        OSError: Nobody listens, or the connection broke.
    """
    address = urlsplit(target.url).netloc
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT)
    headers = {"Content-Type": "application/json", **target.all_headers}
    try:
        connection.request("POST", PATH, body(workload.model, stream=workload.stream), headers)
        answer = connection.getresponse()
        raw = answer.read()
    except http.client.HTTPException as error:
        raise VerifyError(f"{type(error).__name__}: {error}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise VerifyError(f"status {answer.status}: {raw[:300]!r}")
    _check_route(answer, workload)
    try:
        text, finish = (_read_stream if workload.stream else _read_json)(raw)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise VerifyError(f"unreadable ({error!r}): {raw[:300]!r}") from error
    wanted = STREAM_TEXT if workload.stream else TEXT
    if text != wanted or finish != "stop":
        raise VerifyError(f"finish {finish!r}, text {text[:80]!r}…{text[-80:]!r}")
    return len(raw)


def _check_route(answer: http.client.HTTPResponse, workload: Workload) -> None:
    """Where the gateway says who answered, it must be the one meant: a fallback's answer is right
    too, and its cost is another's.
    """
    served = answer.getheader("x-understudy-target")
    meant = "anthropic/" if workload.translated else "openai/"
    attempts = answer.getheader("x-understudy-attempts")
    if served is not None and (not served.startswith(meant) or attempts != "1"):
        raise VerifyError(f"answered by {served} at attempt {attempts}, not by {meant}… at once")


def _read_json(raw: bytes) -> tuple[str, str]:
    choice = json.loads(raw)["choices"][0]
    return choice["message"]["content"], choice["finish_reason"]


def _read_stream(raw: bytes) -> tuple[str, str]:
    text, finish = "", ""
    events = [line[5:].strip() for line in raw.splitlines() if line.startswith(b"data:")]
    if events[-1] != b"[DONE]":
        raise ValueError("no [DONE]")
    for event in events[:-1]:
        for choice in json.loads(event)["choices"]:
            text += choice["delta"].get("content") or ""
            finish = choice.get("finish_reason") or finish
    return text, finish
