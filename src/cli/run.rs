//! `run`: the worker, and what is shown of its work.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::CancellationToken;

use super::output::{BATCH_HEADER, Table, batch_row, note, printable, thousands};
use super::{FINDINGS_OR_TROUBLE, OK, SOME_FAILED};
use crate::bucket::{self, Bucket};
use crate::config::{Config, ConfigError, duration_text, parse_duration};
use crate::model::FileCode;
use crate::serve::{Announcer, Installation, Server};
use crate::store::{self, Store};
use crate::telemetry::{self, metrics};
use crate::worker::{Ending, Mode, News, Report, Worker};

/// Between two tries to reach a server at the start.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
#[command(after_help = "Exit codes:
  0  stopped as asked; with --once: everything was loaded
  1  trouble of ours is left (bucket, store, network); see the messages
  2  wrong usage or configuration
  3  with --once: some file failed or was rejected; see its error_message

With --for TIME, no upload is begun after that time. What is in hand then is finished within a
minute (or within TIME again, where that is less) or given back, and the next run finds it and the
rest. That is told, and is no trouble of ours; it is where all of TIME was not enough for an upload.
--accept-faults is for schedulers that take 3 for a failure: the senders are told what to mend.

Examples:
  batchdrop run fixtures/uploads
  batchdrop run --once s3://uploads/calls --store postgres://app@db/calls
  batchdrop run --once --for 10m s3://uploads/calls --store postgres://app@db/calls
  BATCHDROP_BUCKET_ENDPOINT_URL=http://127.0.0.1:9000 batchdrop run s3://uploads")]
pub(super) struct RunArgs {
    /// A folder, or s3://BUCKET/PREFIX [config: bucket.url]
    bucket: Option<String>,
    /// Serve metrics and probes there, such as 127.0.0.1:8600 [config: serve.listen]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<std::net::SocketAddr>,
    /// Load what is there, wait for nothing, and exit
    #[arg(long)]
    once: bool,
    /// With --once: begin nothing more after this time, such as 10m
    #[arg(long = "for", value_name = "TIME")]
    within: Option<String>,
    /// With --once: exit 0, and not 3, where files failed or were rejected
    #[arg(long, requires = "once")]
    accept_faults: bool,
}

impl RunArgs {
    fn mode(&self) -> Result<Mode, ConfigError> {
        let within = match &self.within {
            None => None,
            Some(_) if !self.once => {
                let why = "--for is for a run that ends by itself: say run --once --for 10m, or leave --for out";
                return Err(ConfigError(why.to_owned()));
            }
            Some(text) => {
                let why = || ConfigError("--for must be a time such as 90s, 10m or 2h".to_owned());
                Some(parse_duration(text).ok_or_else(why)?)
            }
        };
        Ok(if self.once { Mode::Drain { within } } else { Mode::Watch })
    }
}

pub(super) async fn run(args: &RunArgs, mut config: Config, json: bool) -> anyhow::Result<u8> {
    let mode = args.mode()?;
    if let Some(url) = &args.bucket {
        config.bucket.url = url.clone();
    }
    if args.listen.is_some() {
        config.serve.listen = args.listen;
        config.serve.problem().map_or(Ok(()), |problem| Err(ConfigError(problem)))?;
    }
    let (router, lists, webhooks) = (super::router(&config)?, super::lists(&config)?, config.webhooks()?);
    let retention = config.retention.requests()?;
    let stop = CancellationToken::new();
    heed_signals(stop.clone()).context("signals cannot be heeded")?;
    let server = serve(&config, &stop).await?;
    let waits = !args.once;
    let Some(bucket) = open(waits, &stop, async || Ok(Bucket::open(&config.bucket).await?)).await? else {
        return Ok(OK);
    };
    let opened = open(waits, &stop, async || {
        let store = super::open_store(&config).await?;
        store.migrate().await.with_context(|| format!("store {}", config.store.shown_url()))?;
        let risks = store.risks().await?;
        Ok((store, risks))
    });
    let Some((store, risks)) = opened.await? else { return Ok(OK) };
    for risk in risks {
        tracing::warn!("{risk}");
    }
    if let Some(announcer) = &server {
        announcer.opened(store.clone(), bucket.name());
    }
    telemetry::systemd::ready();

    let doing = match mode {
        Mode::Watch => "watching".to_owned(),
        Mode::Drain { within: None } => "draining".to_owned(),
        Mode::Drain { within: Some(within) } => format!("draining for {}", duration_text(within)),
    };
    note(&format!(
        "batchdrop {}: {doing} {}, batches go to {}",
        env!("PROGRAM_VERSION"),
        printable(bucket.name()),
        config.store.shown_url()
    ));
    if !args.once {
        note("Drop CSV files there; Ctrl-C stops.");
    }

    let (news, heard) = unbounded_channel();
    let showing = tokio::spawn(show(heard, store.clone(), json));
    let worker = Arc::new(Worker {
        bucket,
        store: store.clone(),
        router,
        lists,
        webhooks,
        limits: config.limits,
        retention,
        config: config.worker,
        news,
    });
    let stopped = worker.run(mode, stop).await;
    let lease = worker.config.lease();
    drop(worker); // and with it the sender of news, which ends the showing
    showing.await?;
    store.close().await;
    if let Some(left) = stopped.left {
        note(&match left {
            0 => "The time was up; of what was seen, nothing is left.".to_owned(),
            1 => "The time was up; 1 upload is left to the next run.".to_owned(),
            _ => format!("The time was up; {} uploads are left to the next run.", thousands(left)),
        });
    }
    if stopped.elsewhere > 0 {
        let uploads = match stopped.elsewhere {
            1 => "1 upload is".to_owned(),
            count => format!("{} uploads are", thousands(count)),
        };
        note(&format!(
            "{uploads} in the hands of another worker. Should that have died, a run after {} takes over.",
            duration_text(lease)
        ));
    }
    Ok(match stopped {
        _ if stopped.troubled => FINDINGS_OR_TROUBLE,
        _ if args.once && stopped.faulty > 0 && !args.accept_faults => SOME_FAILED,
        _ => OK,
    })
}

/// Serves from now on, if that is configured. An address that cannot be had is a mistake to be mended, not to be waited
/// for.
async fn serve(config: &Config, stop: &CancellationToken) -> anyhow::Result<Option<Announcer>> {
    let installation = Installation {
        identity: config.worker.identity.clone(),
        time_zone: config.worker.time_zone,
        campaigns: config.campaigns()?.into_iter().map(|campaign| campaign.name).collect(),
        results: config.bucket.result_key(""),
    };
    let server = Server::bind(&config.serve, installation).await;
    let server = server.map_err(|error| ConfigError(format!("serve.listen: cannot listen there: {error}")))?;
    let Some(server) = server else { return Ok(None) };
    metrics().expect_codes(FileCode::ALL.iter().map(|code| code.as_str()));
    if let Some(address) = server.address() {
        note(&format!("Serving http://{address}/: the page, the API, /metrics and probes."));
    }
    let announcer = server.announcer();
    tokio::spawn(server.run(stop.clone()));
    Ok(Some(announcer))
}

/// Opens what the worker needs. One that stays waits for a server that is away, however long; a mistake that waiting
/// does not mend ends it at once. `None`: it was asked to stop while it waited.
async fn open<T>(
    waits: bool,
    stop: &CancellationToken,
    open: impl AsyncFn() -> anyhow::Result<T>,
) -> anyhow::Result<Option<T>> {
    let mut wait = FIRST_WAIT;
    loop {
        let error = tokio::select! {
            opened = open() => match opened {
                Ok(opened) => return Ok(Some(opened)),
                Err(error) if waits && may_pass(&error) => error,
                Err(error) => return Err(error),
            },
            () = stop.cancelled() => return Ok(None),
        };
        tracing::warn!(error = telemetry::chain(error.as_ref()), wait_seconds = wait.as_secs(), "not started yet");
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return Ok(None),
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Whether it is trouble that may go away by itself.
fn may_pass(error: &anyhow::Error) -> bool {
    let bucket = error.downcast_ref::<bucket::Error>().map(|error| error.kind == bucket::ErrorKind::Transient);
    let store = error.downcast_ref::<store::Error>().map(|error| error.kind == store::ErrorKind::Transient);
    bucket.or(store) == Some(true)
}

/// The first signal stops cleanly; the second does not wait. From when this returns: whoever is told to stop before
/// that holds nothing yet.
fn heed_signals(stop: CancellationToken) -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        for asked in 1.. {
            let code = tokio::select! {
                _ = terminate.recv() => 128 + 15,
                _ = interrupt.recv() => 128 + 2,
            };
            if asked == 1 {
                note("Stopping; a second signal does not wait.");
                telemetry::systemd::stopping();
                stop.cancel();
            } else {
                std::process::exit(code);
            }
        }
    });
    Ok(())
}

/// Shows batches as they come: those of the start as one table, each later one as a line of its own.
async fn show(mut heard: UnboundedReceiver<News>, store: Store, json: bool) {
    let mut table = Table::new(BATCH_HEADER, json);
    let progress = progress(json);
    let mut drained = false;
    let mut done = 0;
    while let Some(news) = heard.recv().await {
        match news {
            News::Drained => {
                drained = true;
                progress.finish_and_clear();
                if table.is_empty() {
                    note("Nothing new: all that lies there is in the ledger already; see batchdrop uploads list.");
                }
                table.print();
            }
            News::Upload(report) => {
                if add(&mut table, &store, &report).await {
                    done += 1;
                    progress.set_message(format!("{} files", thousands(done)));
                    progress.tick();
                    if drained {
                        table.print();
                    }
                }
            }
        }
    }
    progress.finish_and_clear();
    if !drained {
        table.print();
    }
}

fn progress(json: bool) -> indicatif::ProgressBar {
    if json || !std::io::stderr().is_terminal() {
        return indicatif::ProgressBar::hidden();
    }
    let spinner = indicatif::ProgressBar::new_spinner();
    spinner.enable_steady_tick(std::time::Duration::from_millis(120));
    spinner.set_message("looking");
    spinner
}

/// Adds what became of an upload, if it became something.
async fn add(table: &mut Table, store: &Store, report: &Report) -> bool {
    let file = report.object.base_name();
    let other = |status: &str, code: Option<&str>, message: &str| {
        let mut cells = vec!["-".to_owned(), file.to_owned(), status.to_owned()];
        cells.extend(std::iter::repeat_n("-".to_owned(), 5));
        cells.push(message.to_owned());
        let json = serde_json::json!({
            "batch_id": null, "upload_filename": file, "status": status, "error_code": code, "error_message": message,
        });
        (cells, json)
    };
    let (cells, json) = match &report.ending {
        Ending::Loaded { batch_id } | Ending::Failed { batch_id, .. } => match store.batch(batch_id).await {
            Ok(Some(batch)) => (batch_row(&batch), serde_json::to_value(&batch).unwrap_or_default()),
            Ok(None) => return false,
            Err(error) => {
                tracing::warn!(batch_id, error = telemetry::chain(&error), "a batch cannot be shown; it is stored");
                return false;
            }
        },
        Ending::ListLoaded { told } => other("LOADED", None, told),
        Ending::Rejected { fault } => other("REJECTED", Some(fault.code.as_str()), &fault.message()),
        Ending::Gone { reason } => other("GONE", None, reason),
        // Not an end: it comes again, here or with another worker. The log has said it.
        Ending::PutOff { .. } | Ending::GivenBack | Ending::Lost => return false,
    };
    table.row(cells, &json);
    true
}
