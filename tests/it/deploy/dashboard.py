"""Whether Grafana's own models know everything that stands in a dashboard: read, written again, compared.

They drop what they do not know without a word, so a key that is gone, or has another value, is a mistake of the dashboard's.
What they add are defaults.
"""

import json
import sys

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard


def differences(sent, understood, place="dashboard"):
    if isinstance(sent, dict) and isinstance(understood, dict):
        for key in sent:
            if key in understood:
                yield from differences(sent[key], understood[key], f"{place}.{key}")
            else:
                yield f"{place}.{key}: not known"
    elif isinstance(sent, list) and isinstance(understood, list) and len(sent) == len(understood):
        for at, pair in enumerate(zip(sent, understood)):
            yield from differences(*pair, f"{place}[{at}]")
    elif sent != understood:
        yield f"{place}: {sent!r} is taken for {understood!r}"


register_default_plugins()
dashboard = json.load(open(sys.argv[1]))
found = list(differences(dashboard, json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))))
print("\n".join(found))
sys.exit(len(found) > 0)
