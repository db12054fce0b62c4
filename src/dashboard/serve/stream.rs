//! Answers that go on for as long as somebody listens. Such a connection has no second request, so that nothing that reads
//! and writes requests is kept for it: a listener costs a few KiB instead of twenty.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use axum::{
    http::{HeaderValue, header},
    response::Response,
};
use futures::StreamExt as _;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::oneshot,
};

/// Whether an answer goes on.
pub fn goes_on(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE) == Some(&HeaderValue::from_static("text/event-stream"))
}

/// Takes an answer from the one who would send it to the one who has the connection.
#[derive(Debug)]
pub struct HandOver(Mutex<Option<oneshot::Sender<Response>>>);

impl HandOver {
    /// Both ends.
    pub fn new() -> (Self, oneshot::Receiver<Response>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Mutex::new(Some(sender))), receiver)
    }

    /// Hands `response` over. Whoever does waits to be dropped.
    pub async fn give(&self, response: Response) -> ! {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sender) = sender {
            // Where nobody receives it, the connection is being closed.
            let _ = sender.send(response);
        }
        std::future::pending().await
    }
}

/// Sends an answer to its end, or until the other side is gone. The end is that of the connection.
///
/// # Errors
/// The connection has broken off.
pub async fn send(mut stream: impl AsyncRead + AsyncWrite + Unpin, response: Response) -> io::Result<()> {
    let (head, body) = response.into_parts();
    let mut text = format!("HTTP/1.1 {}\r\nconnection: close\r\n", head.status).into_bytes();
    for (name, value) in &head.headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            text.extend_from_slice(part);
        }
    }
    text.extend_from_slice(b"\r\n");
    stream.write_all(&text).await?;
    drop((head.headers, text));
    let mut body = body.into_data_stream();
    let mut heard = [0; 16];
    loop {
        tokio::select! {
            piece = body.next() => match piece {
                Some(Ok(piece)) => {
                    stream.write_all(&piece).await?;
                    stream.flush().await?;
                }
                Some(Err(error)) => return Err(io::Error::other(error)),
                None => return stream.shutdown().await,
            },
            // What a listener says more is not listened to; that he says nothing more is his end.
            read = stream.read(&mut heard) => if read? == 0 {
                return stream.shutdown().await;
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::StatusCode};
    use futures::stream;

    use super::*;

    fn answer(pieces: impl futures::Stream<Item = &'static str> + Send + 'static) -> Response {
        let body = Body::from_stream(pieces.map(Ok::<_, std::convert::Infallible>));
        let mut response = Response::new(body);
        let kind = HeaderValue::from_static("text/event-stream");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }

    #[tokio::test]
    async fn an_answer_is_sent_whole_with_its_head_and_ends_with_its_connection() {
        let (near, mut far) = tokio::io::duplex(16);
        let sending = tokio::spawn(send(near, answer(stream::iter(["data: 1\n\n", "data: 2\n\n"]))));
        let mut text = String::new();
        far.read_to_string(&mut text).await.unwrap();
        sending.await.unwrap().unwrap();
        assert_eq!(
            text,
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\ndata: 2\n\n"
        );
    }

    #[tokio::test]
    async fn a_listener_who_goes_ends_his_answer() {
        let (near, far) = tokio::io::duplex(1024);
        let sending = tokio::spawn(send(near, answer(stream::pending())));
        drop(far);
        let _ = sending.await.unwrap();
    }

    #[test]
    fn only_streams_of_events_go_on() {
        assert!(goes_on(&answer(stream::empty())));
        assert!(!goes_on(&axum::response::IntoResponse::into_response(StatusCode::OK)));
    }
}
