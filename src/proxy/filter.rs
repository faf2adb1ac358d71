//! Steps that turn a request into the next step's, or reject it.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::TryFutureExt;
use futures_util::future::{Either, ErrInto};
use tower::Service;

/// Layers a step that decides at once: `step` is a `Fn(Before) -> Result<After, Error>`.
pub fn filter<F: Clone, S>(step: F) -> impl Fn(S) -> Filter<F, S> {
    move |inner| Filter { step: step.clone(), inner }
}

/// Layers a step that may have to wait: `step` is a `Fn(Before) -> Either<After, Future<Result<After, Error>>>`.
///
/// The left side is for requests that need not wait; they cost no allocation.
pub fn filter_async<F: Clone, S>(step: F) -> impl Fn(S) -> AsyncFilter<F, S> {
    move |inner| AsyncFilter { step: step.clone(), inner }
}

/// The service that [`filter`] makes.
#[derive(Debug, Clone)]
pub struct Filter<F, S> {
    step: F,
    inner: S,
}

/// The service that [`filter_async`] makes.
#[derive(Debug, Clone)]
pub struct AsyncFilter<F, S> {
    step: F,
    inner: S,
}

impl<F, S, Before, After, E> Service<Before> for Filter<F, S>
where
    F: Fn(Before) -> Result<After, E>,
    S: Service<After>,
    E: From<S::Error>,
{
    type Response = S::Response;
    type Error = E;
    type Future = Either<ErrInto<S::Future, E>, Ready<Result<S::Response, E>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.inner.poll_ready(context).map_err(E::from)
    }

    fn call(&mut self, request: Before) -> Self::Future {
        match (self.step)(request) {
            Ok(request) => Either::Left(self.inner.call(request).err_into()),
            Err(error) => Either::Right(ready(Err(error))),
        }
    }
}

impl<F, S, Before, After, E, Waiting> Service<Before> for AsyncFilter<F, S>
where
    F: Fn(Before) -> Either<After, Waiting>,
    Waiting: Future<Output = Result<After, E>> + Send + 'static,
    S: Service<After, Error = E, Future: Send> + Clone + Send + 'static,
    After: Send + 'static,
{
    type Response = S::Response;
    type Error = E;
    type Future = Either<S::Future, Pin<Box<dyn Future<Output = Result<S::Response, E>> + Send>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Before) -> Self::Future {
        match (self.step)(request) {
            Either::Left(request) => Either::Left(self.inner.call(request)),
            Either::Right(waiting) => {
                let mut inner = self.inner.clone();
                Either::Right(Box::pin(waiting.and_then(move |request| inner.call(request))))
            }
        }
    }
}
