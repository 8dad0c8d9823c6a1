"""Recognition of a usage object by its members: whose form it has, where the provider does not say so.

Most gateways answer in the form of OpenAI's chat completions, in which `prompt_tokens` includes cached tokens,
whatever else is sent. Anthropic's form has `input_tokens` without them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from consumers.prices.usage_objects.extractors import Extractor, is_exclusive, own_extractor
from consumers.prices.usage_objects.providers import RERANK, library_extractor
from consumers.prices.usage_objects.received_numbers import Numbers

#: Members under which a whole answer has its usage object.
_USAGE_MEMBERS: Final = ("usage", "usageMetadata", "usage_metadata", "usage_info", "tokenUsage")

#: Google's names in its Python library, and those of its live sessions, by their names in its HTTP API.
_GOOGLE_NAMES: Final[Mapping[str, str]] = {
    "prompt_token_count": "promptTokenCount",
    "prompt_tokens_details": "promptTokensDetails",
    "cached_content_token_count": "cachedContentTokenCount",
    "cache_tokens_details": "cacheTokensDetails",
    "candidates_token_count": "candidatesTokenCount",
    "candidates_tokens_details": "candidatesTokensDetails",
    "response_token_count": "candidatesTokenCount",
    "response_tokens_details": "candidatesTokensDetails",
    "responseTokenCount": "candidatesTokenCount",
    "responseTokensDetails": "candidatesTokensDetails",
    "thoughts_token_count": "thoughtsTokenCount",
    "tool_use_prompt_token_count": "toolUsePromptTokenCount",
    "tool_use_prompt_tokens_details": "toolUsePromptTokensDetails",
    "token_count": "tokenCount",
}
_RENAMED: Final = ("prompt_token_count", "candidates_token_count", "responseTokenCount", "response_token_count")

_GOOGLE: Final = (library_extractor("google", "default"),)
_COHERE: Final = (
    library_extractor("cohere", "default"),
    library_extractor("cohere", "tokens"),
    RERANK,
    library_extractor("cohere", "embeddings"),
)
_PERPLEXITY: Final = (library_extractor("perplexity", "default"),)
#: Reasoning is a part of the completion in the first of these, and beside it in the others.
_CHAT: Final = (
    library_extractor("openai", "chat"),
    library_extractor("x-ai", "chat"),
    library_extractor("x-ai", "default"),
    library_extractor("openai", "embeddings"),
)
_REALTIME: Final = (library_extractor("openai", "realtime"),)
_ANTHROPIC: Final = (library_extractor("anthropic", "default"),)
#: Without cached tokens, Anthropic's is read as this, which makes no difference.
_RESPONSES: Final = (
    library_extractor("openai", "images"),
    library_extractor("openai", "responses"),
    own_extractor("usage", {"input_tokens": ("input_tokens",)}),
)
_CONVERSE: Final = (library_extractor("cursor", "usage-event"), library_extractor("aws", "default"))
_PAGES: Final = (library_extractor("mistral", "ocr"),)
_SECONDS: Final = (library_extractor("openai", "live"),)

#: The first row of which a member is a number or an object tells the form.
_FORMS: Final = (
    (("promptTokenCount", "candidatesTokenCount"), _GOOGLE),
    (("billed_units",), _COHERE),
    (("citation_tokens", "num_search_queries"), _PERPLEXITY),
    (("prompt_tokens",), _CHAT),
    (("input_token_details", "output_token_details"), _REALTIME),
    (("inputTokens",), _CONVERSE),
    (("pages_processed",), _PAGES),
)


def usage_object(members: dict[str, Any]) -> dict[str, Any]:
    """Return the usage object alone where a whole answer was sent, with Google's names as its HTTP API has them."""
    for name in _USAGE_MEMBERS:
        if isinstance(members.get(name), dict):
            members = members[name]
            break
    if any(name in members for name in _RENAMED):
        renamed: dict[str, Any] = _with_google_names(members)
        return renamed
    return members


def _with_google_names(value: Any) -> Any:
    if isinstance(value, dict):
        # The names of live sessions come first, so that those of other answers replace them.
        members = sorted(value.items(), reverse=True)
        return {_GOOGLE_NAMES.get(name, name): _with_google_names(member) for name, member in members}
    return [_with_google_names(item) for item in value] if isinstance(value, list) else value


def forms_of(members: Mapping[str, Any], numbers: Numbers) -> tuple[Extractor, ...]:
    """Return the extractors for the form that an object has, the most likely first."""
    for names, extractors in _FORMS:
        if any((name,) in numbers or isinstance(members.get(name), dict) for name in names):
            return extractors
    if is_exclusive(numbers):
        return _ANTHROPIC
    if ("input_tokens",) in numbers:
        return _RESPONSES
    return _SECONDS if members.get("type") == "duration" else ()
