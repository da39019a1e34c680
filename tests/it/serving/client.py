"""The published client library against our server: its own models validate whatever we send.

Arguments: address, read token, write token, the batch_id of a batch of 2,500 rows, that of one that FAILED.
"""

import sys
from datetime import datetime, timedelta, timezone

from syllable_sdk import SyllableSDK, errors, models

address, read_token, write_token, good, failed = sys.argv[1:]
batches = SyllableSDK(api_key_header=write_token, server_url=address).outbound.batches
reader = SyllableSDK(api_key_header=read_token, server_url=address).outbound.batches
stranger = SyllableSDK(api_key_header="no-token-of-this-server", server_url=address).outbound.batches


def refused(status, call, **arguments):
    try:
        call(**arguments)
    except errors.SyllableSDKError as error:
        assert error.raw_response.status_code == status, (status, error.raw_response.status_code, error)
        return error
    raise AssertionError(f"not refused with {status}: {arguments}")


# List
page = reader.list()
assert (page.page, page.page_size, page.total_count, page.total_pages) == (0, 25, 2, 1), page
assert {batch.batch_id for batch in page.items} == {good, failed}
second = reader.list(page=1, limit=1, order_by=models.BatchProperties.BATCH_ID,
                     order_by_direction=models.OrderByDirection.ASC)
assert [batch.batch_id for batch in second.items] == [max(good, failed)] and second.total_pages == 2, second
found = reader.list(search_fields=[models.BatchProperties.STATUS, models.BatchProperties.CAMPAIGN_ID],
                    search_field_values=["FAILED", "1"])
assert [batch.batch_id for batch in found.items] == [failed], found
assert found.items[0].status == models.BatchStatus.FAILED and found.items[0].error_message
assert reader.list(end_datetime="2020-01-01").total_count == 0
assert reader.list(start_datetime="2020-01-01T00:00:00+00:00").total_count == 2
wrong = refused(422, reader.list, limit=0)
assert isinstance(wrong, errors.HTTPValidationError) and wrong.data.detail[0].loc == ["query", "limit"], wrong

# Get
batch = reader.get_by_id(batch_id=good)
assert batch.status_counts == {"PENDING": 2422, "DUPLICATE": 43, "INVALID": 35}, batch
assert batch.last_updated_by == "batchdrop@localhost" and batch.paused is False
refused(404, reader.get_by_id, batch_id="19990101.1")
refused(401, stranger.get_by_id, batch_id=good)

# Results
results = reader.results(batch_id=good)
assert [result.reference_id for result in results[:49]] == [f"S1-{row}" for row in range(1, 50)]
assert len(results) == 2500 and results[0].request_variables["first_name"] == "Ana", results[0]
assert {result.request_status for result in results} == {"PENDING", "DUPLICATE", "INVALID"}
invalid = reader.results(batch_id=good, status="INVALID")
assert len(invalid) == 35 and {result.request_status for result in invalid} == {models.RequestStatus.INVALID}
# Rows of the first page, of a later one, and of the last.
for row in (7, 1234, 2499):
    assert [result.reference_id for result in reader.results(batch_id=good, reference_id=f"S1-{row}", status="PENDING")] == [f"S1-{row}"]
assert reader.results(batch_id=good, status="COMPLETED") == []
assert reader.results(batch_id=failed) == [] and reader.results(batch_id=good, insights_status="x") == []

# Update
refused(403, reader.update, batch_id=good, communication_batch_update={"paused": True})
held = batches.update(batch_id=good, communication_batch_update={"paused": True})
assert held.status == models.BatchStatus.PAUSED and held.paused and held.last_updated_by == "ops@example.com", held
end = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=1)
resumed = batches.update(batch_id=good, communication_batch_update={"paused": False, "expires_on": end})
assert resumed.status == models.BatchStatus.ACTIVE and resumed.expires_on == end, resumed
assert batches.update(batch_id=good, communication_batch_update={"expires_on": None}).expires_on is None
refused(422, batches.update, batch_id=good, communication_batch_update={"call_rate": 5})
refused(409, batches.update, batch_id=failed, communication_batch_update={"paused": True})

# Delete
refused(422, batches.delete, batch_id=good, body_outbound_batch_delete={"delete_reason": " "})
batches.delete(batch_id=good, body_outbound_batch_delete={"delete_reason": "wrong amounts"})
gone = batches.get_by_id(batch_id=good)
assert (gone.status, gone.deleted_reason) == (models.BatchStatus.CANCELED, "wrong amounts") and gone.deleted_at, gone
refused(409, batches.update, batch_id=good, communication_batch_update={"paused": False})
