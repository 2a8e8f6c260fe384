//! Connections: accepted up to a number, given a time for each head, watched so that stopping waits for what runs and
//! for nothing else.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::options::Limits;

/// Bytes of a head, and of what is read ahead of a body.
const HEAD_BYTES: usize = 64 << 10;
/// Wait after the system refused a connection, as when there are no file descriptors left.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves connections until `stop` is over, then lets open requests end for as long as they may.
pub(crate) async fn listen(
    listener: TcpListener,
    router: Router,
    limits: &Limits,
    stop: impl Future<Output = ()>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new());
    http.header_read_timeout(Duration::from_secs_f64(limits.head_seconds));
    http.max_buf_size(HEAD_BYTES);
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(limits.connections));
    tokio::pin!(stop);
    loop {
        let permit = tokio::select! {
            permit = room.clone().acquire_owned() => permit,
            () = &mut stop => break,
        };
        let Ok(permit) = permit else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        // Words are to arrive as they are said; where that cannot be set they arrive a little later.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // A connection that breaks is its client's business.
            let _ = connection.await;
            drop(permit);
        });
    }
    drop(listener);
    let patience = Duration::from_secs_f64(limits.drain_seconds);
    // What has not ended by then is cut.
    let _ = tokio::time::timeout(patience, graceful.shutdown()).await;
}
