//! A transaction that takes rows, on a task of its own, so that the next rows are encoded while the database takes
//! those before them. What the task does with a piece differs between databases; how it starts, ends and fails does
//! not.

use sqlx::{Database, Transaction};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Error;

/// Pieces under way between encoding and the database.
const PIECES_UNDER_WAY: usize = 2;

/// What the encoding side says to the task.
enum Step<P> {
    Piece(P),
    /// All rows were given. A channel that closes without this word is a load that was given up.
    End,
}

/// The task's side: the pieces in order.
pub(super) struct Pieces<P> {
    steps: mpsc::Receiver<Step<P>>,
    ended: bool,
}

impl<P> Pieces<P> {
    /// The next piece; `None` after the last. Then [`Pieces::were_all_given`] tells how it ended.
    pub(super) async fn next(&mut self) -> Option<P> {
        let step = self.steps.recv().await?;
        self.piece(step)
    }

    /// The same on a thread that may wait.
    pub(super) fn blocking_next(&mut self) -> Option<P> {
        let step = self.steps.blocking_recv()?;
        self.piece(step)
    }

    fn piece(&mut self, step: Step<P>) -> Option<P> {
        match step {
            Step::Piece(piece) => Some(piece),
            Step::End => {
                self.ended = true;
                None
            }
        }
    }

    pub(super) fn were_all_given(&self) -> bool {
        self.ended
    }
}

/// What a task ends with: the transaction and the rows it took; `None` where the load was given up.
pub(super) type Written<DB> = Result<Option<(Transaction<'static, DB>, u64)>, Error>;

/// The encoding side.
pub(super) struct Writing<P, DB: Database> {
    steps: mpsc::Sender<Step<P>>,
    /// `None` once `send` has handed out the error that it ended with: a task's result can be had only once.
    task: Option<JoinHandle<Written<DB>>>,
}

impl<P: Send + 'static, DB: Database> Writing<P, DB> {
    /// Starts the task.
    pub(super) fn start<F>(write: impl FnOnce(Pieces<P>) -> F) -> Self
    where
        F: Future<Output = Written<DB>> + Send + 'static,
    {
        Self::spawned(|pieces| tokio::spawn(write(pieces)))
    }

    /// Starts it on a thread of its own: for a database whose work is done in this process.
    pub(super) fn start_blocking(write: impl FnOnce(Pieces<P>) -> Written<DB> + Send + 'static) -> Self {
        Self::spawned(|pieces| tokio::task::spawn_blocking(move || write(pieces)))
    }

    fn spawned(spawn: impl FnOnce(Pieces<P>) -> JoinHandle<Written<DB>>) -> Self {
        let (steps, received) = mpsc::channel(PIECES_UNDER_WAY);
        let task = spawn(Pieces { steps: received, ended: false });
        Writing { steps, task: Some(task) }
    }

    /// Hands a piece on; waits while the database is behind.
    pub(super) async fn send(&mut self, piece: P) -> Result<(), Error> {
        if self.steps.send(Step::Piece(piece)).await.is_ok() {
            return Ok(());
        }
        // The task has ended with an error; it is there to be read, once.
        let Some(task) = self.task.take() else { return Err(Error::permanent("the load has failed already")) };
        match task.await {
            Ok(Err(error)) => Err(error),
            _ => Err(Error::permanent("the writing task ended early")),
        }
    }

    /// All rows were given: gives the transaction back, and how many rows it took.
    pub(super) async fn end(self) -> Result<(Transaction<'static, DB>, u64), Error> {
        // A task that has ended does not take this; its error is read below.
        let _ = self.steps.send(Step::End).await;
        self.result().await?.ok_or_else(|| Error::permanent("a load that failed cannot be published"))
    }

    /// The load is given up: waits until the transaction is rolled back.
    pub(super) async fn give_up(self) -> Result<(), Error> {
        self.result().await.map(|_| ())
    }

    async fn result(self) -> Written<DB> {
        drop(self.steps);
        let Some(task) = self.task else { return Ok(None) };
        // What it says of a panic quotes that, and the panic may quote a person's data.
        task.await.map_err(|_| Error::permanent("the writing task failed (a bug)"))?
    }
}
