//! A shared store behind a network: S3 and what speaks like it, or an HTTP server that takes PUT.
//!
//! The `object_store` crate is asynchronous; its runtime stays in here. Whatever waits looks at the clock and at
//! `interrupt`, so a silent or dripping server holds nobody up, and Ctrl-C ends it at once.

#![allow(clippy::disallowed_methods, reason = "an edge: the network, the clock, and the settings of object stores")]

use std::fs::File;
use std::future::Future;
use std::io::Read;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::http::HttpBuilder;
use object_store::path::Path as Place;
use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig, WriteMultipart,
};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use tokio::runtime::Runtime;

use super::place::{Address, Scheme};
use super::wire::Trouble;
use crate::error::{Error, IoContext, Result};
use crate::interrupt;

/// Until there is a connection.
const CONNECT: &str = "5 seconds";

/// How long to wait before the store counts as broken.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until there is an answer, and between two parts of it.
    pub silence: Duration,
    /// Fewer bytes than this in each time of `within` are too few to be of use: making the layer is faster.
    pub within: Duration,
    pub least: u64,
}

impl Default for Limits {
    fn default() -> Self {
        let silence = Duration::from_secs(10);
        Limits { silence, within: silence, least: 500_000 }
    }
}

/// A request is bounded here, not there: a large layer takes its time.
const LONG: &str = "1 day";

/// Layers go to an object store in parts of this size, a few at a time; smaller ones at once.
const PART: usize = 16 << 20;
const PARTS: usize = 3;

/// A part has to be through by then.
const PART_TIME: Duration = Duration::from_mins(2);

pub struct Net {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    in_parts: bool,
    limits: Limits,
    /// Gone only when this is dropped.
    runtime: Option<Runtime>,
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Net")
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        // A resolver that hangs must not hang the end of the run.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub struct Body {
    stream: BoxStream<'static, object_store::Result<bytes::Bytes>>,
    handle: tokio::runtime::Handle,
    limits: Limits,
    since: Instant,
    bytes: u64,
}

impl Body {
    pub fn next(&mut self) -> Result<Vec<u8>, Trouble> {
        loop {
            let part = self.handle.block_on(heed(self.limits.silence, self.stream.next()))?;
            let Some(bytes) = part.transpose().map_err(trouble)? else { return Ok(Vec::new()) };
            self.bytes += bytes.len() as u64;
            let time = self.since.elapsed();
            if time > self.limits.within {
                if self.bytes < self.limits.least {
                    let text = format!("is too slow: {} bytes in {:.0} s", self.bytes, time.as_secs_f64());
                    return Err(Trouble::Failed(text));
                }
                (self.since, self.bytes) = (Instant::now(), 0);
            }
            // An empty part is not the end yet.
            if !bytes.is_empty() {
                return Ok(bytes.into());
            }
        }
    }
}

impl Net {
    pub fn open(address: &Address, limits: Limits) -> Result<Self> {
        // Only one provider is compiled in, and the first of two calls has set it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (store, prefix): (Arc<dyn ObjectStore>, _) = match address.scheme {
            Scheme::S3 => {
                let prefix = address.url.splitn(4, '/').nth(3).unwrap_or_default();
                (Arc::new(s3(address, limits)?), prefix.to_owned())
            }
            _ => (Arc::new(http(address, limits)?), String::new()),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|e| Error::host("cannot start the threads of the shared store").because(&e))?;
        Ok(Net { store, prefix, in_parts: address.scheme == Scheme::S3, limits, runtime: Some(runtime) })
    }

    fn place(&self, path: &str) -> Place {
        if self.prefix.is_empty() { Place::from(path) } else { Place::from(format!("{}/{path}", self.prefix)) }
    }

    fn wait<T>(&self, limit: Duration, work: impl Future<Output = object_store::Result<T>>) -> Result<T, Trouble> {
        let gone = || Error::internal("the shared store is closed");
        let runtime = self.runtime.as_ref().ok_or_else(gone)?;
        runtime.block_on(heed(limit, work))?.map_err(trouble)
    }

    pub fn get(&self, path: &str) -> Result<Body, Trouble> {
        let place = self.place(path);
        let stream = self.wait(self.limits.silence, self.store.get(&place))?.into_stream();
        let gone = || Error::internal("the shared store is closed");
        let handle = self.runtime.as_ref().ok_or_else(gone)?.handle().clone();
        Ok(Body { stream, handle, limits: self.limits, since: Instant::now(), bytes: 0 })
    }

    pub fn size(&self, path: &str) -> Result<u64, Trouble> {
        let place = self.place(path);
        self.wait(self.limits.silence, self.store.head(&place)).map(|meta| meta.size)
    }

    pub fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), Trouble> {
        let place = self.place(path);
        // As long as a part may take, for each that this would be.
        let parts = 1 + u32::try_from(bytes.len() / PART).unwrap_or(u32::MAX - 1);
        self.wait(PART_TIME.saturating_mul(parts), self.store.put(&place, bytes.into())).map(drop)
    }

    pub fn put_file(&self, path: &str, file: &Path) -> Result<(), Trouble> {
        let mut from = File::open(file).at("open", file)?;
        let mut part = read_part(&mut from, file)?;
        if !self.in_parts || part.len() < PART {
            from.read_to_end(&mut part).at("read", file)?;
            return self.put(path, part);
        }
        let place = self.place(path);
        let upload = self.wait(self.limits.silence, self.store.put_multipart(&place))?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
        while !part.is_empty() {
            let sent = self.wait(PART_TIME, async {
                upload.wait_for_capacity(PARTS).await?;
                upload.put(part.into());
                Ok(())
            });
            if let Err(trouble) = sent {
                // What an object store keeps of unfinished uploads goes by the bucket's own rules if this does not reach it.
                let _ = self.wait(self.limits.silence, upload.abort());
                return Err(trouble);
            }
            part = read_part(&mut from, file)?;
        }
        self.wait(PART_TIME, upload.finish()).map(drop)
    }
}

fn read_part(from: &mut File, file: &Path) -> Result<Vec<u8>> {
    let mut part = Vec::with_capacity(PART);
    from.take(PART as u64).read_to_end(&mut part).at("read", file)?;
    Ok(part)
}

/// Waits for `work`, but not longer than `limit` and not when the user asks to stop.
async fn heed<T>(limit: Duration, work: impl Future<Output = T>) -> Result<T, Trouble> {
    let mut work = pin!(work);
    let start = Instant::now();
    loop {
        match tokio::time::timeout(interrupt::GLANCE, work.as_mut()).await {
            Ok(done) => return Ok(done),
            Err(_) => interrupt::check()?,
        }
        if start.elapsed() > limit {
            return Err(Trouble::Failed(format!("did not answer within {} s", limit.as_secs())));
        }
    }
}

fn s3(address: &Address, limits: Limits) -> Result<impl ObjectStore> {
    // Only the environment's settings: keys, region, endpoint.
    AmazonS3Builder::from_env()
        .with_url(&address.url)
        .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::ConnectTimeout), CONNECT)
        .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), LONG)
        .with_retry(retry(limits))
        .build()
        .map_err(|e| unusable(address, &e))
}

fn http(address: &Address, limits: Limits) -> Result<impl ObjectStore> {
    let mut options = ClientOptions::new()
        .with_config(ClientConfigKey::ConnectTimeout, CONNECT)
        .with_config(ClientConfigKey::Timeout, LONG)
        .with_allow_http(true);
    if let Some((user, password)) = &address.login {
        let text = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
        let mut value = HeaderValue::from_str(&text).map_err(|e| unusable(address, &e))?;
        value.set_sensitive(true);
        options = options.with_default_headers(HeaderMap::from_iter([(AUTHORIZATION, value)]));
    }
    let builder = HttpBuilder::new().with_url(&address.url).with_client_options(options).with_retry(retry(limits));
    builder.build().map_err(|e| unusable(address, &e))
}

/// A moment's trouble may pass; more is the next build's to try.
fn retry(limits: Limits) -> RetryConfig {
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(200), max_backoff: Duration::from_secs(1), base: 2. };
    RetryConfig { backoff, max_retries: 2, retry_timeout: limits.silence }
}

fn unusable(address: &Address, error: &dyn std::error::Error) -> Error {
    Error::usage(format!("the shared store {} cannot be used", address.url))
        .because(error)
        .help("object stores take their settings from the environment: AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT, …")
}

fn trouble(error: object_store::Error) -> Trouble {
    use object_store::Error as E;
    match &error {
        E::NotFound { .. } if error.to_string().contains("NoSuchBucket") => {
            Trouble::Failed("has no such bucket".to_owned())
        }
        E::NotFound { .. } => Trouble::Missing,
        E::PermissionDenied { .. } | E::Unauthenticated { .. } => Trouble::Denied,
        _ => Trouble::Failed(reason(&error)),
    }
}

/// The innermost cause says it best; an answer's body may be a page.
fn reason(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    let text = inner.to_string();
    if text.contains("scheme is not allowed") {
        return "is reached by plain HTTP, which AWS_ALLOW_HTTP=true would allow".to_owned();
    }
    let line: String = text.lines().next().unwrap_or_default().chars().take(160).collect();
    format!("fails: {line}")
}
