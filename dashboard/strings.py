"""Texts that stand in more than one place, or that tests look for."""

from __future__ import annotations

from dashboard.domain.story import StepKey

WORKSHOP_CONNECTION = "summary-sample-connection"
WORKSHOP_SAMPLE_PATH = "/_sandbox/samples/test_summarization.df.json"

CONNECTION = (
    "A connection is a named address of a data source, such as a link to a file, with what is "
    "needed to read it. What you type is never shown again. Link it to a workspace and its members "
    "can fetch its table by name."
)
WORKSPACE = (
    "A workspace is a shared room. Its members can use the connections, models and pipelines "
    "linked to it."
)
PIPELINE = (
    "A pipeline is a model that can be started to answer requests. "
    "Only what is deployed uses CPU and memory."
)
MODEL = (
    "A model is what a pipeline runs. Each upload under its name is a version; none of them uses "
    "anything until a pipeline with it is deployed."
)
DEPLOY = "Deploying starts the model. It uses CPU and memory until you undeploy it."
SIDEKICK = "The model's own helper process beside the engine, which takes the requests."
REPLICA = "One more copy, working side by side."
SHARED_TIMES = (
    "This model takes several rows in one request. The time shown for a row is that of its whole "
    "request; no row has a time of its own."
)
REQUEST_TIMES = (
    "This model takes several rows in one request, and only requests can be timed. Each of them "
    "counts once here, under the number of its first row."
)
COLUMNS_SENT = (
    "This pipeline's model is not a summarizer: it takes columns, not one text. Those it reads "
    "are sent; if the platform does not say which, all are."
)
ANOMALY_COUNT = (
    "how many checks this answer failed. 0 means none was triggered, not that the summary is right."
)
EVIDENCE = (
    "point at a sentence of the summary to see what it rests on. Sentences are matched by their "
    "words, and rare words weigh more: this shows where a sentence came from, not whether it is "
    "right. Numbers and names that are not in the input are underlined."
)
EMBEDDED_ENGINE = (
    "Made by the sandbox's embedded engine: it picks sentences from the input and writes none of "
    "its own. English only."
)
SAFE_ON_DISK = "Your connections, runs and results are on disk and safe."

STEP_TITLES = {
    StepKey.CONNECT: "1. Create a connection",
    StepKey.LINK: "2. Link it to a workspace",
    StepKey.DEPLOY: "3. Deploy the summarizer",
    StepKey.SUMMARIZE: "4. Fetch and summarize",
    StepKey.LATENCY: "5. Look at the timing",
}
STEP_DETAILS = {
    StepKey.CONNECT: "Name the address of a file with texts.",
    StepKey.LINK: "Its members can then use it.",
    StepKey.DEPLOY: "Start the model so that it can answer.",
    StepKey.SUMMARIZE: "Read each text beside its summary.",
    StepKey.LATENCY: "See where the time went.",
}
STEP_ACTIONS = {
    StepKey.CONNECT: "New connection",
    StepKey.LINK: "Choose a workspace",
    StepKey.DEPLOY: "Deploy…",
    StepKey.SUMMARIZE: "Choose a table",
    StepKey.LATENCY: "See the timing",
}
