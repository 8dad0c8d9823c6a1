"""A member that looks like a unit is recognized, and an ordinary property is not taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.units.misspellings import misspelt_unit
from domain.units.registry import EXTRA_UNITS, REQUESTS, UNIT_ALIASES, UNITS

_MEANT = {
    "input_tokens": "input_token inputTokens InputTokens INPUT_TOKENS input-tokens inputtokens tokens_input input_tokns"
    " imput_tokens inptu_tokens promptTokens prompt_token prompt_token_count num_input_tokens tokensIn request_tokens"
    " gen_ai.usage.input_tokens llm.token_count.prompt total_input_tokens usage_prompt_tokens",
    "output_tokens": "output_token output_tokn ouput_tokens outputTokens completion_token completionTokens tokens_out"
    " response_tokens candidatesTokenCount generatedTokens gen_ai.usage.output_tokens",
    "cached_input_tokens": "cached_tokens cache_input_tokens cached_input_token cachedInputTokens cache_read_token"
    " cache_read_input_tokens prompt_cache_hit_tokens cachedContentTokenCount input_cached_tokens",
    "cache_write_tokens": "cache_write_token cacheWriteTokens cache_writes_tokens cache_creation_input_tokens",
    "cache_write_1h_tokens": "cache_write_tokens_1h cacheWrite1hTokens ephemeral_1h_input_tokens cache_1h_write_tokens",
    "cache_write_5m_tokens": "cache_write_tokens_5m cache_creation_5m_tokens",
    "reasoning_tokens": "reasoning_token reasoningTokens resoning_tokens thinking_tokens thoughtsTokenCount"
    " reasoning_output_tokens",
    "input_audio_tokens": "audio_input_tokens input_audio_token inputAudioTokens",
    "web_searches": "webSearches web_search_requests num_web_searches num_search_queries web_serches",
    "audio_seconds": "audioSeconds audio_second audio_duration_seconds",
    "input_document_pages": "pages_processed input_document_page inputDocumentPages",
    "rerank_searches": "search_units rerankSearches",
    "cost_usd": "cost costUsd costUSD CostUsd usd_cost total_cost total_cost_usd cost_usd_total COST_USD cost-usd"
    " cost_in_usd response_cost llm_cost",
}
_ORDINARY = """
tokens total_tokens totalTokens token token_count max_tokens max_output_tokens max_input_tokens min_tokens
max_completion_tokens stop_tokens input inputs output outputs input_text output_text input_format output_format
input_type input_audio input_image output_audio input_document input_tokens_limit context_tokens
text_tokens latency latency_ms ttft_ms user user_id customer customerId session_id request_id trace_id parent_request
requests request messages message prompt completion prompt_id prompt_name prompt_version cache cached cache_hit
cache_key cache_ttl cache_write_24h_tokens cache_write_10m_tokens reasoning reasoning_effort thinking web_search
webSearch code_execution codeExecution social_search audio seconds duration duration_seconds pages pixels image images
video model provider temperature top_p cost_center cost_centre cost_used cost_eur cost_cents input_cost output_cost
input_cost_usd price currency spend budget region service_tier tags usage units data api_key status error tool_calls
n count total number gen_ai x _ 1h 5m feature environment accepted_prediction_tokens rejected_prediction_tokens
input_bytes output_bytes input_length output_length
""".split()


@pytest.mark.parametrize(
    ("member", "unit"), [(member, unit) for unit, members in _MEANT.items() for member in members.split()]
)
def test_a_member_that_looks_like_a_unit_is_recognized(member: str, unit: str) -> None:
    assert misspelt_unit(member) == unit


@pytest.mark.parametrize("member", _ORDINARY)
def test_an_ordinary_property_looks_like_no_unit(member: str) -> None:
    assert misspelt_unit(member) is None


@pytest.mark.parametrize("member", [*UNITS, *UNIT_ALIASES, "cost_usd"])
def test_a_name_that_is_right_is_not_misspelt(member: str) -> None:
    assert misspelt_unit(member) is None


@pytest.mark.parametrize("unit", sorted({*UNITS} - {REQUESTS}))
def test_every_unit_is_recognized_in_another_notation(unit: str) -> None:
    first, *others = unit.split("_")
    assert misspelt_unit(first + "".join(word.capitalize() for word in others)) == unit
    assert misspelt_unit(unit.replace("_", "-")) == unit
    assert misspelt_unit(unit.upper()) == unit


@given(st.sampled_from(sorted(EXTRA_UNITS)), st.data())
def test_a_unit_with_a_letter_missing_is_recognized_or_left_alone(unit: str, data: st.DataObject) -> None:
    at = data.draw(st.sampled_from([at for at, letter in enumerate(unit) if letter not in "015hm"]))
    assert misspelt_unit(unit[:at] + unit[at + 1 :]) in (unit, None)


@given(st.one_of(st.text(), st.text("inputoekscahdrw_1h5m", max_size=30), st.text("_aZ", min_size=60, max_size=5_000)))
def test_any_name_is_answered(member: str) -> None:
    assert misspelt_unit(member) in {None, *UNITS, "cost_usd"} - {REQUESTS}
