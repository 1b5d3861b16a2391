//! Connections: how many, how slow, and how they end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::caller::Caller;
use crate::peers::{self, Peers};
use crate::timed::Timed;

const CONNECTIONS: usize = 64;
/// How long the headers of a request may take to arrive.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// How long open requests may go on after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// Where connections come from, each with what it may reach.
pub trait Source: Send + Sync {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, Router)>> + Send;
}

/// Everyone who can connect may ask; the router says who is answered.
#[derive(Debug)]
pub struct Tcp(pub TcpListener, pub Router);

impl Source for Tcp {
    type Stream = tokio::net::TcpStream;

    async fn next(&self) -> io::Result<(Self::Stream, Router)> {
        let (stream, _) = self.0.accept().await?;
        Ok((stream, self.1.clone()))
    }
}

/// Local users, of whom the kernel says who they are.
#[derive(Debug)]
pub struct Unix {
    pub listener: UnixListener,
    pub peers: Peers,
    /// For those who may.
    pub app: Router,
}

impl Source for Unix {
    type Stream = tokio::net::UnixStream;

    async fn next(&self) -> io::Result<(Self::Stream, Router)> {
        let (stream, _) = self.listener.accept().await?;
        let peer = stream.peer_cred()?;
        let known = || self.app.clone().layer(Extension(Caller::from(peer)));
        let app = if self.peers.may(peer) { known() } else { peers::refusal() };
        Ok((stream, app))
    }
}

/// Serves until `stop`.
pub async fn serve(source: impl Source, stop: CancellationToken) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let accept = async {
        loop {
            // Whoever comes when all are taken waits in the kernel's queue.
            let Ok(place) = Arc::clone(&connections).acquire_owned().await else { return };
            let Ok((stream, app)) = source.next().await else {
                // Out of descriptors, most likely: they come back when connections end.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let connection = graceful.watch(connection(stream, app));
            tokio::spawn(async move {
                // A client that leaves is no fault of ours.
                let _ = connection.await;
                drop(place);
            });
        }
    };
    tokio::select! {
        () = accept => {}
        () = stop.cancelled() => {}
    }
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

fn connection<S>(stream: S, app: Router) -> http1::Connection<TokioIo<Timed<S>>, TowerToHyperService<Router>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .serve_connection(TokioIo::new(Timed::new(stream)), TowerToHyperService::new(app))
}
