"""What a step of the graph `work` says before its result."""

TOKENS = 3
