//! What of a request was not read when it is answered. The server beneath goes on with a connection whose request came in chunks and was let go of before
//! its end: it waits for the rest, for ever. One that is held until the answer is written, it ends, whatever way the request came.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::Stream;

/// A request's body, as far as it was not read; `None` where there is none.
pub(super) struct Unread(Option<Rc<Incoming>>);

struct Incoming {
    payload: RefCell<Payload>,
    has_ended: Cell<bool>,
}

/// What handlers read it by.
struct Reader(Rc<Incoming>);

impl Stream for Reader {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = Pin::new(&mut *self.0.payload.borrow_mut()).poll_next(context);
        if matches!(polled, Poll::Ready(None)) {
            self.0.has_ended.set(true);
        }
        polled
    }
}

impl Unread {
    /// Stays with the body of a request that handlers read.
    pub(super) fn of(request: &mut ServiceRequest) -> Self {
        let payload = request.parts_mut().1.take();
        if matches!(payload, Payload::None) {
            return Self(None);
        }
        let incoming = Rc::new(Incoming { payload: RefCell::new(payload), has_ended: Cell::new(false) });
        let reader: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>> = Box::pin(Reader(Rc::clone(&incoming)));
        request.set_payload(Payload::Stream { payload: reader });
        Self(Some(incoming))
    }

    /// The same answer, with which the rest is held until it is written.
    pub(super) fn held_by(self, mut answer: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
        let Some(incoming) = self.0.filter(|incoming| !incoming.has_ended.get()) else { return answer };
        // An answer without a body ends with its head, which these go with.
        answer.response_mut().extensions_mut().insert(Rc::clone(&incoming));
        answer.map_body(|_, body| match body.size() {
            BodySize::None => body,
            BodySize::Sized(_) | BodySize::Stream => BoxBody::new(Holding { body, _rest: incoming }),
        })
    }
}

/// An answer's body that holds what of the request was not read.
struct Holding {
    body: BoxBody,
    _rest: Rc<Incoming>,
}

impl MessageBody for Holding {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.body.as_pin_mut().poll_next(context)
    }
}
