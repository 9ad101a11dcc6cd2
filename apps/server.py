"""Starting the browser app."""

import ipaddress
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


def serve(
    settings: Settings, *, port: int, address: str, tls: tuple[Path, Path] | None = None
) -> None:
    """Become the app's server process, until it is interrupted.

    Parameters
    ----------
    settings : Settings
        The project that it shows.
    port : int
        TCP port.
    address : str
        Address to listen on.
    tls : tuple of two Path or None
        Certificate and key, for https.

    Raises
    ------
    ProjectError
        If the port is taken, or others could reach the app of a server that is one person's.
    """
    is_here = ip_is_loopback(address)
    if settings.embedded and not is_here:
        raise ProjectError(
            f"the embedded server serves one person, and its app has no sign-in: it listens on "
            f"{LOOPBACK} alone, not on {address}; reach it from elsewhere with "
            f"ssh -L {port}:{LOOPBACK}:{port}, or use a lab server (mesmerize init --server)."
        )
    _check_port(address, port)
    if not (is_here or tls):
        print(
            "Passwords pass in clear: give --certificate and --key, or let a proxy add https.",
            flush=True,
        )
    scheme = "https" if tls else "http"
    print(f"The app is at {scheme}://{address}:{port} (stop it with Ctrl-C).", flush=True)
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
    if tls:
        options |= {"server.sslCertFile": str(tls[0]), "server.sslKeyFile": str(tls[1])}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    environment = {**os.environ, PROJECT_VARIABLE: str(settings.folder)}
    if not settings.embedded:  # everybody signs in; the app needs no account of its own
        environment = {k: v for k, v in environment.items() if k not in ("DJ_USER", "DJ_PASS")}
    os.chdir(settings.folder)
    os.execve(sys.executable, [*command, *arguments], environment)


def ip_is_loopback(address: str) -> bool:
    """Return whether an address can be reached from this machine alone.

    Examples
    --------
    >>> ip_is_loopback("127.0.0.1"), ip_is_loopback("0.0.0.0")
    (True, False)
    """
    try:
        return address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


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
