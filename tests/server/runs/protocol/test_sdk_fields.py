"""Every field that langgraph-sdk can send has a test of its effect, or of its refusal; a new one fails here."""

import inspect
from importlib import import_module
from itertools import chain
from typing import Any, Final

import pytest
from langgraph_sdk._async.assistants import AssistantsClient
from langgraph_sdk._async.runs import RunsClient
from langgraph_sdk._async.threads import ThreadsClient

# What the client keeps to itself, and what is for any request.
LOCAL: Final = {"headers", "params", "on_run_created", "raise_error", "version", "response_format"}

RUN: Final = {
    "thread_id": "test_runs.TestStart.test_wait_gives_the_state",
    "assistant_id": "test_runs.TestStart.test_what_is_not_there",
    "input": "test_run_fields.TestInput.test_null_goes_on",
    "command": "test_resume.TestCommand.test_update_and_resume",
    "metadata": "test_run_fields.TestSeenByTheGraph.test_metadata_and_config",
    "config": "test_run_fields.TestSeenByTheGraph.test_metadata_and_config",
    "context": "test_run_fields.TestSeenByTheGraph.test_context",
    "checkpoint": "test_resume.TestFork.test_with_an_input",
    "checkpoint_id": "test_resume.TestFork.test_with_an_input",
    "checkpoint_during": "test_run_fields.TestDurability.test_the_deprecated_word",
    "interrupt_before": "test_run_fields.TestStops.test_at_nodes",
    "interrupt_after": "test_run_fields.TestStops.test_at_nodes",
    "webhook": "test_run_fields.TestRefused.test_with_a_sentence",
    "on_completion": "test_run_fields.TestStateless.test_it_may_be_kept",
    "multitask_strategy": "test_runs.TestDoubleTexting.test_rollback",
    "if_not_exists": "test_run_fields.TestThread.test_a_missing_one",
    "after_seconds": "test_run_fields.TestLater.test_it_begins_when_its_time_has_come",
    "langsmith_tracing": "test_run_fields.TestRefused.test_with_a_sentence",
    "durability": "test_run_fields.TestDurability.test_each_keeps_every_step",
    "strict_resume": "test_run_fields.TestRefused.test_with_a_sentence",
}
STREAM: Final = {
    "stream_mode": "test_run_streams.TestModes.test_several",
    "stream_subgraphs": "test_run_streams.TestSubgraphs.test_they_have_their_namespace",
    "stream_resumable": "test_run_streams.TestJoin.test_at_any_event",
}
DISCONNECT: Final = {"on_disconnect": "test_disconnect.test_a_new_run"}
ONE_RUN: Final = dict.fromkeys(
    ("thread_id", "run_id"), "test_runs.TestAccess.test_a_run_is_found_on_its_own_thread_only"
)
THREAD: Final = {"thread_id": "test_threads.TestAccess.test_a_stranger_sees_and_changes_nothing"}
STATE: Final = {"thread_id": "test_thread_state.TestAccess.test_a_stranger_sees_and_changes_nothing"}
ASSISTANT: Final = {"assistant_id": "test_assistants.TestFind.test_by_id_and_by_name"}
FIXED: Final = "test_assistants.test_they_cannot_be_made_or_changed"
NOT_OFFERED: Final = "test_not_offered.test_it_says_so"

RUNS: Final = {
    "stream": RUN | STREAM | DISCONNECT | {"feedback_keys": "test_run_fields.TestRefused.test_with_a_sentence"},
    "create": RUN | STREAM,
    "create_batch": {"payloads": NOT_OFFERED},
    "wait": RUN | DISCONNECT,
    "list": THREAD | dict.fromkeys(("limit", "offset", "status", "select"), "test_runs.TestFind.test_list"),
    "get": ONE_RUN,
    "cancel": ONE_RUN
    | {"wait": "test_runs.TestCancel.test_without_waiting", "action": "test_runs.TestCancel.test_it_is_taken_back"},
    "cancel_many": dict.fromkeys(("thread_id", "run_ids", "status", "action"), NOT_OFFERED),
    "join": ONE_RUN,
    "join_stream": ONE_RUN
    | {
        "cancel_on_disconnect": "test_disconnect.test_a_joined_run",
        "stream_mode": "test_run_streams.TestJoin.test_some_modes",
        "last_event_id": "test_run_streams.TestJoin.test_while_it_runs",
    },
    "delete": ONE_RUN,
}
_FILTERS: Final = "test_threads.TestSearch.test_filters_and_order"
_TTL: Final = "test_threads.TestCreate.test_a_time_to_live_is_refused_with_a_reason"
_AT: Final = "test_thread_state.TestRead.test_at_a_checkpoint"
THREADS: Final = {
    "get": THREAD | {"include": "test_threads.TestPatch.test_include_knows_ttl_only"},
    "create": {
        "metadata": "test_threads.TestCreate.test_an_id_and_metadata_of_ones_own",
        "thread_id": "test_threads.TestCreate.test_an_id_and_metadata_of_ones_own",
        "if_exists": "test_threads.TestCreate.test_an_id_that_is_taken",
        "supersteps": "test_threads.TestSupersteps.test_a_thread_with_a_past",
        "graph_id": "test_threads.TestSupersteps.test_a_thread_with_a_past",
        "ttl": _TTL,
    },
    "update": THREAD
    | {
        "metadata": "test_threads.TestPatch.test_metadata_is_merged",
        "ttl": _TTL,
        "return_minimal": "test_threads.TestPatch.test_as_little_as_possible",
    },
    "delete": THREAD,
    "search": {
        **dict.fromkeys(("metadata", "values", "status", "sort_by", "sort_order"), _FILTERS),
        **dict.fromkeys(("limit", "offset"), "test_threads.TestSearch.test_pages"),
        "ids": "test_threads.TestSearch.test_by_ids",
        "select": "test_threads.TestSearch.test_fields",
        "extract": "test_threads.TestSearch.test_extracts",
    },
    "count": dict.fromkeys(("metadata", "values", "status"), "test_threads.TestSearch.test_count"),
    "copy": THREAD,
    "prune": dict.fromkeys(("thread_ids", "strategy"), "test_threads.TestCopyAndDelete.test_pruning_is_not_offered"),
    "get_state": STATE
    | {
        "checkpoint": _AT,
        "checkpoint_id": _AT,
        "subgraphs": "test_thread_state.TestRead.test_in_subgraphs",
        "select": "test_thread_state.TestRead.test_fields",
    },
    "update_state": STATE
    | {
        "values": "test_thread_state.TestUpdate.test_values_as_the_last_node",
        "as_node": "test_thread_state.TestUpdate.test_as_a_node_that_chooses",
        "checkpoint": "test_thread_state.TestUpdate.test_a_fork_becomes_the_head",
        "checkpoint_id": "test_thread_state.TestUpdate.test_a_fork_becomes_the_head",
    },
    "get_history": STATE
    | {
        **dict.fromkeys(("limit", "before", "metadata"), "test_thread_state.TestHistory.test_parts"),
        "checkpoint": "test_thread_state.TestRead.test_in_subgraphs",
        "select": "test_thread_state.TestRead.test_fields",
    },
    # Version 2 of the protocol.
    "stream": dict.fromkeys(("thread_id", "assistant_id", "run_start_timeout", "transport"), NOT_OFFERED),
    "join_stream": dict.fromkeys(("thread_id", "last_event_id", "stream_mode"), NOT_OFFERED),
}
_NEW: Final = ("graph_id", "config", "context", "metadata", "assistant_id", "name", "description")
ASSISTANTS: Final = {
    "get": ASSISTANT,
    "get_graph": ASSISTANT | {"xray": "test_assistants.TestGraph.test_xray_looks_into_subgraphs"},
    "get_schemas": ASSISTANT,
    "get_subgraphs": ASSISTANT
    | dict.fromkeys(("namespace", "recurse"), "test_assistants.TestSchemas.test_of_subgraphs"),
    "create": dict.fromkeys((*_NEW, "if_exists"), FIXED),
    "update": dict.fromkeys(_NEW, FIXED),
    "delete": dict.fromkeys(("assistant_id", "delete_threads"), FIXED),
    "search": {
        **dict.fromkeys(("metadata", "graph_id", "name"), "test_assistants.TestSearch.test_filters"),
        **dict.fromkeys(("limit", "offset"), "test_assistants.TestSearch.test_pages"),
        **dict.fromkeys(("sort_by", "sort_order", "select"), "test_assistants.TestSearch.test_order_and_fields"),
    },
    "count": dict.fromkeys(("metadata", "graph_id", "name"), "test_assistants.TestSearch.test_filters"),
    "get_versions": dict.fromkeys(("assistant_id", "metadata", "limit", "offset"), FIXED),
    "set_latest": dict.fromkeys(("assistant_id", "version"), FIXED),
}
CLIENTS: Final = [(RunsClient, RUNS), (ThreadsClient, THREADS), (AssistantsClient, ASSISTANTS)]


@pytest.mark.parametrize(("client", "table"), CLIENTS, ids=lambda item: getattr(item, "__name__", ""))
def test_the_table_has_every_field(client: type, table: dict[str, dict[str, str]]) -> None:
    methods = {name: method for name, method in vars(client).items() if inspect.isfunction(method) and name[0] != "_"}
    assert methods.keys() == table.keys()
    for name, method in methods.items():
        fields = inspect.signature(method).parameters.keys() - {"self"}
        # `version` is a stream's form in the client, and an assistant's number.
        assert fields - LOCAL == table[name].keys() - LOCAL, name


@pytest.mark.parametrize(
    "place", sorted({*chain.from_iterable(fields.values() for _, table in CLIENTS for fields in table.values())})
)
def test_each_names_a_test(place: str) -> None:
    module, *names = place.split(".")
    found: Any = import_module(f"tests.server.runs.protocol.{module}")
    for name in names:
        found = getattr(found, name)
    assert inspect.iscoroutinefunction(found)
    assert names[-1].startswith("test_")
