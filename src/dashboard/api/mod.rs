//! `/api/v1`: the values behind the pages, for programs. An OpenAPI document of it is made from the same table as the
//! router.

mod document;
mod export;
mod outputs;
mod read;
mod texts;

use axum::routing::{get, post};
use schemars::JsonSchema;

use self::{
    document::{Answer, schema},
    export::ExportQuery,
};
pub use self::{
    document::{Operation, make as make_document},
    outputs::OutputLine,
};
use super::{
    actions::Actions,
    feed,
    find::JobsQuery,
    pages::{
        act::{self, ActBody, DonePage},
        failures::FailureGroup,
        history::HistoryQuery,
    },
    routes::{Route, change, read},
    view::{HistoryRun, JobEntry, RunEntry, Spec, View},
};

/// Which of the OpenAPI document's groups an address is in.
const JOBS: &str = "jobs";
const RUNS: &str = "runs";
const BATCHES: &str = "batches";
const HISTORY: &str = "history";

fn json<T: JsonSchema>(id: &'static str, group: &'static str, summary: &'static str) -> Operation {
    Operation { id, group, summary, query: None, body: None, answer: Answer::Json(schema::<T>) }
}

fn lines<T: JsonSchema>(id: &'static str, group: &'static str, summary: &'static str) -> Operation {
    Operation { answer: Answer::Lines(schema::<T>), ..json::<T>(id, group, summary) }
}

fn events<T: JsonSchema>(id: &'static str, group: &'static str, summary: &'static str) -> Operation {
    Operation { answer: Answer::Events(schema::<T>), ..json::<T>(id, group, summary) }
}

/// Every address of the API.
pub fn routes<V: View + Actions>() -> Vec<Route<V>> {
    vec![
        read("/api/v1/openapi.json", get(document::show::<V>)).told(json::<serde_json::Value>(
            "document",
            "document",
            "This document",
        )),
        read("/api/v1/jobs", get(read::jobs::<V>)).told(
            json::<read::JobList>("listJobs", JOBS, "The jobs, each with its last run")
                .with_query::<JobsQuery>(),
        ),
        read("/api/v1/jobs/{job}", get(read::job::<V>)).told(json::<JobEntry>("getJob", JOBS, "A job")),
        read("/api/v1/jobs/{job}/spec", get(read::spec::<V>)).told(
            json::<Spec>("getSpec", JOBS, "What a job says: as it is written, and as a run follows it")
                .with_query::<read::SpecQuery>(),
        ),
        read("/api/v1/jobs/{job}/runs", get(read::runs::<V>)).told(
            json::<read::RunList>("listRuns", RUNS, "The runs of a job, the last one first")
                .with_query::<read::PageQuery>(),
        ),
        read("/api/v1/jobs/{job}/runs/{run}", get(read::run::<V>))
            .told(json::<RunEntry>("getRun", RUNS, "A run")),
        read("/api/v1/jobs/{job}/runs/{run}/events", get(feed::run::<V>)).told(events::<RunEntry>(
            "followRun",
            RUNS,
            "The run, whenever it has changed: events called run. Last-Event-ID is honoured",
        )),
        read("/api/v1/jobs/{job}/runs/{run}/failures", get(read::failures::<V>)).told(json::<
            Vec<FailureGroup>,
        >(
            "listFailures",
            RUNS,
            "The failed batches of a run, by what they have in common",
        )),
        read("/api/v1/jobs/{job}/runs/{run}/outputs.jsonl", get(outputs::show::<V>)).told(
            lines::<OutputLine>("listOutputs", RUNS, "The answers of a run, by batch; goes on after a batch")
                .with_query::<outputs::OutputsQuery>(),
        ),
        read("/api/v1/jobs/{job}/runs/{run}/batches", get(read::batches::<V>)).told(
            json::<read::BatchList>("listBatches", BATCHES, "The batches of a run, by number")
                .with_query::<read::BatchesQuery>(),
        ),
        read("/api/v1/jobs/{job}/runs/{run}/batches/{batch}", get(read::batch::<V>))
            .told(json::<read::Batch>("getBatch", BATCHES, "A batch and the attempts at it")),
        read("/api/v1/jobs/{job}/runs/{run}/batches/{batch}/attempts/{attempt}", get(read::attempt::<V>))
            .told(json::<read::Attempt>("getAttempt", BATCHES, "An attempt, and what its validations found")),
        read(
            "/api/v1/jobs/{job}/runs/{run}/batches/{batch}/attempts/{attempt}/{text}",
            get(texts::show::<V>),
        )
        .told(Operation {
            answer: Answer::Text,
            ..json::<String>(
                "getText",
                BATCHES,
                "A text of an attempt as it was written; ranges of bytes are honoured",
            )
        }),
        read("/api/v1/history", get(read::history::<V>)).told(
            json::<read::History>("listHistory", HISTORY, "The runs of all jobs, the newest first")
                .with_query::<HistoryQuery>(),
        ),
        read("/api/v1/history.csv", get(export::csv::<V>)).told(
            Operation {
                answer: Answer::Csv,
                ..json::<String>("exportCsv", HISTORY, "The same, all of them, as a table")
            }
            .with_query::<ExportQuery>(),
        ),
        read("/api/v1/history.jsonl", get(export::jsonl::<V>)).told(
            lines::<HistoryRun>("exportLines", HISTORY, "The same, all of them, a line each")
                .with_query::<ExportQuery>(),
        ),
        read("/api/v1/events", get(feed::all::<V>)).told(events::<feed::Change>(
            "follow",
            HISTORY,
            "That something has changed: events called change. Last-Event-ID is honoured",
        )),
        change("/api/v1/actions/{action}", post(act::act_json::<V>)).told(
            json::<DonePage>(
                "act",
                JOBS,
                "Does something to jobs; 409 when it could be done to none of them",
            )
            .with_body::<ActBody>(),
        ),
    ]
}
