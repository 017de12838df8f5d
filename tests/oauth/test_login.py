"""`podium login` against a real authorization server, and the requests that the login opens."""

import json
import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from podium.cli.boundary import run
from podium.config import config_text
from podium.domain.errors import (
    CannotListenError,
    ConfigError,
    LoginFailedError,
    LoginRequiredError,
    UpstreamProtocolError,
    UpstreamUnavailableError,
)
from podium.storage.tokens import TokenFolder
from podium.upstreams.addresses import AddressPolicy
from podium.upstreams.login import log_in
from podium.upstreams.oauth import checked_endpoint, scopes_missed
from podium.upstreams.settings import OAuthSettings, UpstreamSettings
from tests.oauth.conftest import browse, logged_in, pool_of, protected_server, settings_of
from tests.relay.everything import Everything, serve_http

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PODIUM = [sys.executable, "-m", "podium"]


async def test_a_login_in_the_browser_lets_podium_in(tokens: TokenFolder, tmp_path: Path) -> None:
    async with protected_server() as server:
        settings = settings_of(server, tokens)

        login = await logged_in(settings, tokens)
        async with pool_of(settings) as pool:
            answer = await pool.call_tool("remote", "who", {})

        registered = await server.log("registered")
    assert answer.text == "you"
    assert (login.scope, login.resource) == ("tools", server.url)
    assert [each["registered"] for each in registered] == ["Podium"]
    assert mode_of(tmp_path / ".podium" / "tokens" / "remote.json") == 0o600
    assert mode_of(tmp_path / ".podium" / "tokens") == 0o700


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_the_configured_scopes_are_asked_for(tokens: TokenFolder) -> None:
    async with protected_server() as server:
        login = await logged_in(settings_of(server, tokens, scopes=("tools", "more")), tokens)

        asked = await server.log("authorized")
    assert asked[0]["scopes"] == ["tools", "more"]
    assert login.scope == "tools more"


@pytest.mark.parametrize("secret", [None, "hush:hush/?"])
async def test_a_client_that_was_registered_by_hand_is_used_and_renewed(
    tokens: TokenFolder, secret: str | None, free_port: int
) -> None:
    client = {
        "client_id": "by-hand",
        "client_secret": secret,
        "redirect_uris": [f"http://127.0.0.1:{free_port}/callback"],
        "token_endpoint_auth_method": "client_secret_basic" if secret else "none",
        "scope": "tools",
    }
    oauth = {"client_id": "by-hand", "client_secret": secret, "redirect_port": free_port}
    async with protected_server(client=client) as server:
        settings = settings_of(server, tokens, **oauth)
        await logged_in(settings, tokens)
        await server.revoke("access")
        async with pool_of(settings) as pool:
            answer = await pool.call_tool("remote", "who", {})

        registered, refreshed = await server.log("registered"), await server.log("refreshed")
    assert answer.text == "you"
    assert registered == []
    assert refreshed == [{"refreshed": "by-hand"}]


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


DOCUMENT = "https://example.org/podium.json"


@pytest.mark.parametrize("documents", [True, False])
async def test_a_document_names_the_client_where_that_is_allowed(
    tokens: TokenFolder, free_port: int, *, documents: bool
) -> None:
    client = {
        "client_id": DOCUMENT,
        "redirect_uris": [f"http://127.0.0.1:{free_port}/callback"],
        "token_endpoint_auth_method": "none",
        "scope": "tools",
    }
    oauth = {"client_metadata_url": DOCUMENT, "redirect_port": free_port}
    async with protected_server(client=client, documents=documents) as server:
        login = await logged_in(settings_of(server, tokens, **oauth), tokens)

        registered = await server.log("registered")
    assert (login.client_id == DOCUMENT) == documents
    assert len(registered) == (0 if documents else 1)


@pytest.mark.parametrize("methods", [["initialize"], ["initialize", "tools/list"]])
async def test_a_server_that_lets_some_requests_in_is_logged_in_to_all_the_same(
    tokens: TokenFolder, methods: list[str]
) -> None:
    async with protected_server(open=methods) as server:
        settings = settings_of(server, tokens)
        await logged_in(settings, tokens)
        async with pool_of(settings) as pool:
            answer = await pool.call_tool("remote", "who", {})

    assert answer.text == "you"


async def test_a_server_that_wants_no_login_is_left_alone(tokens: TokenFolder) -> None:
    async with anyio.create_task_group() as tasks:
        url = await tasks.start(serve_http, Everything())
        settings = UpstreamSettings("remote", url=url, tokens=tokens, oauth=OAuthSettings())
        with pytest.raises(LoginFailedError, match="'remote' asked for no login: HTTP 200"):
            await logged_in(settings, tokens)
        tasks.cancel_scope.cancel()


# --- rights that turn out to be missing


async def test_a_call_that_wants_more_rights_asks_for_a_login_which_brings_them(
    tokens: TokenFolder,
) -> None:
    async with protected_server(calls_want=["more"]) as server:
        settings = settings_of(server, tokens)
        first = await logged_in(settings, tokens)
        async with pool_of(settings) as pool:
            with pytest.raises(LoginRequiredError, match="not have: more") as caught:
                await pool.call_tool("remote", "who", {})
            second = await logged_in(settings, tokens)
            answer = await pool.call_tool("remote", "who", {})

        asked = [set(each["scopes"]) for each in await server.log("authorized")]
    assert "podium login remote" in caught.value.hint
    assert (first.scope, answer.text) == ("tools", "you")
    assert asked == [{"tools"}, {"tools", "more"}]
    assert second.wanted is None


async def test_what_is_missing_outlives_the_process_that_missed_it(tokens: TokenFolder) -> None:
    async with protected_server(calls_want=["more"]) as server:
        settings = settings_of(server, tokens)
        await logged_in(settings, tokens)
        async with pool_of(settings) as pool:
            with pytest.raises(LoginRequiredError):
                await pool.call_tool("remote", "who", {})
        await server.revoke("access")
        async with pool_of(settings) as pool:  # which renews the login
            await pool.start_all()
        login = await logged_in(settings, tokens)

    assert set(login.scope.split()) == {"tools", "more"}


async def test_rights_that_are_missed_although_they_were_given_ask_for_no_login(
    tokens: TokenFolder,
) -> None:
    async with protected_server(calls_want=["tools"], calls_fail=True) as server:
        settings = settings_of(server, tokens)
        await logged_in(settings, tokens)
        async with pool_of(settings) as pool:
            with pytest.raises(UpstreamProtocolError, match="HTTP 403"):
                await pool.call_tool("remote", "who", {})


async def test_rights_that_nobody_consents_to_do_not_stand_in_the_way_of_later_logins(
    tokens: TokenFolder,
) -> None:
    async with protected_server(calls_want=["more"], denies=["more"]) as server:
        settings = settings_of(server, tokens)
        await logged_in(settings, tokens)
        async with pool_of(settings) as pool:
            with pytest.raises(LoginRequiredError):
                await pool.call_tool("remote", "who", {})
        with pytest.raises(LoginFailedError, match="not today"):
            await logged_in(settings, tokens)
        login = await logged_in(settings, tokens)

    assert login.scope == "tools"


async def test_configured_scopes_are_widened_by_nobody_but_their_author(
    tokens: TokenFolder,
) -> None:
    async with protected_server(calls_want=["more"]) as server:
        settings = settings_of(server, tokens, scopes=("tools",))
        await logged_in(settings, tokens)
        async with pool_of(settings) as pool:
            with pytest.raises(LoginRequiredError) as caught:
                await pool.call_tool("remote", "who", {})
        login = await logged_in(settings, tokens)

    assert "add them to `oauth.scopes` of mcpServers.remote" in caught.value.hint
    assert login.scope == "tools"


@pytest.mark.parametrize(
    ("status", "challenge", "missed"),
    [
        (403, 'Bearer error="insufficient_scope", scope="a:read b"', ("a:read", "b")),
        (403, 'Bearer scope="a a", error="insufficient_scope"', ("a",)),
        (403, "Bearer error=insufficient_scope, scope=a", ("a",)),
        (403, 'Bearer error="insufficient_scope"', ()),
        (403, 'Bearer error="invalid_token", scope="a"', ()),
        (403, 'Bearer scope="a"', ()),
        (403, "", ()),
        (401, 'Bearer error="insufficient_scope", scope="a"', ()),
        (403, 'Bearer error="insufficient_scope", scope="a \x1b[31m b"', ("a", "b")),
        (403, f'Bearer error="insufficient_scope", scope="{"x" * 300} b"', ("b",)),
    ],
)
def test_a_refusal_names_the_scopes_that_it_misses(
    status: int, challenge: str, missed: tuple[str, ...]
) -> None:
    response = httpx2.Response(status, headers={"WWW-Authenticate": challenge})

    assert scopes_missed(response) == missed


def test_a_refusal_that_names_very_many_scopes_is_cut() -> None:
    many = " ".join(f"s{number}" for number in range(10_000))
    challenge = f'Bearer error="insufficient_scope", scope="{many}"'

    missed = scopes_missed(httpx2.Response(403, headers={"WWW-Authenticate": challenge}))

    assert missed == tuple(f"s{number}" for number in range(50))


# --- renewal


async def test_a_token_that_has_run_out_is_renewed_and_the_replaced_one_is_kept(
    tokens: TokenFolder,
) -> None:
    async with protected_server(token_seconds=1) as server:
        settings = settings_of(server, tokens)
        first = await logged_in(settings, tokens)
        async with pool_of(settings) as pool:
            for _ in range(2):
                await pool.call_tool("remote", "who", {})
        async with pool_of(settings) as another_process:
            await another_process.call_tool("remote", "who", {})

        refreshed = await server.log("refreshed")
    kept = tokens.load("remote")
    assert len(refreshed) >= 3
    assert kept is not None
    assert kept["refresh_token"] != first.refresh_token


async def test_a_revoked_access_token_is_renewed_in_the_middle_of_a_run(
    tokens: TokenFolder,
) -> None:
    async with protected_server(rotates=False) as server:
        settings = settings_of(server, tokens)
        login = await logged_in(settings, tokens)
        async with pool_of(settings) as pool:
            await pool.call_tool("remote", "who", {})
            await server.revoke("access")
            answer = await pool.call_tool("remote", "who", {})

        refreshed = await server.log("refreshed")
    kept = tokens.load("remote")
    assert answer.text == "you"
    assert len(refreshed) == 1
    assert kept is not None
    assert kept["refresh_token"] == login.refresh_token


async def test_many_calls_and_processes_renew_a_login_once(tokens: TokenFolder) -> None:
    async with protected_server() as server:
        settings = settings_of(server, tokens)
        await logged_in(settings, tokens)
        async with pool_of(settings) as one, pool_of(settings) as other:
            await one.start_all()
            await other.start_all()
            await server.revoke("access")
            async with anyio.create_task_group() as tasks:
                for pool in (one, other) * 4:
                    tasks.start_soon(pool.call_tool, "remote", "who", {})

        refreshed = await server.log("refreshed")
    assert len(refreshed) == 1


async def test_a_login_that_was_revoked_asks_for_a_new_one_and_takes_it_without_a_restart(
    tokens: TokenFolder,
) -> None:
    async with protected_server() as server:
        settings = settings_of(server, tokens)
        await logged_in(settings, tokens)
        async with pool_of(settings) as pool:
            await pool.call_tool("remote", "who", {})
            await server.revoke("all")
            with pytest.raises(LoginRequiredError) as caught:
                await pool.call_tool("remote", "who", {})
            await logged_in(settings, tokens)
            answer = await pool.call_tool("remote", "who", {})

    assert (caught.value.code, caught.value.retryable) == ("login_required", False)
    assert "podium login remote" in caught.value.hint
    assert answer.text == "you"


async def test_a_login_that_has_ended_is_not_hidden_by_a_handshake_that_is_let_in(
    tokens: TokenFolder,
) -> None:
    async with protected_server(open=["initialize"]) as server:
        settings = settings_of(server, tokens)
        await logged_in(settings, tokens)
        await server.revoke("all")
        async with pool_of(settings) as pool:
            with pytest.raises(LoginRequiredError, match="could not be renewed"):
                await pool.call_tool("remote", "who", {})


async def test_an_authorization_server_that_is_down_is_a_passing_failure_and_the_login_stays(
    tokens: TokenFolder,
) -> None:
    async with protected_server() as server:
        settings = settings_of(server, tokens)
        login = await logged_in(settings, tokens)
        unreachable = {**login.model_dump(), "token_endpoint": "http://127.0.0.1:9/token"}
        tokens.save("remote", {**unreachable, "expires_at": 1.0})
        async with pool_of(settings) as pool:
            with pytest.raises(UpstreamUnavailableError) as caught:
                await pool.call_tool("remote", "who", {})

    kept = tokens.load("remote")
    assert caught.value.code == "upstream_unavailable"
    assert kept is not None
    assert kept["refresh_token"] == login.refresh_token


# --- without a login


async def test_without_a_login_the_error_names_the_command(tokens: TokenFolder) -> None:
    async with protected_server() as server, pool_of(settings_of(server, tokens)) as pool:
        with pytest.raises(LoginRequiredError, match="nobody has logged in yet") as caught:
            await pool.call_tool("remote", "who", {})
        (status,) = pool.statuses()

    assert "podium login remote" in caught.value.hint
    assert status.state == "failed"
    assert "without a login" in status.reason


async def test_a_server_that_wants_a_login_nobody_configured_says_how(tokens: TokenFolder) -> None:
    async with protected_server() as server:
        settings = UpstreamSettings("remote", url=server.url, tokens=tokens)
        async with pool_of(settings) as pool:
            with pytest.raises(LoginRequiredError) as caught:
                await pool.call_tool("remote", "who", {})

    assert "add `oauth: {}` to mcpServers.remote" in caught.value.hint
    assert "podium login remote" in caught.value.hint


async def test_a_login_is_never_sent_to_another_address(tokens: TokenFolder) -> None:
    async with protected_server() as server:
        settings = settings_of(server, tokens)
        login = await logged_in(settings, tokens)
        tokens.save("remote", {**login.model_dump(), "url": "https://elsewhere.example/mcp"})
        async with pool_of(settings) as pool:
            with pytest.raises(LoginRequiredError):
                await pool.call_tool("remote", "who", {})


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"url": 1}', b"\xff", b"[" * 100_000])
async def test_a_damaged_token_file_is_no_login(
    tokens: TokenFolder, tmp_path: Path, data: bytes
) -> None:
    tokens.save("remote", {})
    await anyio.Path(tmp_path, ".podium", "tokens", "remote.json").write_bytes(data)
    settings = UpstreamSettings(
        "remote", url="http://127.0.0.1:9/mcp", tokens=tokens, oauth=OAuthSettings()
    )

    async with pool_of(settings) as pool:
        with pytest.raises(LoginRequiredError):
            await pool.call_tool("remote", "who", {})


# --- logins that fail


async def test_consent_that_is_refused_is_said_in_the_servers_words(tokens: TokenFolder) -> None:
    async with protected_server(denies=True) as server:
        with pytest.raises(LoginFailedError, match="access_denied: not today"):
            await logged_in(settings_of(server, tokens), tokens)

    assert tokens.load("remote") is None


async def test_nobody_coming_back_ends_the_login_in_time(tokens: TokenFolder) -> None:
    async def show(_address: str) -> None:
        return

    async with protected_server() as server:
        began = time.monotonic()
        with pytest.raises(LoginFailedError, match="nobody completed"):
            await log_in(settings_of(server, tokens), tokens, show, seconds=2)

    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "way",
    [
        "/callback?code=evil&state=guessed",
        "/callback?code=evil",
        "/callback",
        "/elsewhere?code=evil&state={state}",
    ],
)
async def test_a_visit_that_does_not_know_the_state_neither_ends_nor_steals_the_login(
    tokens: TokenFolder, way: str
) -> None:
    strange: list[int] = []

    async with protected_server() as server, anyio.create_task_group() as tasks:

        async def visit(address: str) -> None:
            query = dict(httpx2.URL(address).params)
            back = httpx2.URL(query["redirect_uri"]).copy_with(path="/")
            async with httpx2.AsyncClient() as client:
                url = str(back).rstrip("/") + way.format(state=query["state"])
                strange.append((await client.get(url)).status_code)
                named = {"Host": "evil.example"}
                good = f"{query['redirect_uri']}?code=evil&state={query['state']}"
                strange.append((await client.get(good, headers=named)).status_code)
            await browse(address)

        async def show(address: str) -> None:
            tasks.start_soon(visit, address)

        login = await log_in(settings_of(server, tokens), tokens, show, seconds=20)

    assert strange == [400, 400]
    assert login.access_token


async def test_connections_that_say_nothing_or_rubbish_do_not_stop_the_login(
    tokens: TokenFolder,
) -> None:
    async with protected_server() as server, anyio.create_task_group() as tasks:

        async def visit(address: str) -> None:
            port = httpx2.URL(dict(httpx2.URL(address).params)["redirect_uri"]).port
            silent = await anyio.connect_tcp("127.0.0.1", port)
            for rubbish in (b"", b"\x16\x03\x01\x00", b"GET\r\n\r\n", b"x" * 100_000):
                async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                    await stream.send(rubbish)
            await browse(address)
            await silent.aclose()

        async def show(address: str) -> None:
            tasks.start_soon(visit, address)

        login = await log_in(settings_of(server, tokens), tokens, show, seconds=20)

    assert login.access_token


@pytest.mark.parametrize(
    "endpoint",
    [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "data:text/html,hello",
        "http://example.org/authorize",
        "ftp://example.org/authorize",
    ],
)
async def test_an_address_that_no_browser_should_open_is_never_shown(
    tokens: TokenFolder, endpoint: str
) -> None:
    shown: list[str] = []

    async def show(address: str) -> None:
        shown.append(address)

    async with protected_server(endpoint=endpoint) as server:
        with pytest.raises(LoginFailedError):
            await log_in(settings_of(server, tokens), tokens, show, seconds=5)

    assert not any(address.startswith(endpoint[:10]) for address in shown)


async def test_a_port_that_is_taken_is_an_error_that_says_so(
    tokens: TokenFolder, free_port: int
) -> None:
    taken = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=free_port)
    async with taken, protected_server() as server:
        with pytest.raises(CannotListenError, match=f"port {free_port}"):
            await logged_in(settings_of(server, tokens, redirect_port=free_port), tokens)


@pytest.mark.parametrize(
    ("upstream", "endpoint", "is_fine"),
    [
        ("https://a.example/mcp", "https://login.example/token", True),
        ("https://a.example/mcp", "http://login.example/token", False),
        ("https://a.example/mcp", "http://127.0.0.1:8000/token", False),
        ("https://a.example/mcp", "http://localhost/token", False),
        ("http://127.0.0.1:1/mcp", "http://127.0.0.1:2/token", True),
        ("http://127.0.0.1:1/mcp", "http://localhost:2/token", True),
        ("http://127.0.0.1:1/mcp", "http://10.0.0.1/token", False),
        ("http://127.0.0.1:1/mcp", "javascript:alert(1)", False),
        ("http://127.0.0.1:1/mcp", "file:///etc/passwd", False),
        ("http://127.0.0.1:1/mcp", "https:///token", False),
    ],
)
def test_secrets_go_to_https_or_to_this_machine_if_the_server_is_there(
    upstream: str, endpoint: str, *, is_fine: bool
) -> None:
    policy = AddressPolicy(upstream)

    try:
        was_fine = checked_endpoint(endpoint, policy) == endpoint
    except ValueError:
        was_fine = False

    assert was_fine == is_fine


# --- the command


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    for name in ("patterns", "compositions", "transformers"):
        (tmp_path / name).mkdir()
    return tmp_path


async def test_the_command_prints_the_address_and_serve_uses_what_it_brought(
    workspace: Path,
) -> None:
    async with protected_server() as server:
        config = {"mcpServers": {"remote": {"url": server.url, "oauth": {}}}}
        await anyio.Path(workspace, "config.yaml").write_text(json.dumps(config))
        before = await podium("tools", "--json", workspace=workspace)
        login = [*PODIUM, "login", "remote", "--no-browser", "--workspace", str(workspace)]
        async with await anyio.open_process(login, env=dict(os.environ)) as process:
            err = b""
            with anyio.fail_after(30):
                while b"state=" not in err:
                    err += await process.stderr.receive()
                page = await browse(err.decode().split()[-1])
                code = await process.wait()
        after = await podium("tools", "--json", workspace=workspace)

    assert "podium login remote" in json.dumps(json.loads(before.stdout))
    assert (code, page.text) == (0, "Done. You may close this window.")
    assert [tool["tool_id"] for tool in json.loads(after.stdout)["tools"]] == ["who"]


async def podium(*arguments: str, workspace: Path) -> subprocess.CompletedProcess[bytes]:
    return await anyio.run_process([*PODIUM, *arguments, "--workspace", str(workspace)])


@pytest.mark.parametrize(
    ("server", "code"), [("nobody", "unknown_server"), ("program", "config_invalid")]
)
def test_a_server_without_oauth_cannot_be_logged_in_to(
    workspace: Path, capsys: pytest.CaptureFixture[str], server: str, code: str
) -> None:
    (workspace / "config.yaml").write_text("mcpServers: {program: {command: x}}")

    exit_code = run(["login", server, "--json", "--workspace", str(workspace)])

    error = json.loads(capsys.readouterr().out)["error"]
    assert (exit_code, error["code"]) == (2, code)


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({"command": "x", "oauth": {}}, "'oauth' needs a 'url' with https"),
        ({"url": "http://a.example/", "oauth": {}}, "'oauth' needs a 'url' with https"),
        (
            {"url": "https://a.example/", "oauth": {}, "headers": {"authorization": "x"}},
            "either 'oauth' or an Authorization header",
        ),
        ({"url": "https://a.example/", "oauth": {"scope": "x"}}, "did you mean 'scopes'?"),
        (
            {"url": "https://a.example/", "oauth": {"client_metadata_url": "http://b.example/c"}},
            "'client_metadata_url' should be like https://",
        ),
        (
            {"url": "https://a.example/", "oauth": {"client_metadata_url": "https://b.example/"}},
            "'client_metadata_url' should be like https://",
        ),
        (
            {
                "url": "https://a.example/",
                "oauth": {"client_metadata_url": "https://b.example/c", "client_id": "d"},
            },
            "either 'client_id' or 'client_metadata_url'",
        ),
    ],
)
def test_an_entry_that_cannot_log_in_is_a_fault(entry: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_text(json.dumps({"mcpServers": {"a": entry}}), Path("/"), {})

    assert fault in str(caught.value.faults[0])


def test_a_client_secret_counts_as_a_secret() -> None:
    entry = {"url": "https://a.example/", "oauth": {"client_id": "me", "client_secret": "hush1"}}

    config = config_text(json.dumps({"mcpServers": {"a": entry}}), Path("/"), {})

    assert config.secrets == {"hush1"}
