"""What the models accept, sent to a sandbox that listens."""

import json

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.core.api.calls import Batch, CallBase
from pipeline.core.api.catalogue import ENDPOINTS
from pipeline.core.api.check import check
from pipeline.core.api.vocabularies import VOCABULARIES
from pipeline.core.wire import headers
from pipeline.sandbox.running import running_sandbox

from ...unit.core.api.conftest import calls_of  # noqa: TID252  tests are no package

CALLS = st.one_of([calls_of(model) for model in (*ENDPOINTS, *VOCABULARIES) if model is not Batch])


@pytest.fixture(scope="module")
def sandbox():
    with running_sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def session(sandbox):
    with requests.Session() as session:
        session.headers.update(headers(sandbox.write_key, strict=True))
        yield session


@settings(max_examples=100, suppress_health_check=list(HealthCheck), deadline=None)
@given(call=CALLS)
def test_what_a_model_accepts_arrives_as_it_is(sandbox, session, call):
    """A call that passed the check would be refused, dropped, or arrive as another."""
    sandbox.client.reset()
    model = check(json.dumps({**call, "messageId": "1"}).encode())
    assert isinstance(model, CallBase)
    body = model.model_dump_json(exclude_unset=True).encode()
    answer = session.post(f"{sandbox.base_url}/v1/{call['type']}", data=body)
    assert answer.status_code == 200, answer.text
    (arrival,) = sandbox.client.message("1")
    assert arrival["dropped"] is None
    assert arrival["call"] == json.loads(body)
