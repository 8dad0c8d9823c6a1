"""A program for the environment in which the real `litellm` package is: mocked completions, logged to an engine.

1. Let LiteLLM's generic API logger post to the engine, as a proxy is told to by configuration.
2. Complete, each for a customer of its own: one answer, one stream, one answer without a price in LiteLLM, one failure.
3. Send everything that was logged once more, as a retry would.

Arguments: the engine's URL and a key. Prints what LiteLLM says each customer cost, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from litellm.integrations.generic_api.generic_api_callback import GenericAPILogger

MODEL = "gpt-4o"
UNPRICED_MODEL = "openai/house-model"
CALLS = 4
MESSAGES = [{"role": "user", "content": "hi"}]
LOGGED_SECONDS_MAX = 30.0


async def main(url: str, key: str) -> None:
    logger = GenericAPILogger(endpoint=f"{url}/litellm/logs", headers={"Authorization": f"Bearer {key}"})
    litellm.callbacks = [logger]
    await litellm.acompletion(model=MODEL, messages=MESSAGES, mock_response="hello there", user="answered")
    await litellm.acompletion(model=UNPRICED_MODEL, messages=MESSAGES, mock_response="from our own", user="unpriced")
    stream = await litellm.acompletion(
        model=MODEL,
        messages=MESSAGES,
        mock_response="piece by piece",
        user="streamed",
        stream=True,
        stream_options={"include_usage": True},
    )
    async for _ in stream:
        pass
    try:
        await litellm.acompletion(
            model=MODEL, messages=MESSAGES, mock_response=Exception("boom"), user="failed", num_retries=0
        )
    except Exception as refused:
        sys.stderr.write(f"{type(refused).__name__}\n")
    logged = await everything(logger)
    await logger.async_send_batch()
    logger.log_queue.extend(logged)
    await logger.async_send_batch()
    costs = {one["model_parameters"]["user"]: one["response_cost"] for one in logged}
    sys.stdout.write(f"{json.dumps(costs)}\n")


async def everything(logger: GenericAPILogger) -> list[dict[str, Any]]:
    """What the logger has to send, once all are there: it is told of them behind the callers' backs."""
    waited = 0.0
    while len(logger.log_queue) < CALLS:
        if waited > LOGGED_SECONDS_MAX:
            raise TimeoutError(f"LiteLLM logged {len(logger.log_queue)} of {CALLS} requests")
        await asyncio.sleep(0.1)
        waited += 0.1
    return list(logger.log_queue)


asyncio.run(main(*sys.argv[1:]))
