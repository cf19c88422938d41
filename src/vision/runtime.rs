//! ONNX Runtime: found, checked, loaded once, and asked.
//!
//! Promises: the library's SHA-256 is the pinned one before a byte of it runs (later builds carry
//! telemetry and network code); a missing library or network is an error, never a panic; the answer
//! of a network is handed out only in the shape that was asked for. Leaves what numbers mean to the
//! networks' own modules.
//!
//! A process holds one runtime for its whole life: ONNX Runtime allows one environment.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionOutputs};
use ort::value::TensorRef;

use super::manifest::RuntimeFile;
use super::{Error, onnx};
use crate::frame::Digest;

/// Names the library, or the folder that it is in.
pub const VARIABLE: &str = "VIGIE_RUNTIME";

/// Where the package installs it.
const INSTALLED: &str = "/usr/lib/vigie";

/// The library of this process. Never dropped: a second environment cannot be made.
static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

/// A loaded ONNX Runtime.
#[derive(Debug, Clone)]
pub struct Runtime {
    environment: Environment,
    digest: Digest,
}

/// Finds the library: the path given, else what [`VARIABLE`] names, else `runtime/` beside the models
/// folder, `runtime/` beside the program, and where packages install it.
pub fn find(given: Option<&Path>, models: &Path, file: &str) -> Result<PathBuf, Error> {
    let named = given
        .map(Path::to_owned)
        .or_else(|| env::var_os(VARIABLE).map(PathBuf::from));
    let looked = if let Some(named) = named {
        let inside = named.join(file);
        vec![named, inside]
    } else {
        let beside_models = models.parent().map(|p| p.join("runtime"));
        let program = env::current_exe().ok();
        let beside_program = program
            .as_deref()
            .and_then(Path::parent)
            .map(|p| p.join("runtime"));
        let folders = [beside_models, beside_program, Some(PathBuf::from(INSTALLED))];
        folders
            .into_iter()
            .flatten()
            .map(|folder| folder.join(file))
            .collect()
    };
    let found = looked.iter().find(|path| path.is_file()).cloned();
    found.ok_or(Error::RuntimeMissing { looked })
}

impl Runtime {
    /// Loads the library, or gives back the one that this process has loaded already.
    pub fn load(path: &Path, pinned: &RuntimeFile) -> Result<Self, Error> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let expected = *pinned.sha256.here();
        if let Some(runtime) = loaded.as_ref().filter(|r| r.digest == expected) {
            return Ok(runtime.clone());
        }
        let read = fs::File::open(path).and_then(Digest::of_all);
        let got = read.map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => Error::RuntimeMissing {
                looked: vec![path.to_owned()],
            },
            _ => Error::Unreadable {
                path: path.to_owned(),
                message: e.to_string(),
            },
        })?;
        if got != expected {
            return Err(Error::WrongHash {
                path: path.to_owned(),
                expected,
                got,
                make: "make runtime",
            });
        }
        if loaded.is_some() {
            return Err(Error::RuntimeTwice {
                path: path.to_owned(),
            });
        }
        let environment = start(path).map_err(|message| Error::Runtime {
            path: path.to_owned(),
            message,
        })?;
        let runtime = Self {
            environment,
            digest: got,
        };
        *loaded = Some(runtime.clone());
        Ok(runtime)
    }

    /// Builds a network from its file's bytes.
    pub(super) fn network(
        &self,
        name: &'static str,
        file: Arc<[u8]>,
        threads: usize,
    ) -> Result<Network, Error> {
        let failed = |message: String| Error::Network {
            network: name,
            message,
        };
        let graph = onnx::graph_alone(&file).ok_or_else(|| failed("not an ONNX file".to_owned()))?;
        let build = || -> Result<Session, ort::Error> {
            tuned(SessionBuilder::new(&self.environment)?, threads)?
                .with_external_initializer_file_in_memory(onnx::WEIGHTS, file)?
                .commit_from_memory(&graph)
        };
        let session = build().map_err(|e| failed(e.to_string()))?;
        Ok(Network { name, session })
    }
}

fn start(path: &Path) -> Result<Environment, String> {
    // `init_from` and not `init`: the latter panics where the library is missing.
    let builder = ort::init_from(path).map_err(|e| e.to_string())?;
    let environment = builder
        .with_name("vigie")
        .with_telemetry(false)
        .with_logger(Arc::new(|level, _category, _id, place, message| match level {
            LogLevel::Error | LogLevel::Fatal => tracing::error!(place, "onnxruntime: {message}"),
            LogLevel::Warning => tracing::debug!(place, "onnxruntime: {message}"),
            LogLevel::Info | LogLevel::Verbose => {}
        }))
        .build()
        .map_err(|e| e.to_string())?;
    environment.set_log_level(LogLevel::Warning);
    Ok(environment)
}

/// One picture at a time on a small machine: no threads between operators, none that spin while they
/// wait, and no plan of memory per input size, which costs some 30 MB over the four jobs and gains no
/// time.
fn tuned(builder: SessionBuilder, threads: usize) -> Result<SessionBuilder, ort::Error> {
    Ok(builder
        .with_intra_threads(threads)?
        .with_inter_threads(1)?
        .with_optimization_level(GraphOptimizationLevel::Level3)?
        .with_intra_op_spinning(false)?
        .with_memory_pattern(false)?
        .with_log_level(LogLevel::Warning)?)
}

/// A network that is ready to run.
#[derive(Debug)]
pub(super) struct Network {
    name: &'static str,
    session: Session,
}

/// What a network answered to one input; valid until it runs again.
pub(super) struct Answer<'s> {
    network: &'static str,
    outputs: SessionOutputs<'s>,
}

impl Network {
    /// Runs it on one tensor. `data` is not copied.
    pub(super) fn run(&mut self, input: &str, shape: [usize; 4], data: &[f32]) -> Result<Answer<'_>, Error> {
        let network = self.name;
        let failed = |e: ort::Error| Error::Run {
            network,
            message: e.to_string(),
        };
        let tensor = TensorRef::from_array_view((shape, data)).map_err(failed)?;
        let outputs = self.session.run(ort::inputs![input => tensor]).map_err(failed)?;
        Ok(Answer { network, outputs })
    }
}

impl Answer<'_> {
    /// The numbers of one output, which must have this shape.
    pub(super) fn tensor(&self, output: &str, shape: &[usize]) -> Result<&[f32], Error> {
        let wrong = |got: String| Error::Output {
            network: self.network,
            output: output.to_owned(),
            expected: format!("f32 {shape:?}"),
            got,
        };
        // Asking for the output "" panics.
        let value = Some(output)
            .filter(|name| !name.is_empty())
            .and_then(|name| self.outputs.get(name));
        let value = value.ok_or_else(|| wrong("nothing".into()))?;
        let dtype = value.dtype().to_string();
        let (got, data) = value.try_extract_tensor::<f32>().map_err(|_| wrong(dtype))?;
        let same =
            got.len() == shape.len() && got.iter().zip(shape).all(|(&g, &s)| usize::try_from(g) == Ok(s));
        if same {
            Ok(data)
        } else {
            Err(wrong(format!("f32 {:?}", &got[..])))
        }
    }
}
