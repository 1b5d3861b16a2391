//! A connection on which nothing moves is given up.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a connection may rest. Longer than any tool takes, and than a stream is silent between two signs of life.
const IDLE_TIME: Duration = Duration::from_mins(1);
/// How long its client may not take what it is sent.
const STUCK_TIME: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Timed<S> {
    stream: S,
    /// When something was last read or written.
    moved: Instant,
    idle: Pin<Box<Sleep>>,
    /// Runs while a write waits.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl<S> Timed<S> {
    pub fn new(stream: S) -> Self {
        let moved = Instant::now();
        Timed { stream, moved, idle: Box::pin(sleep_until(moved + IDLE_TIME)), stuck: None }
    }

    /// Fails when the connection has rested too long. The alarm is set again only when it goes off: data comes often.
    fn rest(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        while self.idle.as_mut().poll(context).is_ready() {
            let end = self.moved + IDLE_TIME;
            if end <= Instant::now() {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.idle.as_mut().reset(end);
        }
        Poll::Pending
    }

    fn written<T>(&mut self, result: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.moved = Instant::now();
            self.stuck = None;
            return result;
        }
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + STUCK_TIME)));
        ready!(stuck.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        if result.is_ready() {
            self.moved = Instant::now();
            return result;
        }
        self.rest(context).map(Err)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(result, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.written(result, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(context);
        self.written(result, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_rests_is_given_up() {
        let (near, _far) = duplex(8);
        let start = Instant::now();
        assert_eq!(Timed::new(near).read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed().as_secs(), IDLE_TIME.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn signs_of_life_keep_it() {
        let (near, mut far) = duplex(8);
        let (mut read, mut write) = tokio::io::split(Timed::new(near));
        tokio::spawn(async move {
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_secs(15)).await;
                write.write_all(b":").await.unwrap();
            }
        });
        let taking = tokio::spawn(async move {
            let mut signs = [0; 20];
            far.read_exact(&mut signs).await.map(|_| far)
        });
        let start = Instant::now();
        assert!(read.read_u8().await.is_err());
        assert_eq!(start.elapsed().as_secs(), 20 * 15 + IDLE_TIME.as_secs());
        taking.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_taken_is_not_waited_for() {
        let (near, _far) = duplex(8);
        let start = Instant::now();
        assert_eq!(Timed::new(near).write_all(&[0; 9]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed().as_secs(), STUCK_TIME.as_secs());
    }
}
