"""What a command imports before it works: a second saved is one in each start, and in each test of a real process."""

import json
import subprocess
import sys

from tests.kit.processes import ROOT

HEAVY = ["fastapi", "google.genai", "langchain_core", "langgraph", "mcp", "openai", "procrastinate", "sqlalchemy"]
CLIENTS = ["google.genai", "langchain_google_genai", "langchain_openai", "mcp", "mcp_types", "openai"]
SCRIPT = f"""
import json, sys
import server.cli
command = [name for name in {HEAVY} if name in sys.modules]
import server.serve
print(json.dumps([command, [name for name in {CLIENTS} if name in sys.modules]]))
"""


def test_help_needs_no_framework_and_a_server_no_vendors_client() -> None:
    """A vendor's client is imported where a role names the vendor, a tool server's where one is plugged in."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[], []]
