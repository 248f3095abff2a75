"""A language model that follows a script, behind OpenAI's chat-completions interface."""

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A reply that calls a tool, named without the prefix that an agent gives it."""

    tool: str
    arguments: dict[str, object]


Reply = ToolCall | str

SAYING = "Here it is: "
END = "That is all."
"""Tells a finished sentence from one that is still being written to a screen."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What one request showed to the model."""

    messages: Sequence[dict]
    tools: Sequence[str]

    @property
    def last_prompt(self) -> str:
        """What the person typed last."""
        return self._texts("user")[-1]

    @property
    def tool_results(self) -> list[str]:
        """The text of each tool result, oldest first."""
        return self._texts("tool")

    @property
    def replies(self) -> int:
        """How often the model has spoken; a request that is sent again shows the same number."""
        return len(self._texts("assistant"))

    def _texts(self, role: str) -> list[str]:
        return [_text(message) for message in self.messages if message["role"] == role]


Step = Callable[[Conversation], Reply]


def say(text: str) -> Step:
    """Say the same whatever was said before."""
    return lambda _: f"{SAYING}{text} {END}"


def call(tool: str, **arguments: object) -> Step:
    """Call a tool with fixed arguments."""
    return lambda _: ToolCall(tool, arguments)


def call_with_prompted(tool: str, argument: str, pattern: str) -> Step:
    """Call a tool with what the pattern finds in the person's last words."""
    return lambda conversation: ToolCall(
        tool, {argument: _found(pattern, conversation.last_prompt)}
    )


def say_from_last_result(pattern: str) -> Step:
    """Say what the pattern finds in the result of the last tool call."""
    return lambda conversation: f"{SAYING}{_found(pattern, conversation.tool_results[-1])} {END}"


def said(pattern: str) -> str:
    """Narrow a pattern to what the model itself said of a result."""
    return rf"(?<={SAYING}){pattern}(?=\s+{END})"


@dataclass(slots=True)
class ScriptedModel:
    """Takes the n-th step when it speaks for the n-th time, and keeps what it was shown."""

    base_url: str
    steps: Sequence[Step] = ()
    conversations: list[Conversation] = field(default_factory=list)

    @property
    def tool_results(self) -> list[str]:
        """The text of each tool result in the latest conversation, oldest first."""
        return self.conversations[-1].tool_results

    async def complete(self, request: Request) -> Response:
        """Answer `POST /chat/completions`, as one document or as server-sent events."""
        body = await request.json()
        offered = [tool["function"]["name"] for tool in body.get("tools") or ()]
        conversation = Conversation(body["messages"], offered)
        message = _message(self._reply(conversation), conversation)
        finish = "tool_calls" if "tool_calls" in message else "stop"
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": finish}
            return JSONResponse(_completion("chat.completion", choice))
        choices = (
            {"index": 0, "delta": message, "finish_reason": None},
            {"index": 0, "delta": {}, "finish_reason": finish},
        )
        chunks = [json.dumps(_completion("chat.completion.chunk", choice)) for choice in choices]
        events = "".join(f"data: {chunk}\n\n" for chunk in (*chunks, "[DONE]"))
        return Response(events, media_type="text/event-stream")

    def _reply(self, conversation: Conversation) -> Reply:
        if not conversation.tools:  # asked on the side, for a title of the chat, say
            return "Rally"
        self.conversations.append(conversation)
        if conversation.replies >= len(self.steps):
            return "The script ends here."
        return self.steps[conversation.replies](conversation)


@contextmanager
def running_model() -> Iterator[ScriptedModel]:
    """Serve a model on a free port of 127.0.0.1 until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        model = ScriptedModel(f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
        routes = [Route("/v1/chat/completions", model.complete, methods=["POST"])]
        server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="warning"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield model
        finally:
            server.should_exit = True
            thread.join(5)


def _message(reply: Reply, conversation: Conversation) -> dict[str, object]:
    if isinstance(reply, str):
        return {"role": "assistant", "content": reply}
    name = next((name for name in conversation.tools if name.endswith(reply.tool)), None)
    if name is None:
        return {"role": "assistant", "content": f"I was offered no tool {reply.tool}."}
    called = {
        "index": 0,
        "id": f"call_{conversation.replies}",
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(reply.arguments)},
    }
    return {"role": "assistant", "content": None, "tool_calls": [called]}


def _completion(kind: str, choice: dict[str, object]) -> dict[str, object]:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    about = {"id": "completion", "object": kind, "created": 0, "model": "scripted"}
    return {**about, "choices": [choice], "usage": usage}


def _text(message: dict) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[0] if found else f"(nothing like {pattern})"
