"""Interpret and execute (X005): words become an offer, the person confirms it, its tools are called, each once."""

from typing import Any, Final

from langgraph.graph import START, StateGraph

from nodes.interpret_execute.advance import advance, after_advance
from nodes.interpret_execute.confirm import after_confirm, confirm
from nodes.interpret_execute.interpret import after_interpret, interpret
from nodes.interpret_execute.receive import after_receive, receive
from nodes.interpret_execute.report import report
from nodes.interpret_execute.state import (
    InterpretInput,
    InterpretOutput,
    InterpretState,
    StepOutput,
    StepState,
    StepTask,
)
from nodes.interpret_execute.step.call import call
from nodes.interpret_execute.step.check import after, check
from nodes.interpret_execute.step.elicit import elicit
from nodes.interpret_execute.step.review import review
from nodes.interpret_execute.step.uncertain import uncertain

# Seconds. Clients and attempts have limits of their own; this one ends a stream that trickles for ever.
_ASKING_TIMEOUT: Final = 180.0


def build_step() -> StateGraph[StepState, Any, StepTask, StepOutput]:
    """Return the graph of one step: check it, let it be reviewed where it must, call its tool, settle what is open."""
    builder = StateGraph(StepState, input_schema=StepTask, output_schema=StepOutput)
    builder.add_node("check", check)
    builder.add_node("review", review)
    builder.add_node("call", call)
    builder.add_node("uncertain", uncertain)
    builder.add_node("elicit", elicit)
    builder.add_edge(START, "check")
    builder.add_conditional_edges("check", after, ["review", "call", "__end__"])
    builder.add_conditional_edges("review", after, ["review", "call", "__end__"])
    builder.add_conditional_edges("call", after, ["uncertain", "elicit", "__end__"])
    builder.add_conditional_edges("uncertain", after, ["uncertain", "call", "__end__"])
    builder.add_conditional_edges("elicit", after, ["elicit", "call", "__end__"])
    return builder


def build() -> StateGraph[InterpretState, Any, InterpretInput, InterpretOutput]:
    """Return the graph without a checkpointer: whoever runs it brings one (X014)."""
    builder = StateGraph(InterpretState, input_schema=InterpretInput, output_schema=InterpretOutput)
    builder.add_node("receive", receive)
    builder.add_node("interpret", interpret, timeout=_ASKING_TIMEOUT)
    builder.add_node("confirm", confirm)
    builder.add_node("advance", advance)
    builder.add_node("run_step", build_step().compile(), input_schema=StepTask)
    builder.add_node("report", report)
    builder.add_edge(START, "receive")
    builder.add_conditional_edges("receive", after_receive, ["interpret", "advance"])
    builder.add_conditional_edges("interpret", after_interpret, ["confirm", "advance", "__end__"])
    builder.add_conditional_edges("confirm", after_confirm, ["confirm", "interpret", "advance", "report"])
    builder.add_conditional_edges("advance", after_advance, ["run_step", "report"])
    builder.add_edge("run_step", "advance")
    builder.add_edge("report", "__end__")
    return builder


graph = build().compile(name="interpret_execute")
