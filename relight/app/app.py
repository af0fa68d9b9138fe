"""Serves the page: on 127.0.0.1 alone, to pages of its own, with files in a folder that is gone when it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from assets.errors import SpecError

LOOPBACK = "127.0.0.1"
_NAMES = {LOOPBACK, "localhost"}
"""What a browser on this machine may call it."""
MOST_UPLOADED = 2 << 30
"""Bytes of one uploaded file."""


def serve(model: str, port: int) -> int:
    """Serve until Ctrl-C or SIGTERM. SpecError where the port is taken; AssetError where the model cannot be read."""
    with _listening(port) as listener:
        # As Ctrl-C, which uvicorn hands on when it has shut down: SIGTERM's own way out would leave the folder behind.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with tempfile.TemporaryDirectory(prefix="pixelcube-app-", ignore_cleanup_errors=True) as folder:
            _serve(model, listener, Path(folder))
    return 0


def _serve(model: str, listener: socket.socket, folder: Path) -> None:
    # Gradio reads these when it is imported or a component is made.
    os.environ |= {"GRADIO_TEMP_DIR": str(folder), "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}
    try:
        import gradio
        import uvicorn
    except ImportError:
        raise SpecError("app: gradio is not installed; pip install 'pixelcube[app]'") from None
    from fastapi import FastAPI

    from relight.app.page import STYLE, Page
    from relight.pipeline.portrait import PortraitRelightPipeline

    port = listener.getsockname()[1]
    page = Page(PortraitRelightPipeline.from_pretrained(model), folder)
    app = gradio.mount_gradio_app(
        FastAPI(openapi_url=None), page.blocks, path="/", server_name=LOOPBACK, server_port=port, footer_links=[],
        run_history=False, ssr_mode=False, mcp_server=False, enable_monitoring=False, show_error=False,
        max_file_size=MOST_UPLOADED, css=STYLE)
    server = uvicorn.Server(uvicorn.Config(LoopbackOnly(app), log_level="warning", proxy_headers=False,
                                           timeout_graceful_shutdown=1))
    print(f"http://{LOOPBACK}:{port} (Ctrl-C ends)", flush=True)
    try:
        server.run(sockets=[listener])
    finally:
        page.sessions.close_all()


@contextlib.contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    """A socket on loopback. 0 takes a free port."""
    if not 0 <= port <= 65535:
        raise SpecError(f"port: got {port}, may be 1 to 65535, or 0 for a free one")
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
            listener.listen()
        except OSError as error:
            raise SpecError(f"port: {port} cannot be used ({error.strerror}); --port 0 takes a free one") from None
        yield listener


class LoopbackOnly:
    """Refuses requests by another name for this machine, and from pages of other sites: another site's page may reach
    loopback through the browser, by a name of its own that leads here (DNS rebinding) or by a plain POST."""

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send) -> None:
        """ASGI."""
        if scope["type"] in ("http", "websocket"):
            headers = dict(scope["headers"])
            host = headers.get(b"host", b"").decode("latin-1")
            origin = headers.get(b"origin", f"http://{host}".encode("latin-1")).decode("latin-1")
            if host.partition(":")[0] not in _NAMES or origin != f"http://{host}":
                from starlette.responses import PlainTextResponse

                await PlainTextResponse("only for this machine's own pages\n", 403)(scope, receive, send)
                return
        await self._app(scope, receive, send)
