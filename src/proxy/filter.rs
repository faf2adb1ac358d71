//! Steps that turn a request into the next step's, or reject it.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::TryFutureExt;
use futures_util::future::{Either, ErrInto};
use tower::layer::layer_fn;
use tower::{Layer, Service};

/// What becomes of a request that a step decides about at once.
type Decided<After, E> = Either<After, Ready<Result<After, E>>>;

/// Layers a step that decides at once: `step` is a `Fn(Before) -> Result<After, Error>`.
pub fn filter<Before, After, E, S>(
    step: impl Fn(Before) -> Result<After, E> + Clone,
) -> impl Layer<S, Service = Filter<impl Fn(Before) -> Decided<After, E> + Clone, S>> {
    filter_async(move |request| step(request).map_or_else(|error| Either::Right(ready(Err(error))), Either::Left))
}

/// Layers a step that may have to wait: `step` is a `Fn(Before) -> Either<After, Future<Result<After, Error>>>`.
///
/// The left side is for requests that need not wait; they cost no allocation.
pub fn filter_async<F: Clone, S>(step: F) -> impl Layer<S, Service = Filter<F, S>> {
    layer_fn(move |inner| Filter { step: step.clone(), inner })
}

/// The service that [`filter`] and [`filter_async`] make.
#[derive(Debug, Clone)]
pub struct Filter<F, S> {
    step: F,
    inner: S,
}

impl<F, S, Before, After, E, Waiting> Service<Before> for Filter<F, S>
where
    F: Fn(Before) -> Either<After, Waiting>,
    Waiting: Future<Output = Result<After, E>> + Send + 'static,
    S: Service<After, Future: Send> + Clone + Send + 'static,
    After: Send + 'static,
    E: From<S::Error> + 'static,
{
    type Response = S::Response;
    type Error = E;
    type Future = Either<ErrInto<S::Future, E>, Pin<Box<dyn Future<Output = Result<S::Response, E>> + Send>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.inner.poll_ready(context).map_err(E::from)
    }

    fn call(&mut self, request: Before) -> Self::Future {
        match (self.step)(request) {
            Either::Left(request) => Either::Left(self.inner.call(request).err_into()),
            Either::Right(waiting) => {
                let mut inner = self.inner.clone();
                Either::Right(Box::pin(waiting.and_then(move |request| inner.call(request).err_into())))
            }
        }
    }
}
