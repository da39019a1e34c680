"""Deploys the CloudFormation template to a server that plays AWS, and tells in JSON what came of it.

usage: aws.py ENDPOINT TEMPLATE STACK [PARAMETER=VALUE ...]

The server makes every resource but the policies of bucket and queue, which it would not heed either, and sets nothing
but the encryption of a bucket. So the rest of what the template says of the bucket is set here, by the calls that
CloudFormation makes.
"""

import ast
import json
import sys

import boto3
import cfnlint.decode

endpoint, template_file, stack = sys.argv[1:4]


def client(service):
    return boto3.client(service, endpoint_url=endpoint, region_name="us-east-1")


def deploy(parameters):
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]
    secret = client("secretsmanager").create_secret(Name=stack, SecretString="postgres://of/no/use")["ARN"]
    parameters |= {"VpcId": vpc, "SubnetIds": subnet, "StoreUrlSecret": secret}
    with open(template_file) as file:
        body = file.read()
    client("cloudformation").create_stack(
        StackName=stack,
        TemplateBody=body,
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )
    made = client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    assert made["StackStatus"] == "CREATE_COMPLETE", made
    return {output["OutputKey"]: output["OutputValue"] for output in made["Outputs"]}


def resolved(value, known):
    """A property's value: what it refers to put in its place. `known` also has the conditions."""
    if isinstance(value, list):
        return [item for item in (resolved(item, known) for item in value) if item is not None]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (function, of), = value.items()
        match function:
            case "Ref" | "Fn::GetAtt":
                return known[of if isinstance(of, str) else ".".join(of)]
            case "Fn::Sub":
                for name, text in known.items():
                    of = of.replace("${" + name + "}", str(text))
                return str(of)
            case "Fn::If":
                return resolved(of[1] if known[of[0]] else of[2], known)
    settled = {str(key): resolved(item, known) for key, item in value.items()}
    return {key: item for key, item in settled.items() if item is not None}


def set_up_bucket(properties):
    s3, bucket = client("s3"), properties["BucketName"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=properties["VersioningConfiguration"])
    s3.put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration=properties["PublicAccessBlockConfiguration"]
    )
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=properties["OwnershipControls"])

    def rule(said):
        said["ID"] = said.pop("Id")
        if "ExpirationInDays" in said:
            said["Expiration"] = {"Days": int(said.pop("ExpirationInDays"))}
        if "ExpiredObjectDeleteMarker" in said:
            said["Expiration"] = {"ExpiredObjectDeleteMarker": said.pop("ExpiredObjectDeleteMarker")}
        if "NoncurrentVersionExpiration" in said:
            said["NoncurrentVersionExpiration"]["NoncurrentDays"] = int(
                said["NoncurrentVersionExpiration"]["NoncurrentDays"]
            )
        return said

    rules = [rule(said) for said in properties["LifecycleConfiguration"]["Rules"]]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})

    def told(said):
        configuration = {"QueueArn": said["Queue"], "Events": [said["Event"]]}
        if "Filter" in said:
            configuration["Filter"] = {"Key": {"FilterRules": said["Filter"]["S3Key"]["Rules"]}}
        return configuration

    queues = [told(said) for said in properties["NotificationConfiguration"]["QueueConfigurations"]]
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": queues}
    )


def seen_of_bucket(bucket):
    s3 = client("s3")
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    return {
        "encryption": encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"],
        "public_access_blocked": s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"],
        "versioning": s3.get_bucket_versioning(Bucket=bucket)["Status"],
        "lifecycle": s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"],
    }


given = dict(argument.split("=", 1) for argument in sys.argv[4:])
outputs = deploy(given)
queue = client("sqs").get_queue_attributes(QueueUrl=outputs["Queue"], AttributeNames=["All"])["Attributes"]

template, faults = cfnlint.decode.decode(template_file)
assert not faults, faults
known = {name: parameter.get("Default") for name, parameter in template["Parameters"].items()} | given
known |= {"AWS::NoValue": None, "Notices.Arn": queue["QueueArn"], "HasPrefix": known["KeyPrefix"] != ""}
set_up_bucket(resolved(template["Resources"]["Bucket"]["Properties"], known))

task = client("ecs").describe_task_definition(taskDefinition=f"{stack}-worker")["taskDefinition"]
container, = task["containerDefinitions"]
rules = [rule for rule in client("events").list_rules()["Rules"] if rule["Name"].startswith(f"{stack}-")]
runs = [target for rule in rules for target in client("events").list_targets_by_rule(Rule=rule["Name"])["Targets"]]
policy = client("iam").get_role_policy(RoleName=outputs["WorkerRole"], PolicyName="worker")["PolicyDocument"]
if isinstance(policy, str):
    policy = ast.literal_eval(policy)  # as Python writes it, with a null where a condition leaves a statement out
policy["Statement"] = [statement for statement in policy["Statement"] if statement]
json.dump(
    {
        "outputs": outputs,
        "bucket": seen_of_bucket(given["BucketName"]),
        "queue": queue,
        "command": container["command"],
        "environment": {entry["name"]: entry["value"] for entry in container["environment"] if entry},
        "schedules": [rule["ScheduleExpression"] for rule in rules],
        "scheduled": [json.loads(run["Input"]) for run in runs],
        "policy": policy,
    },
    sys.stdout,
    default=str,
)
