//! Places where a test lets the program fail, to see that nothing is lost or doubled. A program built for release has
//! none.
//!
//! `BATCHDROP_TEST_FAIL_POINT=STEP[/OF]=ACTION[@N]`: when STEP is reached for the N-th time (the first, where that is
//! not said), and for OF alone where it is named, ACTION is taken; without `@N` it is taken each time. It is `abort`
//! (the process ends at once, as by SIGKILL), `panic` or `error` (trouble of ours).

/// Fails here, if a test has asked for that.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub(crate) fn reach(_step: &str, _of: &str) -> Result<(), String> {
    Ok(())
}

#[cfg(debug_assertions)]
pub(crate) use asked::reach;

#[cfg(debug_assertions)]
mod asked {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Asked {
        step: String,
        of: Option<String>,
        action: String,
        at: Option<u32>,
    }

    /// Read once: nothing changes the environment of a running program.
    static ASKED: LazyLock<Option<Asked>> = LazyLock::new(|| {
        let text = std::env::var("BATCHDROP_TEST_FAIL_POINT").ok()?;
        let (place, action) = text.split_once('=').expect("STEP[/OF]=ACTION[@N]");
        let (step, of) = place.split_once('/').map_or((place, None), |(step, of)| (step, Some(of.to_owned())));
        let (action, at) = action.split_once('@').map_or((action, None), |(action, at)| (action, Some(at)));
        let at = at.map(|at| at.parse().expect("N is a number"));
        Some(Asked { step: step.to_owned(), of, action: action.to_owned(), at })
    });

    static REACHED: AtomicU32 = AtomicU32::new(0);

    /// Fails here, if a test has asked for that.
    pub(crate) fn reach(step: &str, of: &str) -> Result<(), String> {
        let Some(asked) = ASKED.as_ref() else { return Ok(()) };
        if asked.step != step || asked.of.as_deref().is_some_and(|asked| asked != of) {
            return Ok(());
        }
        let times = REACHED.fetch_add(1, Ordering::Relaxed) + 1;
        if asked.at.is_some_and(|at| at != times) {
            return Ok(());
        }
        match asked.action.as_str() {
            "abort" => std::process::abort(),
            "panic" => panic!("fail point {step}"),
            "error" => Err(format!("fail point {step}")),
            other => panic!("BATCHDROP_TEST_FAIL_POINT knows no action {other}"),
        }
    }
}
