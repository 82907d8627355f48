"""All routes of the application, in one list."""

from fastapi import APIRouter

from server import health, monitoring
from server.audio.endpoints import images, player, profiles, segments, skills, strategies, upload
from server.audio.endpoints import sessions as audio_sessions
from server.auth import endpoints as auth
from server.calls.endpoints import agents, aliyun, record_statistics, records, rules, summaries
from server.chat.endpoints import chat, documents
from server.chat.endpoints import sessions as chat_sessions
from server.counseling.endpoints import assistants, class_view, notes
from server.counseling.endpoints import login as counseling_login
from server.counseling.endpoints import sessions as counseling_sessions
from server.interpret.endpoints import confirm, execute, interpret, me, sessions, tools
from server.runs.protocol import assistants as protocol_assistants
from server.runs.protocol import not_offered, run_starts, runs, system, thread_state, threads

# They are tried in this order: the busiest come first.
ROUTERS: tuple[APIRouter, ...] = (
    run_starts.router,
    threads.router,
    health.router,
    monitoring.router,
    auth.router,
    upload.router,
    audio_sessions.router,
    strategies.router,
    segments.router,
    player.router,
    images.router,
    skills.router,
    profiles.router,
    # Before the records, whose `/{record_id}` its path fits (C026).
    record_statistics.router,
    records.router,
    summaries.router,
    rules.router,
    agents.router,
    aliyun.router,
    interpret.router,
    me.router,
    execute.router,
    confirm.router,
    tools.router,
    sessions.router,
    chat.router,
    chat_sessions.router,
    documents.router,
    counseling_sessions.router,
    notes.router,
    assistants.router,
    class_view.router,
    counseling_login.router,
    system.router,
    protocol_assistants.router,
    thread_state.router,
    runs.router,
    not_offered.router,
)
