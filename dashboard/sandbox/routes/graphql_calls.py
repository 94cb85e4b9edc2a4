"""The SDK's calls that read or write by GraphQL.

`Pipeline.*` means the attributes of a pipeline: the SDK keeps what it was given, and asks for the
rest when it is first needed.
"""

from __future__ import annotations

from typing import Final

#: In the form of `Entry.sdk_calls`.
GRAPHQL_CALLS: Final = ", ".join(
    (
        "get_current_workspace",
        "list_deployments",
        "deployment_by_name",
        "pipelines_by_name",
        "model_by_name",
        "model_version_by_name",
        "search_models",
        "search_model_versions",
        "search_pipelines",
        "search_pipeline_versions",
        "list_tags",
        "create_tag",
        "Tag.*",
        "Tag.list_model_versions",
        "Tag.list_pipelines",
        "Tag.add_to_model",
        "Tag.add_to_pipeline",
        "Tag.remove_from_model",
        "Tag.remove_from_pipeline",
        "Workspace.*",
        "Workspace.remove_user",
        "ModelVersion.*",
        "ModelConfig.*",
        "Orchestration.*",
        "Pipeline.*",
        "PipelineVersion.*",
        "Deployment.*",
    )
)
