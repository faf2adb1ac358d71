//! The export of telemetry to a collector, as the configuration in service asks for it.

use std::io;

use crate::admin::{Control, otlp_metrics};
use crate::config::Otlp;
use crate::proxy::View;
use crate::telemetry::LogFilter;
use crate::telemetry::otlp::{Exporter, ExporterError, Prepared, Queue, Signal, Sources};

/// The exporter in service, if there is one.
#[derive(Default)]
pub struct TelemetryExport {
    settings: Option<Otlp>,
    exporter: Option<Exporter>,
}

/// What a configuration needs to export.
pub enum Change {
    /// The settings are those in service.
    Unchanged,
    /// Another collector, or none.
    To(Option<Box<Prepared>>),
}

impl TelemetryExport {
    /// Prepares what these settings need; nothing is in service yet.
    pub fn prepare(&self, settings: Option<&Otlp>) -> Result<Change, ExporterError> {
        if self.settings.as_ref() == settings {
            return Ok(Change::Unchanged);
        }
        let prepared = settings.map(Prepared::new).transpose()?;
        Ok(Change::To(prepared.map(Box::new)))
    }

    /// Puts it into service. `view`: the proxy with the same configuration. The former exporter sends what it has.
    pub fn apply(
        &mut self,
        change: Change,
        settings: Option<&Otlp>,
        view: &View,
        control: &Control,
        log: &LogFilter,
    ) -> io::Result<()> {
        let Change::To(prepared) = change else { return Ok(()) };
        let state = &view.tracing.state;
        let logs = settings.filter(|settings| settings.logs).map(|_| Queue::new(Signal::Logs, state));
        log.records.export_by(logs.clone());
        if let Some(former) = self.exporter.take() {
            tokio::spawn(former.stop());
        }
        self.settings = settings.cloned();
        if let Some(prepared) = prepared {
            let spans = view.tracing.tracer.as_ref().map(|tracer| tracer.spans.clone());
            let control = control.clone();
            let sources = Sources { spans, logs, metrics: Box::new(move || otlp_metrics(&control)) };
            self.exporter = Some(Exporter::start(*prepared, sources, state.clone())?);
        }
        Ok(())
    }

    /// Sends what is left, within a few seconds.
    pub async fn stop(self, log: &LogFilter) {
        if let Some(exporter) = self.exporter {
            exporter.stop().await;
        }
        log.records.export_by(None);
    }
}
