"""Calls that LiteLLM logs though they generate nothing, by the name that it gives to the kind of call.

A read of a stored response tells the usage of the call that created it once more. Other calls keep files, batches,
threads and the like. Neither is a request of its own, except where a log says that the call itself was billed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from api.http.logs.log_numbers import object_in


def _with_asynchronous(*names: str) -> frozenset[str]:
    """The names of calls, and those of their asynchronous twins: LiteLLM puts an `a` in front."""
    return frozenset(names) | {f"a{name}" for name in names}


#: Calls on a stored response. What they tell as usage is that of the call that created it.
_RESPONSE_READS: Final = _with_asynchronous(
    "get_responses", "delete_responses", "cancel_responses", "list_input_items", "list_responses"
)
#: The read of a batch: LiteLLM tells the cost of a whole batch with the first read after its end.
_BATCH_READS: Final = _with_asynchronous("retrieve_batch")
#: Calls that keep things, or run tools. They are requests only where tokens or a cost are told.
_UPKEEP: Final = (
    _BATCH_READS
    | _with_asynchronous("create_batch", "cancel_batch", "list_batches")
    | _with_asynchronous("create_file", "file_retrieve", "file_content", "file_list", "file_delete")
    | _with_asynchronous("create_fine_tuning_job", "retrieve_fine_tuning_job", "list_fine_tuning_jobs")
    | _with_asynchronous("cancel_fine_tuning_job")
    | _with_asynchronous("get_assistants", "create_assistants", "delete_assistant")
    | _with_asynchronous("create_thread", "get_thread", "get_messages", "add_message")
    | {"a_add_message"}
    | _with_asynchronous("video_retrieve", "video_retrieve_job", "video_content", "video_list", "video_delete")
    | _with_asynchronous("video_create_character", "video_get_character")
    | _with_asynchronous("vector_store_create", "vector_store_retrieve", "vector_store_list")
    | _with_asynchronous("vector_store_update", "vector_store_delete")
    | _with_asynchronous("vector_store_file_create", "vector_store_file_retrieve", "vector_store_file_list")
    | _with_asynchronous("vector_store_file_content", "vector_store_file_update", "vector_store_file_delete")
    | _with_asynchronous("create_container", "retrieve_container", "list_containers", "delete_container")
    | _with_asynchronous("list_container_files", "upload_container_file", "create_sandbox", "delete_sandbox")
    | _with_asynchronous("create_realtime_client_secret", "create_realtime_transcription_session")
    | _with_asynchronous("create_realtime_translation_client_secret", "create_skill")
    | _with_asynchronous("call_mcp_tool", "list_mcp_tools")
)


def is_request(payload: Mapping[str, Any], is_billed: bool) -> bool:
    """Whether a logged call is a request of its own. `is_billed`: tokens or a cost are told of it.

    A response that was created in the background was not billed then, so the usage told with a read is its own.
    """
    name = payload.get("call_type")
    if not isinstance(name, str):
        return True
    if name in _RESPONSE_READS:
        return is_billed and _is_background(payload)
    return is_billed or name not in _UPKEEP


def reads_batch(payload: Mapping[str, Any]) -> bool:
    """Whether a logged call is the read of a batch."""
    name = payload.get("call_type")
    return isinstance(name, str) and name in _BATCH_READS


def reads_stored(payload: Mapping[str, Any]) -> bool:
    """Whether a logged call is the read of a response or of a batch."""
    name = payload.get("call_type")
    return isinstance(name, str) and name in _RESPONSE_READS | _BATCH_READS


def _is_background(payload: Mapping[str, Any]) -> bool:
    response = object_in(payload, "response")
    return (object_in(response, "response") or response).get("background") is True
