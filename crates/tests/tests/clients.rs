//! The official clients against a real server: the programs in `clients/`, one test a language.
//!
//! Each client gets a server of its own, so that one cannot disturb another. Client packages are
//! fetched from their registries into the build folder, once. Where a toolchain is missing, the
//! test says so loudly and passes.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tests::announce;
use tests::harness::{GOLDEN_CONFIGURATION, Server, golden_configuration_on_files};

#[test]
fn python_client() -> Result<()> {
    let client = Client::new("python")?;
    let Some(()) = client.needs("python3", &["-m", "pip", "--version"]) else { return Ok(()) };
    let packages = client.folder.join("packages");
    client.install_once("requirements.txt", || {
        command("python3", ["-m", "pip", "install", "--quiet", "--upgrade", "--target"])
            .arg(&packages)
            .arg("--requirement")
            .arg(client.source.join("requirements.txt"))
            .run()
    })?;
    // Nothing that a client sees depends on where records are.
    let on_files = golden_configuration_on_files(&["commit-to-device true", "compression lz4"]);
    for configuration in [GOLDEN_CONFIGURATION, &on_files] {
        let mut program = command("python3", ["-W", "ignore::DeprecationWarning"]);
        program.arg(client.source.join("client.py"));
        program.env("PYTHONPATH", &packages).env("PYTHONDONTWRITEBYTECODE", "1");
        client.run_against(configuration, &mut program)?;
    }
    Ok(())
}

#[test]
fn node_client() -> Result<()> {
    let client = Client::new("node")?;
    let Some(()) = client.needs("node", &["--version"]) else { return Ok(()) };
    let Some(()) = client.needs("npm", &["--version"]) else { return Ok(()) };
    client.install_once("package.json", || {
        std::fs::copy(client.source.join("package.json"), client.folder.join("package.json"))?;
        // The package carries its native parts; its install script would only look for them.
        command("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"])
            .current_dir(&client.folder)
            .run()
    })?;
    client.run(
        command("node", [client.source.join("client.js")])
            .env("NODE_PATH", client.folder.join("node_modules")),
    )
}

#[test]
fn go_client() -> Result<()> {
    let client = Client::new("go")?;
    let Some(()) = client.needs("go", &["version"]) else { return Ok(()) };
    let program = client.folder.join("client");
    command("go", ["build", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(&client.source)
        .run()
        .context("building the Go client test")?;
    client.run(&mut Command::new(program))
}

#[test]
fn java_client() -> Result<()> {
    let client = Client::new("java")?;
    let Some(()) = client.needs("java", &["-version"]) else { return Ok(()) };
    let Some(()) = client.needs("mvn", &["-version"]) else { return Ok(()) };
    let folder = client.folder.display();
    command("mvn", ["-q", "-B", "-f"])
        .arg(client.source.join("pom.xml"))
        .arg(format!("-Dbolide.folder={folder}"))
        .args(["package", "dependency:copy-dependencies"])
        .arg(format!("-DoutputDirectory={folder}/lib"))
        .run()
        .context("building the Java client test")?;
    client.run(
        command("java", ["-cp"])
            .arg(format!("{folder}/classes:{folder}/lib/*"))
            .arg("bolide.ClientTest"),
    )
}

#[test]
fn rust_client() -> Result<()> {
    let client = Client::new("rust")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments =
        ["run", "--quiet", "--package", "bolide-tests", "--example", "rust_client", "--"];
    client.run(command(cargo, arguments).current_dir(env!("CARGO_MANIFEST_DIR")))
}

/// One language's test program.
struct Client {
    language: &'static str,
    /// Where its source is.
    source: PathBuf,
    /// Where its packages and build results go.
    folder: PathBuf,
}

impl Client {
    fn new(language: &'static str) -> Result<Self> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(language);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients").join(language);
        std::fs::create_dir_all(&folder)?;
        Ok(Self { language, source, folder })
    }

    /// Whether a tool is there; says loudly when it is not.
    fn needs(&self, tool: &str, arguments: &[&str]) -> Option<()> {
        let found = Command::new(tool).args(arguments).output();
        if found.is_ok_and(|output| output.status.success()) {
            return Some(());
        }
        announce(format_args!("SKIPPED: {} client tests, no {tool} here", self.language));
        None
    }

    /// Installs the packages that `list` names, unless this very list is installed already.
    fn install_once(&self, list: &str, install: impl FnOnce() -> Result<()>) -> Result<()> {
        let wanted = std::fs::read(self.source.join(list))?;
        let stamp = self.folder.join("installed");
        if std::fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        install().with_context(|| format!("installing the {} client", self.language))?;
        Ok(std::fs::write(stamp, wanted)?)
    }

    /// Runs the program against a fresh server and demands that no check failed.
    fn run(&self, program: &mut Command) -> Result<()> {
        self.run_against(GOLDEN_CONFIGURATION, program)
    }

    /// The same with a server of this configuration.
    fn run_against(&self, configuration: &str, program: &mut Command) -> Result<()> {
        let server = Server::start(configuration)?;
        let output = program
            .args(["127.0.0.1", &server.port().to_string()])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/lua"))
            .output()
            .with_context(|| format!("{program:?}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let last = text.lines().last().unwrap_or_default();
        announce(format_args!("{:8} client: {last}", self.language));
        let failures: Vec<&str> = text.lines().filter(|line| line.starts_with("FAIL")).collect();
        ensure!(
            output.status.success() && failures.is_empty(),
            "{} of the {} client's checks failed\n{}\n{}\nthe server said:\n{}",
            failures.len(),
            self.language,
            failures.join("\n"),
            String::from_utf8_lossy(&output.stderr),
            server.output(),
        );
        ensure!(text.lines().any(|line| line.starts_with("ok ")), "no check ran:\n{text}");
        Ok(())
    }
}

fn command<I: IntoIterator<Item: AsRef<OsStr>>>(
    program: impl AsRef<OsStr>,
    arguments: I,
) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// Running a command for its success alone.
trait Run {
    fn run(&mut self) -> Result<()>;
}

impl Run for Command {
    fn run(&mut self) -> Result<()> {
        let output = self.output().with_context(|| format!("{self:?}"))?;
        let text = [output.stdout, output.stderr].concat();
        ensure!(output.status.success(), "{self:?}:\n{}", String::from_utf8_lossy(&text));
        Ok(())
    }
}
