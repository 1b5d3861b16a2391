//! The hidden verbs that a worker is: what each kind of job does.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::{self, SystemJob};
use crate::error::Result;
use crate::{Error, boot, image};

/// Every job that a worker can be given.
#[derive(Debug, Serialize, Deserialize)]
pub enum Job {
    System(SystemJob),
    Medium(image::MediumJob),
    Watch(Box<boot::job::WatchJob>),
    Terminal(Box<boot::interactive::TerminalJob>),
}

/// Does a job inside the worker.
pub fn work(job: Value) -> Result<Value> {
    let job: Job = serde_json::from_value(job)
        .map_err(|e| Error::internal("the worker got a job it does not know").because(&e))?;
    let done = match job {
        Job::System(job) => serde_json::to_value(engine::native::build(&job)?),
        Job::Medium(job) => serde_json::to_value(image::medium::make(&job)?),
        Job::Watch(job) => serde_json::to_value(boot::watch::watch(&job)?),
        Job::Terminal(job) => serde_json::to_value(boot::interactive::serve(&job)?),
    };
    done.map_err(|e| Error::internal("the worker's result cannot be sent").because(&e))
}
