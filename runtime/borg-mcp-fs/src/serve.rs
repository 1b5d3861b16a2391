//! Connections: how many, how slow, and how they end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

const CONNECTIONS: usize = 64;
/// How long the headers of a request may take to arrive.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// How long a connection may rest, or its client not take what it is sent. Longer than any tool takes.
const IDLE_TIME: Duration = Duration::from_mins(1);
const STUCK_TIME: Duration = Duration::from_secs(10);
/// How long open requests may go on after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// Serves until `stop`.
pub async fn serve(listener: TcpListener, app: Router, stop: CancellationToken) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let accept = async {
        loop {
            // Whoever comes when all are taken waits in the kernel's queue.
            let Ok(place) = Arc::clone(&connections).acquire_owned().await else { return };
            let Ok((stream, _)) = listener.accept().await else {
                // Out of descriptors, most likely: they come back when connections end.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let connection = graceful.watch(connection(stream, app.clone()));
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

type Io = TokioIo<std::pin::Pin<Box<TimeoutStream<TcpStream>>>>;

fn connection(stream: TcpStream, app: Router) -> http1::Connection<Io, TowerToHyperService<Router>> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_read_timeout(Some(IDLE_TIME));
    stream.set_write_timeout(Some(STUCK_TIME));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(app))
}
