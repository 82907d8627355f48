"""`/assistants`: the graphs that can be run. They follow from `langgraph.json`, so nobody makes or changes them."""

from typing import Annotated, NoReturn

from fastapi import Body, Depends, Query, Response

from core.errors import InvalidInput
from server.runs.protocol.bodies import AssistantBody, DrawingBody, SchemasBody
from server.runs.protocol.routing import CurrentAssistants, answer, caller, pagination, protocol_router, refuse
from server.runs.protocol.schemas import AssistantCount, AssistantSearch

router = protocol_router("/assistants")
router.dependencies.append(Depends(caller))

_FIXED = "Assistants follow from langgraph.json: they cannot be made, changed or deleted, and have one version."


class BadXray(InvalidInput):
    """Neither a truth value nor a depth."""

    status = 422


def xray_of(xray: Annotated[str, Query(description="true, false, or to which depth")] = "false") -> int | bool:
    """Return how far a drawing looks into subgraphs."""
    if xray.lower() in ("true", "false"):
        return xray.lower() == "true"
    # No graph is nested as deeply; larger ones would only fill the cache.
    if xray in tuple("123456789"):
        return int(xray)
    raise BadXray("xray must be true, false, or a depth of 1 to 9.")


@router.post("/search", response_model=list[AssistantBody])
async def search(assistants: CurrentAssistants, body: Annotated[AssistantSearch | None, Body()] = None) -> Response:
    """List assistants."""
    asked = body or AssistantSearch()
    found = assistants.search(asked.filter())
    if asked.sort_by is not None:
        found.sort(
            key=lambda assistant: str(getattr(assistant, str(asked.sort_by))), reverse=asked.sort_order == "desc"
        )
    after = asked.offset + asked.limit
    page = [vars(assistant) for assistant in found[asked.offset : after]]
    if asked.select is not None:
        page = [{name: shown[name] for name in asked.select} for shown in page]
    return answer(page, pagination(len(found), after if after < len(found) else None))


@router.post("/count")
async def count(assistants: CurrentAssistants, body: Annotated[AssistantCount | None, Body()] = None) -> int:
    """Count assistants."""
    return len(assistants.search((body or AssistantCount()).filter()))


@router.get("/{assistant_id}", response_model=AssistantBody)
async def get(assistant_id: str, assistants: CurrentAssistants) -> Response:
    """Return one assistant, by its id or its graph's name."""
    return answer(vars(assistants.find(assistant_id)))


@router.get("/{assistant_id}/graph", response_model=DrawingBody)
async def graph(
    assistant_id: str, assistants: CurrentAssistants, xray: Annotated[int | bool, Depends(xray_of)]
) -> Response:
    """Draw the graph."""
    return answer(await assistants.graph(assistant_id, xray))


@router.get("/{assistant_id}/schemas", response_model=SchemasBody)
async def schemas(assistant_id: str, assistants: CurrentAssistants) -> Response:
    """Return the schemas of input, output, state, config and context."""
    return answer(await assistants.schemas(assistant_id))


@router.get("/{assistant_id}/subgraphs", response_model=dict[str, SchemasBody])
async def subgraphs(assistant_id: str, assistants: CurrentAssistants, *, recurse: bool = False) -> Response:
    """Return the schemas of the subgraphs, by namespace."""
    return answer(await assistants.subgraphs(assistant_id, None, recurse=recurse))


@router.get("/{assistant_id}/subgraphs/{namespace}", response_model=dict[str, SchemasBody])
async def subgraph(
    assistant_id: str, namespace: str, assistants: CurrentAssistants, *, recurse: bool = False
) -> Response:
    """Return the schemas of the subgraph at one namespace, such as `parent|child`."""
    return answer(await assistants.subgraphs(assistant_id, namespace, recurse=recurse))


@router.post("", response_model=AssistantBody)
async def create() -> NoReturn:
    """Not offered."""
    refuse(_FIXED)


@router.patch("/{assistant_id}", response_model=AssistantBody)
async def change(assistant_id: str) -> NoReturn:  # noqa: ARG001 - the path's
    """Not offered."""
    refuse(_FIXED)


@router.delete("/{assistant_id}", status_code=204)
async def delete(assistant_id: str) -> None:  # noqa: ARG001 - the path's
    """Not offered."""
    refuse(_FIXED)


@router.post("/{assistant_id}/versions", response_model=list[AssistantBody])
async def versions(assistant_id: str) -> NoReturn:  # noqa: ARG001 - the path's
    """Not offered."""
    refuse(_FIXED)


@router.post("/{assistant_id}/latest", response_model=AssistantBody)
async def latest(assistant_id: str) -> NoReturn:  # noqa: ARG001 - the path's
    """Not offered."""
    refuse(_FIXED)
