"""Starting the browser app."""

import os
import socket
import sys
from pathlib import Path

from schemas import server
from schemas.settings import PROJECT_VARIABLE, ProjectError, Settings

APP_PORT = 8501
LOOPBACK = "127.0.0.1"
ACCENT = "#0d7d83"
ACCENT_ON_DARK = "#35a7ad"
ENTRY = Path(__file__).parent / "browser" / "main.py"


def serve(settings: Settings, *, port: int, address: str) -> None:
    """Become the app's server process, until it is interrupted.

    Parameters
    ----------
    settings : Settings
        The project that it shows.
    port : int
        TCP port.
    address : str
        Address to listen on.

    Raises
    ------
    ProjectError
        If the port is taken.
    """
    _check_port(address, port)
    if address != LOOPBACK:
        print("The app has no sign-in: whoever reaches this address sees the project.", flush=True)
    print(f"The app is at http://{address}:{port} (stop it with Ctrl-C).", flush=True)
    server.leave(settings)  # the app joins it anew
    command = [sys.executable, "-m", "streamlit", "run", str(ENTRY)]
    options = {
        "server.address": address,
        "server.port": port,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "minimal",
        "theme.light.primaryColor": ACCENT,
        "theme.dark.primaryColor": ACCENT_ON_DARK,
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    environment = {**os.environ, PROJECT_VARIABLE: str(settings.folder)}
    os.chdir(settings.folder)
    os.execve(sys.executable, [*command, *arguments], environment)


def _check_port(address: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise ProjectError(
                f"the app cannot listen on {address}:{port} ({error.strerror}); "
                "stop what runs there, or choose another with --port."
            ) from error
