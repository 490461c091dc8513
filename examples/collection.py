"""Run a published plugin over a bucket with the typed client, and print its features: one JSON object a line.

export MIXPEEK_BASE_URL=http://127.0.0.1:8460 MIXPEEK_API_KEY=sk_... MIXPEEK_NAMESPACE=ns_team
python examples/collection.py bkt_speeches my_extractor 1.0.0
"""

from __future__ import annotations

import json
import os
import sys
import time

from toolchain.publish.client.platform import Platform
from toolchain.publish.client.transport import Connection, Transport

bucket, plugin, version = sys.argv[1:]
connection = Connection(os.environ["MIXPEEK_BASE_URL"], os.environ["MIXPEEK_API_KEY"])
with Transport(connection) as transport:
    client = Platform(transport, os.environ["MIXPEEK_NAMESPACE"])
    collection = client.collections.create(
        collection_name=f"{plugin} over {bucket}",
        source={"type": "bucket", "bucket_ids": [bucket]},
        feature_extractor={"feature_extractor_name": plugin, "version": version, "parameters": {}},
    )
    while collection.status == "pending":
        time.sleep(0.5)
        collection = client.collections.get(collection.collection_id)
    if collection.status != "completed":
        sys.exit(f"the collection {collection.collection_id} is {collection.status}: {collection.error}")
    for row in client.collections.documents(collection.collection_id):
        print(json.dumps(row))
