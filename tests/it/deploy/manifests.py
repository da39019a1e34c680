"""Reads rendered Kubernetes resources from standard input, judges each by its published schema, and writes them as JSON.

Kubernetes' own kinds by its OpenAPI schemas; the custom ones by models made of their published definitions. Those models
overlook keys that they do not know, so what they understood is compared with what was written.
"""

import json
import sys

import kubernetes_validate
import yaml
from cloudcoil.models.keda import v1alpha1 as keda
from cloudcoil.models.prometheus_operator import v1 as prometheus

KUBERNETES = "1.34"
CUSTOM = {
    "keda.sh/v1alpha1": keda,
    "monitoring.coreos.com/v1": prometheus,
}


def judge(resource):
    models = CUSTOM.get(resource["apiVersion"])
    if models is None:
        kubernetes_validate.validate(resource, KUBERNETES, strict=True)
        return
    model = getattr(models, resource["kind"])
    understood = model.model_validate(resource).model_dump(mode="json", by_alias=True, exclude_unset=True)
    if understood != resource:
        raise ValueError(f"has keys that its definition does not have: {resource} was understood as {understood}")


resources = [resource for resource in yaml.safe_load_all(sys.stdin) if resource is not None]
for resource in resources:
    try:
        judge(resource)
    except Exception as error:
        sys.exit(f"{resource['kind']} {resource['metadata']['name']}: {error}")
json.dump(resources, sys.stdout)
