"""An authorization server and an MCP server that it protects, each on a port of its own.

`protected_server.py OPTIONS`, a JSON object: `token_seconds`, `rotates` (each refresh replaces the
refresh token), `denies` (nobody gives consent, or not to these scopes), `client` (registered by
hand), `endpoint` (what the metadata say instead of the real authorization endpoint), `documents` (a
client may be named by the address of a document), `calls_want` (scopes that calls need besides),
`calls_fail` (they are refused for want of them even so), `open` (methods that need no login).
Prints the two addresses as JSON. Consent is given at once. `/test/log` tells what happened,
`/test/revoke?what=access|all` revokes.
"""

import asyncio
import json
import secrets
import socket
import sys
import time

import mcp_types as types
import uvicorn
from mcp.server import Server, ServerRequestContext
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizeError,
    RefreshToken,
    TokenError,
    construct_redirect_uri,
)
from mcp.server.auth.routes import create_auth_routes
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

OPTIONS = {
    "token_seconds": 3600,
    "rotates": True,
    "denies": False,
    "client": None,
    "endpoint": None,
    "documents": False,
    "calls_want": [],
    "calls_fail": False,
    "open": [],
    **json.loads(sys.argv[1] if len(sys.argv) > 1 else "{}"),
}
SCOPES = ["tools", "more"]


class Authority:
    """Keeps everything in memory and writes down what it does."""

    def __init__(self) -> None:
        self.log: list[dict] = []
        self.clients: dict[str, OAuthClientInformationFull] = {}
        self.codes: dict[str, AuthorizationCode] = {}
        self.access: dict[str, AccessToken] = {}
        self.refreshing: dict[str, RefreshToken] = {}
        if OPTIONS["client"]:
            client = OAuthClientInformationFull.model_validate(OPTIONS["client"])
            self.clients[client.client_id] = client

    async def get_client(self, client_id):
        return self.clients.get(client_id)

    async def register_client(self, client_info):
        self.log.append({"registered": client_info.client_name, "scope": client_info.scope})
        self.clients[client_info.client_id] = client_info

    async def authorize(self, client, params):
        self.log.append({"authorized": client.client_id, "scopes": params.scopes})
        denies = OPTIONS["denies"]
        if denies is True or set(denies or []) & set(params.scopes or []):
            raise AuthorizeError("access_denied", "not today")
        code = AuthorizationCode(
            code=secrets.token_hex(20),
            scopes=params.scopes or ["tools"],
            expires_at=time.time() + 60,
            client_id=client.client_id,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
        )
        self.codes[code.code] = code
        return construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state)

    async def load_authorization_code(self, _client, authorization_code):
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(self, client, authorization_code):
        del self.codes[authorization_code.code]
        self.log.append({"exchanged": client.client_id})
        return self._issue(client, authorization_code.scopes, authorization_code.resource)

    async def load_refresh_token(self, _client, refresh_token):
        return self.refreshing.get(refresh_token)

    async def exchange_refresh_token(self, client, refresh_token, scopes):
        if refresh_token.token not in self.refreshing:
            raise TokenError("invalid_grant", "used before")
        self.log.append({"refreshed": client.client_id})
        if OPTIONS["rotates"]:
            del self.refreshing[refresh_token.token]
        return self._issue(client, scopes, refresh_token.resource, renews=OPTIONS["rotates"])

    async def load_access_token(self, token):
        return self.access.get(token)

    async def verify_token(self, token):
        found = self.access.get(token)
        return found if found and found.expires_at >= time.time() else None

    async def revoke_token(self, token):
        self.access.pop(token.token, None)

    def _issue(self, client, scopes, resource, *, renews=True):
        token, renewal = secrets.token_hex(20), secrets.token_hex(20)
        seconds = OPTIONS["token_seconds"]
        self.access[token] = AccessToken(
            token=token,
            client_id=client.client_id,
            scopes=scopes,
            expires_at=int(time.time() + seconds),
            resource=resource,
        )
        if renews:
            self.refreshing[renewal] = RefreshToken(
                token=renewal, client_id=client.client_id, scopes=scopes, resource=resource
            )
        return OAuthToken(
            access_token=token,
            expires_in=seconds,
            scope=" ".join(scopes),
            refresh_token=renewal if renews else None,
        )


async def list_tools(_context: ServerRequestContext, _params) -> types.ListToolsResult:
    return types.ListToolsResult(tools=[types.Tool(name="who", input_schema={"type": "object"})])


async def call_tool(_context: ServerRequestContext, _params) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text="you")])


def authority_app(authority: Authority, issuer: str) -> Starlette:
    async def log(_request):
        return JSONResponse(authority.log)

    async def revoke(request):
        authority.access.clear()
        if request.query_params["what"] == "all":
            authority.refreshing.clear()
        return Response()

    async def other_metadata(_request):
        return JSONResponse(
            {
                "issuer": str(AnyHttpUrl(issuer)),
                "authorization_endpoint": OPTIONS["endpoint"] or f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "registration_endpoint": f"{issuer}/register",
                "response_types_supported": ["code"],
                "code_challenge_methods_supported": ["S256"],
                "client_id_metadata_document_supported": OPTIONS["documents"],
            }
        )

    routes = create_auth_routes(
        authority,
        AnyHttpUrl(issuer),
        client_registration_options=ClientRegistrationOptions(
            enabled=True, valid_scopes=SCOPES, default_scopes=["tools"]
        ),
    )
    if OPTIONS["endpoint"] or OPTIONS["documents"]:
        routes.insert(0, Route("/.well-known/oauth-authorization-server", other_metadata))
    return Starlette(
        routes=[
            Route("/test/log", log),
            Route("/test/revoke", revoke, methods=["POST"]),
            *routes,
        ]
    )


class Gate:
    """Stands before the MCP server and judges single methods."""

    def __init__(self, app: Starlette, authority: Authority) -> None:
        self._app = app
        self._authority = authority

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        body = await request.body()
        message = json.loads(body)
        answer = self._answer(message, request.headers.get("authorization", ""))
        if answer is not None:
            await answer(scope, receive, send)
            return
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def again():
            return waiting.pop() if waiting else await receive()

        await self._app(scope, again, send)

    def _answer(self, message, authorization: str) -> Response | None:
        token = self._authority.access.get(authorization.removeprefix("Bearer "))
        if message["method"] in OPTIONS["open"] and token is None:
            return JSONResponse({"jsonrpc": "2.0", "id": message["id"], "result": {}})
        wanted = OPTIONS["calls_want"]
        if message["method"] != "tools/call" or token is None or not wanted:
            return None
        if set(wanted) <= set(token.scopes) and not OPTIONS["calls_fail"]:
            return None
        challenge = f'Bearer error="insufficient_scope", scope="{" ".join(wanted)}"'
        return Response(status_code=403, headers={"WWW-Authenticate": challenge})


async def serve(app, listening: socket.socket) -> None:
    config = uvicorn.Config(app, log_level="error", http="h11", lifespan="on")
    await uvicorn.Server(config).serve(sockets=[listening])


async def main() -> None:
    ports = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    issuer, resource = (f"http://127.0.0.1:{port.getsockname()[1]}" for port in ports)
    authority = Authority()
    server = Server(
        "protected",
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        get_tool_input_schema=lambda _name: None,
    )
    protected = server.streamable_http_app(
        auth=AuthSettings(
            issuer_url=AnyHttpUrl(issuer),
            resource_server_url=AnyHttpUrl(f"{resource}/mcp"),
            required_scopes=["tools"],
            validate_token_resource=True,
        ),
        token_verifier=authority,
    )
    sys.stdout.write(json.dumps({"issuer": issuer, "url": f"{resource}/mcp"}) + "\n")
    sys.stdout.flush()
    await asyncio.gather(
        serve(authority_app(authority, issuer), ports[0]),
        serve(Gate(protected, authority), ports[1]),
    )


asyncio.run(main())
