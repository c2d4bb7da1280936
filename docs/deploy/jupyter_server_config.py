"""NeuralSorter in JupyterLab and JupyterHub: for jupyter_server_config.py, with jupyter-server-proxy installed.

Jupyter knows who asks; only requests that it forwards have the token, so nobody else on the computer gets in.
"""

from __future__ import annotations

import secrets
import sys

token = secrets.token_urlsafe(32)
c.ServerProxy.servers = {  # type: ignore[name-defined] # noqa: F821 - Jupyter defines c
    "neuralsorter": {
        "command": [sys.executable, "-m", "neuralsorter", "serve", "--port", "{port}", "--no-browser"],
        "environment": {"NEURALSORTER_TOKEN": token},
        "request_headers_override": {"X-NeuralSorter-Token": token, "Origin": "http://127.0.0.1:{port}"},
        "timeout": 60,
        "launcher_entry": {"title": "NeuralSorter"},
    }
}
