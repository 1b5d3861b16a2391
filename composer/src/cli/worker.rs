//! The hidden verbs that a worker is: what each kind of job does.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::live_build::LiveBuildJob;
use crate::engine::{self, SystemJob};
use crate::error::Result;
use crate::store::Store;
use crate::{Error, boot, image};

/// Every job that a worker can be given.
#[derive(Debug, Serialize, Deserialize)]
pub enum Job {
    System(SystemJob),
    Medium(image::MediumJob),
    LiveBuild(Box<LiveBuildJob>),
    Watch(Box<boot::job::WatchJob>),
    Compare(engine::compare::CompareJob),
    Terminal(Box<boot::interactive::TerminalJob>),
}

/// Does a job inside the worker.
pub fn work(job: Value, store: &Store) -> Result<Value> {
    let job: Job = serde_json::from_value(job)
        .map_err(|e| Error::internal("the worker got a job it does not know").because(&e))?;
    let done = match job {
        Job::System(job) => serde_json::to_value(engine::native::build(&job, store)?),
        Job::Medium(job) => serde_json::to_value(image::medium::make(&job, store)?),
        Job::LiveBuild(job) => serde_json::to_value(engine::live_build::build(&job, store)?),
        Job::Compare(job) => serde_json::to_value(engine::compare::compare(&job, store)?),
        Job::Watch(job) => serde_json::to_value(boot::watch::watch(&job, store)?),
        Job::Terminal(job) => serde_json::to_value(boot::interactive::serve(&job, store)?),
    };
    done.map_err(|e| Error::internal("the worker's result cannot be sent").because(&e))
}
